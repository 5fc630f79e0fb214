//! Limits how much of an inner error's body is read: a budget of bytes and time (R4). Dropping the rest of a refused
//! request has a budget of the same type (G5).

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::session::answer::outcome::ReadBytes;
use crate::session::record::notes::UnreadReason;

/// The bytes and the time that a body may still take.
#[derive(Debug)]
pub struct Budget {
    left: u64,
    /// The number of empty frames that may still come. Without this limit, a body of only empty frames would never end.
    empty_frames: u16,
    time: Duration,
    /// The time at which reading must stop. This time is set at the first wait. Most bodies need no wait, so the clock
    /// is read for few bodies.
    until: Option<Instant>,
}

/// The maximum number of empty frames. No server sends so many by itself.
const MAX_EMPTY_FRAMES: u16 = 1024;

impl Budget {
    /// Creates a budget whose time begins with the first wait.
    #[must_use]
    pub fn new(max_bytes: u64, time: Duration) -> Self {
        Self { left: max_bytes, empty_frames: MAX_EMPTY_FRAMES, time, until: None }
    }

    /// The adapter calls this method when no data is available. Returns the time until which to wait.
    pub fn waits(&mut self, now: impl FnOnce() -> Instant) -> Instant {
        *self.until.get_or_insert_with(|| now() + self.time)
    }

    /// Deducts a frame. `now` is called only if the adapter has waited before.
    pub fn deduct(&mut self, length: usize, now: impl FnOnce() -> Instant) -> Result<(), UnreadReason> {
        let left = if length == 0 {
            self.empty_frames.checked_sub(1).map(|left| self.empty_frames = left)
        } else {
            self.left.checked_sub(length as u64).map(|left| self.left = left)
        };
        if left.is_none() {
            Err(UnreadReason::TooLong)
        } else if self.until.is_some_and(|until| now() >= until) {
            Err(UnreadReason::TooLate)
        } else {
            Ok(())
        }
    }
}

/// A body that is being read.
#[derive(Debug)]
pub struct Reading {
    pieces: Pieces,
    trailers: Option<Box<HeaderMap>>,
    budget: Budget,
    /// True if the body may still have to be sent unchanged. The adapter must then neither move the body nor drop its
    /// rest.
    pub keeps: bool,
}

/// The part of a body that was read, and the reason why the rest of the body was not read.
#[derive(Debug, Default)]
pub struct Read {
    pub(in crate::session) bytes: Bytes,
    pub(in crate::session) trailers: Option<Box<HeaderMap>>,
    pub(in crate::session) unread: Option<UnreadReason>,
}

/// The bytes that were read, which are a single unchanged chunk, or several joined chunks.
#[derive(Debug, Default)]
pub(in crate::session) struct Pieces {
    first: Bytes,
    all: BytesMut,
}

impl Read {
    /// Returns true if all of the body was read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.unread.is_none()
    }

    #[inline]
    pub(in crate::session) fn as_bytes(&self) -> ReadBytes<'_> {
        if self.unread.is_none() { ReadBytes::Whole(&self.bytes) } else { ReadBytes::Part(&self.bytes) }
    }
}

impl Pieces {
    pub(in crate::session) fn push(&mut self, data: Bytes) {
        if self.first.is_empty() {
            self.first = data;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&data);
    }

    pub(in crate::session) fn into_bytes(self) -> Bytes {
        if self.all.is_empty() { self.first } else { self.all.freeze() }
    }
}

impl Reading {
    pub(in crate::session) fn new(max_bytes: u64, time: Duration, keeps: bool) -> Self {
        Self { pieces: Pieces::default(), trailers: None, budget: Budget::new(max_bytes, time), keeps }
    }

    /// The adapter calls this method for each chunk. On an error, stop reading, and pass the error to
    /// [`Reading::stop`].
    pub fn data(&mut self, data: Bytes, now: impl FnOnce() -> Instant) -> Result<(), UnreadReason> {
        let length = data.len();
        self.pieces.push(data);
        self.budget.deduct(length, now)
    }

    /// The adapter calls this method when no data is available. Returns the time until which to wait. After that time,
    /// call [`Reading::stop`].
    pub fn waits(&mut self, now: impl FnOnce() -> Instant) -> Instant {
        self.budget.waits(now)
    }

    /// The adapter calls this method for the trailers. The body ends with its trailers.
    pub fn trailers(&mut self, trailers: HeaderMap) {
        self.trailers = Some(Box::new(trailers));
    }

    /// The adapter calls this method when all of the body is in memory.
    #[must_use]
    pub fn whole(mut self, body: Bytes) -> Read {
        self.pieces.push(body.clone());
        if body.len() as u64 > self.budget.left { self.stop(UnreadReason::TooLong) } else { self.end() }
    }

    /// The adapter calls this method when the body has ended.
    #[must_use]
    pub fn end(self) -> Read {
        self.read(None)
    }

    /// The adapter calls this method when the rest of the body is not read.
    #[must_use]
    pub fn stop(self, why: UnreadReason) -> Read {
        self.read(Some(why))
    }

    fn read(self, unread: Option<UnreadReason>) -> Read {
        Read { bytes: self.pieces.into_bytes(), trailers: self.trailers, unread }
    }
}
