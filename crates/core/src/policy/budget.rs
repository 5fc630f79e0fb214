//! Limits for reading while a client waits for its response, in bytes and in time.

use std::time::Duration;

/// How much may be read, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) max_bytes: u64,
    pub(crate) timeout: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Inspect(pub(crate) Budget);

impl Default for Inspect {
    fn default() -> Self {
        // A longer error body is no error message, and a slower one costs the client more than it is worth.
        Self(Budget { max_bytes: 64 * 1024, timeout: Duration::from_secs(1) })
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain(pub(crate) Budget);

impl Default for Drain {
    fn default() -> Self {
        // Blocking clients read their 413 after an upload of this size, and few need longer for it.
        Self(Budget { max_bytes: 16 * 1024 * 1024, timeout: Duration::from_secs(2) })
    }
}
