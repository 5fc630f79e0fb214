//! Limits, in bytes and in time, for what is read while a client waits for its response.

use std::time::Duration;

/// How much may be read, and how long that may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) max_bytes: u64,
    pub(crate) timeout: Duration,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Inspect(pub(crate) Budget);

impl Default for Inspect {
    fn default() -> Self {
        // A longer body is not an error message, and waiting longer would cost the client more than the message is
        // worth.
        Self(Budget { max_bytes: 64 * 1024, timeout: Duration::from_secs(1) })
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Drain(pub(crate) Budget);

impl Default for Drain {
    fn default() -> Self {
        // Clients that write their whole request first can upload this much before they read the 413, and few need
        // longer.
        Self(Budget { max_bytes: 16 * 1024 * 1024, timeout: Duration::from_secs(2) })
    }
}
