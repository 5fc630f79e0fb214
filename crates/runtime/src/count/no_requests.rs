//! Replaces the metrics in a build without the feature `metrics`, which counts no requests.

use std::sync::Arc;

use error_envelope_core::session::{ClosedRecord, Delivery, KnownMethod, SentStatus};

/// Stands in for the metrics of a layer's requests. It stores nothing.
#[derive(Clone, Default)]
pub struct RequestMetrics(());

/// Stands in for the time at which a request began; it stores nothing.
#[derive(Clone, Copy)]
pub struct Started(());

/// Stands in for the timer of a request. It measures nothing.
pub struct RequestTimer;

impl RequestMetrics {
    /// Returns a timer that measures nothing.
    #[must_use]
    #[inline]
    pub fn begin<'r>(
        &self,
        _: Started,
        _: KnownMethod,
        _: impl FnOnce() -> (Option<&'r str>, Option<&'r Arc<str>>),
    ) -> RequestTimer {
        RequestTimer
    }
}

impl Started {
    /// Returns `None`, since nothing is counted.
    #[must_use]
    #[inline]
    pub fn now() -> Option<Self> {
        None
    }
}

impl RequestTimer {
    /// Does nothing, since nothing is timed.
    #[inline]
    pub fn head(&mut self) {}

    /// Does nothing, since nothing is counted.
    #[inline]
    pub fn close(self, _: &ClosedRecord) {}

    /// Does nothing, since nothing is counted.
    #[inline]
    pub(crate) fn count(self, _: &SentStatus, _: &Delivery) {}
}
