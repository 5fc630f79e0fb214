//! Replaces the metrics in a build without the feature `metrics`. Nothing is counted.

use std::sync::Arc;
use std::time::Duration;

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

pub(crate) fn record_error(_: &ClosedRecord) {}

/// Does nothing, since nothing is counted.
pub fn record_error_read(_: Duration) {}

pub(crate) fn record_policy(_: Option<&str>) {}

#[cfg(feature = "policy-file")]
pub(crate) fn record_reload(_: &'static str) {}

#[cfg(feature = "jwks-url")]
pub(crate) fn record_key_set_fetch(_: &'static str) {}

pub(crate) fn record_switch(_: &'static str) {}

pub(crate) fn record_switch_state(_: bool) {}
