//! Fresh request ids (rule I1), and the time.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::request_id::RequestId;

/// An id of now, with 80 bits of the thread's CSPRNG: ChaCha, seeded by the system, drawn in blocks.
#[inline]
pub(super) fn fresh() -> RequestId {
    let since_epoch = now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = since_epoch.as_secs().saturating_mul(1000) + u64::from(since_epoch.subsec_millis());
    RequestId::from_parts(milliseconds, rand::random())
}

#[allow(clippy::disallowed_methods, reason = "an id carries the time it was made, and keys have an end")]
#[inline]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}
