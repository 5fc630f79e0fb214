//! Fresh request ids (rule I1), and the time.

use std::time::{SystemTime, UNIX_EPOCH};

use error_envelope_core::request_id::RequestId;

/// Generates an id with the current time, and 80 bits of the thread's CSPRNG: ChaCha, seeded by the system.
#[inline]
#[must_use]
pub fn new_request_id() -> RequestId {
    let since_epoch = now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = since_epoch.as_secs().saturating_mul(1000) + u64::from(since_epoch.subsec_millis());
    RequestId::from_parts(milliseconds, rand::random())
}

/// The time of the system's clock, for [`ExchangeConfig::new`](error_envelope_core::exchange::ExchangeConfig::new).
#[allow(clippy::disallowed_methods, reason = "an id carries the time it was made, and keys have an end")]
#[inline]
#[must_use]
pub fn now() -> SystemTime {
    SystemTime::now()
}
