//! The head of a request: its id (I1–I4), and the guards (G0–G4).
//!
//! [`sent`] notes the facts of the headers, [`identity`] chooses the id, and [`guarded`] decides what the body limit counts
//! (P1) and runs the guards. [`facts`] stores what matters later.

mod facts;
mod guarded;
mod identity;
mod sent;

use http::request::Parts;

pub(super) use self::facts::{ColdState, RequestFlags, negotiates};
pub(super) use self::guarded::{
    GuardOutcome, ObservedGuards, check_body, guard, guarded_readings, is_preflight, stream_limit_per,
};
pub(super) use self::identity::{AssignedId, identify, mark, printable, remove_spoofed, trace};
pub(super) use self::sent::HeaderFlags;
use super::BodyFacts;
use crate::policy::BodyLimitPer;

/// The most headers of a request: half of what fits into a `HeaderMap`, which panics when it is full (F2). No server
/// accepts that many.
pub(super) const MAX_HEADERS: usize = 12 * 1024;

/// A request: its head, the facts of its headers, and those of its body.
#[derive(Clone, Copy)]
pub(super) struct RequestView<'a> {
    pub(super) head: &'a Parts,
    pub(super) sent: &'a HeaderFlags,
    pub(super) body: BodyFacts,
    /// What the body limit counts, if the content type claims a stream of messages (P1).
    pub(super) stream_limit_per: Option<BodyLimitPer>,
}

impl RequestView<'_> {
    /// Whether the head shows that the body is over the limit (G4). If messages are counted, a declared length shows
    /// nothing: each message is measured as it comes (P1).
    #[inline]
    pub(super) fn is_over(&self, limit: u64) -> bool {
        !self.body.is_empty() && self.declared().is_some_and(|length| length > limit) && !self.counts_messages()
    }

    /// The length that the request declares, in its head or through its body.
    #[inline(always)]
    fn declared(&self) -> Option<u64> {
        let BodyFacts { lower, upper, .. } = self.body;
        let known = if lower > 0 { Some(lower) } else { upper.filter(|upper| *upper == 0) };
        // Next to a transfer coding, a length means nothing (RFC 9112 §6.3).
        self.sent.length.filter(|_| !self.sent.has(HeaderFlags::TRANSFER_CODING)).max(known)
    }

    fn counts_messages(&self) -> bool {
        self.stream_limit_per == Some(BodyLimitPer::Message)
    }
}
