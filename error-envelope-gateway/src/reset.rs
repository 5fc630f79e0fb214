//! Whether a connection ends with a reset.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::Version;

/// Whether a connection's last body broke off in a way that only a reset tells.
#[derive(Default)]
pub(crate) struct ResetOnBreak {
    old_client: AtomicBool,
    broken: AtomicBool,
}

impl ResetOnBreak {
    pub(crate) fn saw_request(&self, version: Version) {
        self.old_client.store(version < Version::HTTP_11, Relaxed);
    }

    /// A body broke off: a client of HTTP/1.0 would take it for whole.
    pub(crate) fn body_broke_off(&self) {
        if self.old_client.load(Relaxed) {
            self.reset();
        }
    }

    /// The connection ends with a reset, whatever comes of its bodies.
    pub(crate) fn reset(&self) {
        self.broken.store(true, Relaxed);
    }

    pub(crate) fn needs_reset(&self) -> bool {
        self.broken.load(Relaxed)
    }
}
