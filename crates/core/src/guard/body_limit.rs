//! Limits the size of a request's body, whether it is declared or counted (rule G4).
//!
//! If the declared length is over the limit, the head is enough to refuse the request. The [`BodyMeter`] counts the
//! bytes of any other body. The meter stays with the body in the task that reads the body, and reports to the session
//! how the body ended. In an RPC stream, each message is measured separately by the length before it (rules P1–P3).

use std::error::Error;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue};
use http_body_util::LengthLimitError;
use serde_json::value::RawValue;

use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::grpc_messages::{DecodedItem, InvalidBase64, MessageDecoder, MessagePrefix, PREFIX_LEN};
use crate::{cause, fields};

/// Counts the bytes of a request's body, and notes if the body fails.
///
/// The meter gets every chunk before the inner service does, and shares its result with the session. If the body is
/// over the limit, the session answers 413 until the head of the service's response has left, even if the service
/// returns another response (G4). If the client's body is broken or slow, the session does not treat that as a failure
/// of the server (F1).
#[derive(Debug)]
pub struct BodyMeter {
    measured: Measured,
    flags: BodyFlags,
}

#[derive(Debug)]
enum Measured {
    /// The body as a whole, with the number of bytes so far.
    Whole(u64),
    Messages(Messages),
}

/// The way to measure the messages of an RPC stream.
#[derive(Debug)]
pub(crate) struct Messages {
    pub(crate) frames: MessageDecoder,
    /// True if the bytes after an overlong message need not be read. This is so over HTTP/2, because each stream ends
    /// separately, and a client may wait for the response before it ends its stream.
    pub(crate) rest_is_free: bool,
}

/// The action for a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum MeterAction {
    /// The adapter passes the chunk on.
    Within,
    /// The body is over its limit. The adapter passes no more chunks on. The adapter reads and drops the rest of the
    /// body within this budget, and then fails the body (G5).
    Over(DrainBudget),
}

/// The limits for reading and dropping the rest of a request, which lets the client receive the response (G5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainBudget {
    /// The maximum number of bytes.
    pub max_bytes: u64,
    /// The time limit.
    pub timeout: Duration,
    /// True if the body of the response is sent first. The rest of the request is read after that body, and then the
    /// response ends.
    pub body_first: bool,
}

impl BodyMeter {
    #[inline]
    pub(crate) fn new(flags: BodyFlags) -> Self {
        Self { measured: Measured::Whole(0), flags }
    }

    /// Measures each message separately.
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
            flags.note_observed(watched, *seen);
        }
        if limit.is_some_and(|limit| *seen > limit) {
            flags.set_flag(BodyFlags::OVER);
            MeterAction::Over(flags.0.drain)
        } else {
            MeterAction::Within
        }
    }

    /// Notes that the body failed, because it arrived too slowly, was cut off, or had invalid framing.
    ///
    /// An error that is an outer layer's limit or a typed fault is not noted as the client's, because the client's
    /// connection did not cause it.
    pub fn body_failed(&mut self, error: &(dyn Error + 'static)) {
        if cause::find::<LengthLimitError>(error).is_some() {
            return self.flags.set_flag(BodyFlags::CUT_OUTSIDE);
        }
        if cause::find::<Fault>(error).is_some() {
            return;
        }
        let slow = cause::has_io_kind(error, |kind| kind == io::ErrorKind::TimedOut);
        let left = if client_left(error) { BodyFlags::LEFT } else { 0 };
        if let (false, Some(broken_by)) = (slow, &self.flags.0.broken_by)
            && let Some(innermost) = cause::chain(error).last()
        {
            broken_by.get_or_init(|| innermost.to_string());
        }
        self.flags.set_flag(if slow { BodyFlags::SLOW } else { BodyFlags::BROKEN | left });
    }

    /// Returns true if a decision depends on the data of the body. If so, an adapter that does not already get all data
    /// must request the data. `declared` is true if the head contains the length of the body, so that the guards have
    /// checked it.
    #[must_use]
    pub fn needs_data(&self, declared: bool) -> bool {
        let shared = &self.flags.0;
        let counts = shared.limit.is_some() || shared.watched.is_some();
        let by_head = declared && matches!(self.measured, Measured::Whole(_));
        shared.seen.is_some() || counts && !by_head
    }

    /// Returns true if the body is a stream of messages over HTTP/2. The rest of a stream over HTTP/2 need not be read.
    pub fn rest_is_free(&self) -> bool {
        matches!(&self.measured, Measured::Messages(messages) if messages.rest_is_free)
    }

    /// Notes that the body has ended, whether it was forwarded or drained. No more data comes.
    pub fn body_ended(&mut self) {
        self.flags.set_flag(BodyFlags::ENDED);
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
            Err(InvalidBase64) => {
                flags.note_message(BodyFlags::NOTED_MALFORMED);
                if limit.is_none() {
                    return MeterAction::Within;
                }
                flags.set_flag(BodyFlags::MALFORMED);
            }
        }
        MeterAction::Over(self.drain(flags.0.drain))
    }

    /// Returns the budget for reading a body that is cut off.
    fn drain(&self, whole: DrainBudget) -> DrainBudget {
        match self.frames.left() {
            _ if !self.rest_is_free => whole,
            0 => DrainBudget { max_bytes: 0, timeout: Duration::ZERO, ..whole },
            // The byte after the limit is enough to decide, so the budget ends before it, and nothing waits for more
            // bytes.
            left => DrainBudget { max_bytes: whole.max_bytes.min(left - 1), ..whole },
        }
    }
}

/// The facts about how a request's body ended, which the meter and the session share.
#[derive(Clone, Debug)]
pub(crate) struct BodyFlags(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    raised: AtomicU16,
    limit: Option<u64>,
    drain: DrainBudget,
    watched: Option<ObservedLimit>,
    /// The text of the error with which the body broke off. Only a proxy keeps it, because the error of another adapter
    /// may be user code.
    broken_by: Option<OnceLock<String>>,
    /// The beginning of the body, for errors that repeat a part of it (R10).
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

/// The facts to note about a body that a route in mode `observe` lets pass (M1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ObservedLimit {
    /// The limit of a route in mode `observe`. If the body is longer, that must be noted.
    pub(crate) limit: Option<u64>,
    /// True if it must be noted that the first byte of the body has come.
    pub(crate) first_byte: bool,
}

/// Returns true if an error of a request's body means that the client left (F1a). The connection or the stream then
/// ended or was reset before the end of the body. Invalid framing is a different error.
pub fn client_left(error: &(dyn Error + 'static)) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};

    cause::has_io_kind(error, |kind| matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof))
        || cause::chain(error).skip(1).any(was_ended_by_peer)
}

/// Returns true if this is h2's error for a stream or a connection that its peer has ended. The error is recognised by
/// its text. This crate does not need h2 for anything else, and h2 does not show the error of the connection as a
/// source.
fn was_ended_by_peer(error: &(dyn Error + 'static)) -> bool {
    const BY_PEER: [&str; 4] = [
        "stream error received: ",
        "connection error received: ",
        "stream closed because of a broken pipe",
        "Connection reset by peer",
    ];
    let text = error.to_string();
    BY_PEER.iter().any(|begin| text.starts_with(begin))
}

impl BodyFlags {
    pub(crate) const OVER: u16 = 1;
    pub(crate) const BROKEN: u16 = 2;
    pub(crate) const SLOW: u16 = 4;
    pub(crate) const ENDED: u16 = 8;
    /// Set if the body is over the limit of a route in mode `observe`, so that it passed.
    pub(crate) const NOTED: u16 = 16;
    /// Set if the first byte of the body has come.
    pub(crate) const BEGUN: u16 = 32;
    /// Set if the body is not a sequence of RPC messages, although its media type claims that.
    pub(crate) const MALFORMED: u16 = 64;
    /// Set if the client left before it had sent the body (F1a).
    pub(crate) const LEFT: u16 = 128;
    /// Set if a layer around this one cut the body off.
    pub(crate) const CUT_OUTSIDE: u16 = 256;
    /// Set if the body is not a sequence of RPC messages, and a route in mode `observe` let it pass.
    pub(crate) const NOTED_MALFORMED: u16 = 512;

    /// Creates the flags of a body that has not begun. `keeps` is true if the beginning of the body must be stored.
    /// `is_proxy` is true if no user code reads the body.
    pub(crate) fn new(
        limit: Option<u64>,
        drain: DrainBudget,
        watched: ObservedLimit,
        (keeps, is_proxy): (bool, bool),
    ) -> Self {
        let watched = Some(watched).filter(|watched| *watched != ObservedLimit::default());
        let seen = keeps.then(Mutex::default);
        let broken_by = is_proxy.then(OnceLock::new);
        Self(Arc::new(Shared { raised: AtomicU16::new(0), limit, drain, watched, broken_by, seen }))
    }

    /// Returns the limit at which the body is cut off.
    pub(crate) fn limit(&self) -> Option<u64> {
        self.0.limit
    }

    /// Calls `read` with the stored part of the body. The second argument of `read` is true if the stored part is the
    /// whole body.
    pub(crate) fn read_seen<T>(&self, read: impl FnOnce(&[u8], bool) -> T) -> Option<T> {
        let seen = self.0.seen.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(read(&seen.bytes, self.has(Self::ENDED) && !seen.is_cut))
    }

    /// Returns the limit of a route in mode `observe` that the body has exceeded.
    pub(crate) fn exceeded_observed_limit(&self) -> Option<u64> {
        if self.has(Self::NOTED) { self.0.watched?.limit } else { None }
    }

    /// Notes what a limit of a route in mode `observe` would have refused first.
    fn note_message(&self, flag: u16) {
        if self.0.watched.is_some_and(|watched| watched.limit.is_some())
            && !self.has(Self::NOTED | Self::NOTED_MALFORMED)
        {
            self.set_flag(flag);
        }
    }

    /// Returns the cause of a failure that only follows from the request's body: the body was cut off (G4), came too
    /// slowly, broke off, or was badly framed (F1).
    pub(crate) fn cause(&self) -> Option<String> {
        Some(match () {
            () if self.has(Self::OVER) => over(self.limit()?),
            () if self.has(Self::MALFORMED) => NO_MESSAGES.into(),
            () if self.has(Self::SLOW) => "the client paused too long within its request body".into(),
            () if self.has(Self::BROKEN) => {
                let by = self
                    .0
                    .broken_by
                    .as_ref()
                    .and_then(OnceLock::get)
                    .map(|text| format!(": {text}"))
                    .unwrap_or_default();
                format!("the client's request body broke off or was badly framed{by}")
            }
            () => return None,
        })
    }

    fn note_observed(&self, watched: &ObservedLimit, seen: u64) {
        if watched.limit.is_some_and(|limit| seen > limit) {
            self.set_flag(Self::NOTED);
        }
        if seen > 0 {
            self.note_begun();
        }
    }

    fn note_begun(&self) {
        if self.0.watched.is_some_and(|watched| watched.first_byte) {
            self.set_flag(Self::BEGUN);
        }
    }

    /// Checks a message of this length when it begins.
    fn message(&self, prefix: MessagePrefix, limit: Option<u64>) -> ControlFlow<()> {
        let length = u64::from(prefix.length);
        // If the flags are not those of a message, the bytes are text, and the length means nothing.
        let is_message = prefix.is_of_a_message();
        if self.0.watched.and_then(|watched| watched.limit).is_some_and(|limit| length > limit) {
            self.note_message(if is_message { Self::NOTED } else { Self::NOTED_MALFORMED });
        }
        if limit.is_none_or(|limit| length <= limit) {
            return ControlFlow::Continue(());
        }
        self.set_flag(if is_message { Self::OVER } else { Self::MALFORMED });
        ControlFlow::Break(())
    }

    pub(crate) fn has(&self, flag: u16) -> bool {
        self.0.raised.load(Ordering::Acquire) & flag != 0
    }

    fn set_flag(&self, flag: u16) {
        self.0.raised.fetch_or(flag, Ordering::AcqRel);
    }
}

/// Returns the length that the head declares, in bytes. Returns `None` if the head declares no length that can be
/// trusted.
pub(crate) fn declared(headers: &HeaderMap) -> Option<u64> {
    length(fields::single_value(headers, &CONTENT_LENGTH)?)
}

/// Returns the length that one `content-length` line declares. A number that is too large for a u64 is still a length,
/// and is over any limit.
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

/// Returns the fault for a body that is over the limit.
pub(crate) fn too_large(limit: u64) -> Fault {
    let details = RawValue::from_string(format!("{{\"limit_bytes\":{limit}}}"));
    let fault = Fault::new(ErrorCode::PAYLOAD_TOO_LARGE).with_raw_details(details.ok());
    fault.with_source(over(limit))
}

/// Returns true if details contain only the limit.
pub(crate) fn is_limit_alone(details: &str) -> bool {
    details
        .strip_prefix("{\"limit_bytes\":")
        .and_then(|rest| rest.strip_suffix('}'))
        .is_some_and(|limit| limit.parse::<u64>().is_ok())
}

/// Returns the fault for a body that is not a sequence of messages.
pub(crate) fn malformed() -> Fault {
    Fault::new(ErrorCode::BAD_REQUEST)
        .with_stock_message("The body is not a sequence of messages.")
        .with_source(NO_MESSAGES)
}

const NO_MESSAGES: &str = "body limit: the body is not a sequence of messages";

fn over(limit: u64) -> String {
    format!("body limit: more than {limit} bytes")
}

#[cfg(test)]
mod tests;
