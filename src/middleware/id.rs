//! Fresh request ids (rule I1), and the time.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::request_id::RequestId;

/// An id of now, with 80 bits of the thread's CSPRNG: ChaCha, seeded by the system, drawn in blocks.
pub(super) fn fresh() -> RequestId {
    let since_epoch = now().duration_since(UNIX_EPOCH).unwrap_or_default();
    RequestId::from_parts(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX), rand::random())
}

#[allow(clippy::disallowed_methods, reason = "an id carries the time it was made, and keys have an end")]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}
