//! The body's size: declared, and counted as it comes (rule G4).
//!
//! A declared length over the limit is refused from the head. An undeclared one is counted by the [`Meter`], which
//! travels with the body into whatever task reads it, and tells the exchange what became of the body.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body_util::LengthLimitError;
use serde_json::value::RawValue;

use crate::cause;
use crate::code::ErrorCode;
use crate::fault::Fault;

/// Counts a request body, and remembers what went wrong with it.
///
/// It is given every chunk before the inner service sees it. What it finds is shared with the exchange, which answers
/// 413 for a body over the limit whatever the inner service then says (G4), and tells a client's broken or slow body
/// from a server's fault (F1).
#[derive(Debug)]
pub struct Meter {
    limit: Option<u64>,
    seen: u64,
    flags: Flags,
}

/// What the meter says of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Metered {
    /// Hand it on.
    Within,
    /// The body is over its limit: hand nothing more on, read and drop what is left within this budget, then fail (G5).
    Over(Linger),
}

/// How much of what is left of a request is read and dropped, so that the client can read its answer (G5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linger {
    /// At most so many bytes.
    pub max_bytes: u64,
    /// At most so long.
    pub timeout: Duration,
    /// The answer's body goes before what is left is read, its end after.
    pub body_first: bool,
}

impl Meter {
    pub(crate) fn new(limit: Option<u64>, flags: Flags) -> Self {
        Self { limit, seen: 0, flags }
    }

    /// Counts a chunk. Exactly the limit passes.
    pub fn request_data(&mut self, data: &[u8]) -> Metered {
        self.seen = self.seen.saturating_add(data.len() as u64);
        if self.limit.is_some_and(|limit| self.seen > limit) {
            self.flags.raise(Flags::OVER);
            Metered::Over(self.flags.0.linger)
        } else {
            Metered::Within
        }
    }

    /// The body failed: it came too slowly, or broke off, or was badly framed.
    ///
    /// An outer layer's own limit or typed fault is no fault of the client's connection, and stays what it is.
    pub fn request_failed(&mut self, error: &(dyn Error + 'static)) {
        if cause::find::<LengthLimitError>(error).is_some() || cause::find::<Fault>(error).is_some() {
            return;
        }
        let slow = cause::has_io_kind(error, |kind| kind == io::ErrorKind::TimedOut);
        self.flags.raise(if slow { Flags::SLOW } else { Flags::BROKEN });
    }

    /// The body was read to its end, as it came or by draining: nothing of it is on the way.
    pub fn request_ended(&mut self) {
        self.flags.raise(Flags::ENDED);
    }
}

/// What became of a request body, shared by the meter and the exchange.
#[derive(Clone, Debug)]
pub(crate) struct Flags(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    raised: AtomicU8,
    linger: Linger,
}

impl Flags {
    pub(crate) const OVER: u8 = 1;
    pub(crate) const BROKEN: u8 = 2;
    pub(crate) const SLOW: u8 = 4;
    pub(crate) const ENDED: u8 = 8;

    pub(crate) fn new(linger: Linger) -> Self {
        Self(Arc::new(Shared { raised: AtomicU8::new(0), linger }))
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.0.raised.load(Ordering::Acquire) & flag != 0
    }

    fn raise(&self, flag: u8) {
        self.0.raised.fetch_or(flag, Ordering::AcqRel);
    }
}

/// The length that the head declares, in bytes; `None` where there is none, or it cannot be believed.
pub(crate) fn declared(headers: &HeaderMap) -> Option<u64> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let (first, None) = (values.next()?, values.next()) else { return None };
    let digits = first.as_bytes();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // More digits than a u64 has is a length all the same, and over any limit.
    Some(first.to_str().ok()?.parse().unwrap_or(u64::MAX))
}

/// The answer to a body over the limit.
pub(crate) fn too_large(limit: u64) -> Fault {
    let details = RawValue::from_string(format!("{{\"limit_bytes\":{limit}}}"));
    Fault::new(ErrorCode::PAYLOAD_TOO_LARGE).with_raw_details(details.ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags() -> Flags {
        Flags::new(Linger { max_bytes: 1, timeout: Duration::from_secs(1), body_first: false })
    }

    #[test]
    fn g4_exactly_the_limit_passes() {
        let flags = flags();
        let mut meter = Meter::new(Some(4), flags.clone());
        assert_eq!(meter.request_data(b"abcd"), Metered::Within);
        assert!(!flags.has(Flags::OVER));
        assert!(matches!(meter.request_data(b"e"), Metered::Over(_)));
        assert!(flags.has(Flags::OVER));
    }

    #[test]
    fn f1_slow_broken_and_somebody_elses_limit_are_told_apart() {
        let raised = |error: &(dyn Error + 'static)| {
            let flags = flags();
            Meter::new(None, flags.clone()).request_failed(error);
            (flags.has(Flags::SLOW), flags.has(Flags::BROKEN))
        };
        assert_eq!(raised(&io::Error::from(io::ErrorKind::TimedOut)), (true, false));
        assert_eq!(raised(&io::Error::from(io::ErrorKind::UnexpectedEof)), (false, true));
        assert_eq!(raised(&io::Error::other(Fault::new(ErrorCode::GONE))), (false, false));
    }

    #[test]
    fn g4_a_length_is_one_number() {
        let declared = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_LENGTH, value.parse().unwrap());
            }
            declared(&headers)
        };
        assert_eq!(declared(&["12"]), Some(12));
        assert_eq!(declared(&["99999999999999999999999"]), Some(u64::MAX));
        for bad in [&[][..], &["1", "1"], &["+1"], &["-1"], &["1 "], &["x"], &[""]] {
            assert_eq!(declared(bad), None, "{bad:?}");
        }
    }
}
