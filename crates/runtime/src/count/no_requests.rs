//! Replaces the types for counting requests in a build without the feature `metrics`.

use std::sync::Arc;

use error_envelope_core::session::{ClosedRecord, Delivery, KnownMethod, SentStatus};

/// The metrics of a layer's requests. Without the feature `metrics`, this type stores nothing.
#[derive(Clone, Default)]
pub struct RequestMetrics(());

/// The time at which a request began. Without the feature `metrics`, this type stores nothing.
#[derive(Clone, Copy)]
pub struct Started(());

/// The timer of a request. Without the feature `metrics`, it measures nothing.
pub struct RequestTimer;

impl RequestMetrics {
    /// Returns a timer that measures nothing.
    #[must_use]
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
    /// Returns `None`, because requests are not counted.
    #[must_use]
    pub fn now() -> Option<Self> {
        None
    }
}

impl RequestTimer {
    /// Does nothing, because requests are not timed.
    pub fn head(&mut self) {}

    /// Does nothing, since nothing is counted.
    pub fn close(self, _: &ClosedRecord) {}

    /// Does nothing, since nothing is counted.
    pub(crate) fn count(self, _: &SentStatus, _: &Delivery) {}
}
