//! Measures the wait for an error's body (L2).

/// The wait for the body of an inner error (R4). Most are available with their heads, and cost no look at a
/// clock.
#[derive(Default)]
pub(super) struct Waits(#[cfg(feature = "metrics")] Option<tokio::time::Instant>);

#[cfg(feature = "metrics")]
impl Waits {
    #[allow(clippy::disallowed_methods, reason = "an adapter measures")]
    pub(super) fn begin(&mut self) {
        self.0 = Some(tokio::time::Instant::now());
    }

    #[inline]
    pub(super) fn ended(self) {
        if let Some(since) = self.0 {
            error_envelope_runtime::record_error_read(since.elapsed());
        }
    }
}

#[cfg(not(feature = "metrics"))]
impl Waits {
    #[allow(clippy::unused_self, reason = "with the feature it has something")]
    pub(super) fn begin(&mut self) {}

    pub(super) fn ended(self) {}
}
