//! A request in the form in which the guards and the choice of an id read it.

use http::request::Parts;

use super::sent::HeaderFlags;
use crate::policy::BodyLimitPer;

/// The maximum number of headers of a request. This number is half of what fits into a `HeaderMap`, which panics when
/// it is full (F2). No server accepts so many headers.
pub(in crate::session) const MAX_HEADERS: usize = 12 * 1024;

/// The facts of a body that are known before its first byte is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyFacts {
    /// True if there is no body, or if all of it has been read.
    pub ended: bool,
    /// The minimum number of bytes that follow.
    pub lower: u64,
    /// The maximum number of bytes that follow, if known.
    pub upper: Option<u64>,
}

/// A request: its head, the facts of its headers, and the facts of its body.
#[derive(Clone, Copy)]
pub(in crate::session) struct RequestView<'a> {
    pub(in crate::session) head: &'a Parts,
    pub(in crate::session) sent: &'a HeaderFlags,
    pub(in crate::session) body: BodyFacts,
    /// The unit that the body limit counts, if the content type claims a stream of messages (P1).
    pub(in crate::session) stream_limit_per: Option<BodyLimitPer>,
}

impl RequestView<'_> {
    /// Returns true if the head shows that the body is over the limit (G4). If messages are counted, a declared length
    /// proves nothing, because each message is measured when it arrives (P1).
    #[inline]
    pub(in crate::session) fn is_over(&self, limit: u64) -> bool {
        !self.body.is_empty() && self.declared().is_some_and(|length| length > limit) && !self.counts_messages()
    }

    /// Returns the length that the request declares, in its head or through its body.
    #[inline(always)]
    pub(in crate::session) fn declared(&self) -> Option<u64> {
        let BodyFacts { lower, upper, .. } = self.body;
        let known = if lower > 0 { Some(lower) } else { upper.filter(|upper| *upper == 0) };
        // Next to a transfer coding, a length means nothing (RFC 9112 §6.3).
        self.sent.length.filter(|_| !self.sent.has(HeaderFlags::TRANSFER_CODING)).max(known)
    }

    pub(in crate::session) fn counts_messages(&self) -> bool {
        self.stream_limit_per == Some(BodyLimitPer::Message)
    }
}

impl BodyFacts {
    /// Returns the bytes of a body that was not read, if they are known because there are none.
    pub(in crate::session) fn known_bytes(self) -> Option<&'static [u8]> {
        self.is_empty().then_some(&[])
    }

    /// Returns true if the body is empty.
    #[inline]
    pub(in crate::session) fn is_empty(self) -> bool {
        self.ended || self.upper == Some(0)
    }
}
