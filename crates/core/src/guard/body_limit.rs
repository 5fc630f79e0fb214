//! The limit of the body's size, declared or counted (rule G4).
//!
//! A declared length over the limit is refused from the head. The [`BodyMeter`] counts an undeclared one. It stays with
//! the body in whatever task reads it, and reports the body's outcome to the exchange. In an RPC stream each message is
//! measured separately, by the length before it (rules P1–P3).

use std::error::Error;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue};
use http_body_util::LengthLimitError;
use serde_json::value::RawValue;

use crate::cause;
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::grpc_messages::{DecodedItem, InvalidBase64, MessageDecoder, MessagePrefix, PREFIX_LEN};

/// Counts the bytes of a request body, and stores its failure, if any.
///
/// It gets every chunk before the inner service does, and shares its result with the exchange. The exchange answers 413
/// for a body over the limit whatever the inner service returns (G4). It distinguishes a client's broken or slow body
/// from a failure of the server (F1).
#[derive(Debug)]
pub struct BodyMeter {
    measured: Measured,
    flags: BodyFlags,
}

#[derive(Debug)]
enum Measured {
    /// The body as a whole, with the number of bytes that came.
    Whole(u64),
    Messages(Messages),
}

/// How the messages of an RPC stream are measured.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(crate) frames: MessageDecoder,
    /// The client can read its answer even if the rest after a message that is too long is not read. A stream of HTTP/2
    /// ends by itself, and may have no end until it is answered.
    pub(crate) rest_is_free: bool,
}

/// The meter's decision about a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum MeterAction {
    /// Hand it on.
    Within,
    /// The body is over its limit: hand on no more, read and drop the rest within this budget, then fail (G5).
    Over(DrainBudget),
}

/// Limits for reading and dropping the rest of a request, so that the client receives the response (G5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainBudget {
    /// At most this many bytes.
    pub max_bytes: u64,
    /// At most this long.
    pub timeout: Duration,
    /// The response's body is sent before the rest of the request is read, and its end after that.
    pub body_first: bool,
}

impl BodyMeter {
    #[inline]
    pub(crate) fn new(flags: BodyFlags) -> Self {
        Self { measured: Measured::Whole(0), flags }
    }

    /// Measures each message by itself.
    pub(crate) fn by_message(mut self, messages: Option<Messages>) -> Self {
        if let Some(messages) = messages {
            self.measured = Measured::Messages(messages);
        }
        self
    }

    /// Counts a chunk. A body of exactly the limit passes.
    pub fn request_data(&mut self, data: &[u8]) -> MeterAction {
        let Self { measured, flags } = self;
        if let Some(seen) = &flags.0.seen {
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(data);
        }
        let limit = flags.limit();
        let seen = match measured {
            Measured::Whole(seen) => seen,
            Measured::Messages(messages) => return messages.data(data, limit, flags),
        };
        *seen = seen.saturating_add(data.len() as u64);
        if let Some(watched) = &flags.0.watched {
            flags.note(watched, *seen);
        }
        if limit.is_some_and(|limit| *seen > limit) {
            flags.raise(BodyFlags::OVER);
            MeterAction::Over(flags.0.drain)
        } else {
            MeterAction::Within
        }
    }

    /// Notes that the body failed: it arrived too slowly, was cut off, or was badly framed.
    ///
    /// The limit or typed fault of an outer layer is not a failure of the client's connection, and does not change.
    pub fn body_failed(&mut self, error: &(dyn Error + 'static)) {
        if cause::find::<LengthLimitError>(error).is_some() || cause::find::<Fault>(error).is_some() {
            return;
        }
        let slow = cause::has_io_kind(error, |kind| kind == io::ErrorKind::TimedOut);
        let left = if client_left(error) { BodyFlags::LEFT } else { 0 };
        self.flags.raise(if slow { BodyFlags::SLOW } else { BodyFlags::BROKEN | left });
    }

    /// Whether a decision depends on the body's data, so that an adapter that does not get all data by default must
    /// request it. `declared`: the head has the body's length, which the guards have checked.
    #[must_use]
    pub fn needs_data(&self, declared: bool) -> bool {
        let shared = &self.flags.0;
        let counts = shared.limit.is_some() || shared.watched.is_some();
        let by_head = declared && matches!(self.measured, Measured::Whole(_));
        shared.seen.is_some() || counts && !by_head
    }

    /// Whether the body is a stream of messages over HTTP/2. The rest of such a body need not be read.
    pub fn rest_is_free(&self) -> bool {
        matches!(&self.measured, Measured::Messages(messages) if messages.rest_is_free)
    }

    /// Notes that the body has ended, either forwarded or drained: no further data comes.
    pub fn body_ended(&mut self) {
        self.flags.raise(BodyFlags::ENDED);
    }
}

impl Messages {
    fn data(&mut self, data: &[u8], limit: Option<u64>, flags: &BodyFlags) -> MeterAction {
        if !data.is_empty() {
            flags.note_begun();
        }
        if self.frames.is_one_message(data) {
            let within = limit.is_none_or(|limit| data.len() as u64 - PREFIX_LEN <= limit);
            if within && flags.0.watched.is_none() {
                return MeterAction::Within;
            }
        }
        let read = self.frames.read(data, &mut |piece| match piece {
            DecodedItem::Prefix(prefix) => flags.message(prefix, limit),
            DecodedItem::Payload(_) => ControlFlow::Continue(()),
        });
        match read {
            Ok(ControlFlow::Continue(())) => return MeterAction::Within,
            Ok(ControlFlow::Break(())) => {}
            Err(InvalidBase64) if limit.is_none() => return MeterAction::Within,
            Err(InvalidBase64) => flags.raise(BodyFlags::MALFORMED),
        }
        MeterAction::Over(self.drain(flags.0.drain))
    }

    /// How much is read of a body that is cut.
    fn drain(&self, whole: DrainBudget) -> DrainBudget {
        match self.frames.left() {
            _ if !self.rest_is_free => whole,
            0 => DrainBudget { max_bytes: 0, timeout: Duration::ZERO, ..whole },
            // The byte after the limit decides already: the budget ends before it, so that nothing waits for more.
            left => DrainBudget { max_bytes: whole.max_bytes.min(left - 1), ..whole },
        }
    }
}

/// The outcome of a request body, shared by the meter and the exchange.
#[derive(Clone, Debug)]
pub(crate) struct BodyFlags(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    raised: AtomicU8,
    limit: Option<u64>,
    drain: DrainBudget,
    watched: Option<ObservedLimit>,
    /// The beginning of the body, where errors repeat something of it (R10).
    seen: Option<Mutex<SeenBody>>,
}

/// The first bytes of a body.
#[derive(Debug, Default)]
struct SeenBody {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl SeenBody {
    const MOST: usize = 64 * 1024;

    fn push(&mut self, data: &[u8]) {
        let room = Self::MOST - self.bytes.len();
        self.is_cut |= data.len() > room;
        self.bytes.extend_from_slice(&data[..data.len().min(room)]);
    }
}

/// The facts that a route in `observe` needs of a body that it lets pass (M1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ObservedLimit {
    /// Whether it is longer than this.
    pub(crate) limit: Option<u64>,
    /// Whether there is a body at all.
    pub(crate) first_byte: bool,
}

/// Whether an error of a request's body means that the client left (F1a): the connection ended or was reset within the
/// body. A badly framed body is another error.
pub fn client_left(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};

    cause::has_io_kind(error, |kind| matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof))
}

impl BodyFlags {
    pub(crate) const OVER: u8 = 1;
    pub(crate) const BROKEN: u8 = 2;
    pub(crate) const SLOW: u8 = 4;
    pub(crate) const ENDED: u8 = 8;
    /// Over the limit of a route in `observe`, so the body passed.
    pub(crate) const NOTED: u8 = 16;
    /// The first byte of the body came.
    pub(crate) const BEGUN: u8 = 32;
    /// Not a sequence of RPC messages, although the media type claims one.
    pub(crate) const MALFORMED: u8 = 64;
    /// The client left before it had sent the body (F1a).
    pub(crate) const LEFT: u8 = 128;

    /// `keeps` states whether the beginning of the body is kept.
    pub(crate) fn new(limit: Option<u64>, drain: DrainBudget, watched: ObservedLimit, keeps: bool) -> Self {
        let watched = Some(watched).filter(|watched| *watched != ObservedLimit::default());
        let seen = keeps.then(Mutex::default);
        Self(Arc::new(Shared { raised: AtomicU8::new(0), limit, drain, watched, seen }))
    }

    /// The limit at which the body is cut.
    pub(crate) fn limit(&self) -> Option<u64> {
        self.0.limit
    }

    /// Reads what was kept of the body, and whether that is all of it.
    pub(crate) fn seen<T>(&self, read: impl FnOnce(&[u8], bool) -> T) -> Option<T> {
        let seen = self.0.seen.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(read(&seen.bytes, self.has(Self::ENDED) && !seen.is_cut))
    }

    /// The limit that the body passed over.
    pub(crate) fn noted(&self) -> Option<u64> {
        if self.has(Self::NOTED) { self.0.watched?.limit } else { None }
    }

    fn note(&self, watched: &ObservedLimit, seen: u64) {
        if watched.limit.is_some_and(|limit| seen > limit) {
            self.raise(Self::NOTED);
        }
        if seen > 0 {
            self.note_begun();
        }
    }

    fn note_begun(&self) {
        if self.0.watched.is_some_and(|watched| watched.first_byte) {
            self.raise(Self::BEGUN);
        }
    }

    /// A message of this length begins.
    fn message(&self, prefix: MessagePrefix, limit: Option<u64>) -> ControlFlow<()> {
        let length = u64::from(prefix.length);
        if self.0.watched.and_then(|watched| watched.limit).is_some_and(|limit| length > limit) {
            self.raise(Self::NOTED);
        }
        if limit.is_none_or(|limit| length <= limit) {
            return ControlFlow::Continue(());
        }
        // Bytes that begin no message are text, whose length means nothing.
        self.raise(if prefix.is_of_a_message() { Self::OVER } else { Self::MALFORMED });
        ControlFlow::Break(())
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.0.raised.load(Ordering::Acquire) & flag != 0
    }

    fn raise(&self, flag: u8) {
        self.0.raised.fetch_or(flag, Ordering::AcqRel);
    }
}

/// The length that the head declares, in bytes; `None` where there is none, or it cannot be trusted.
pub(crate) fn declared(headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    length(first)
}

/// The length in one line. More digits than a u64 has are a length all the same, and over any limit.
pub(crate) fn length(value: &HeaderValue) -> Option<u64> {
    let mut length = None;
    for byte in value.as_bytes() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        length = Some(length.unwrap_or(0_u64).saturating_mul(10).saturating_add(digit.into()));
    }
    length
}

/// The answer to a body over the limit.
pub(crate) fn too_large(limit: u64) -> Fault {
    let details = RawValue::from_string(format!("{{\"limit_bytes\":{limit}}}"));
    let fault = Fault::new(ErrorCode::PAYLOAD_TOO_LARGE).with_raw_details(details.ok());
    fault.caused_by(format!("body limit: more than {limit} bytes"))
}

/// The answer to a body that is no sequence of messages.
pub(crate) fn malformed() -> Fault {
    Fault::new(ErrorCode::BAD_REQUEST)
        .with_stock_message("The body is not a sequence of messages.")
        .caused_by("body limit: the body is not a sequence of messages")
}

#[cfg(test)]
mod tests;
