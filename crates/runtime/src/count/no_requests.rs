//! Without the feature `metrics` no request is counted.

use std::sync::Arc;

use error_envelope_core::session::KnownMethod;
use http::StatusCode;

/// Stands in for the metrics of a layer's requests; it stores nothing.
#[derive(Clone, Default)]
pub struct RequestMetrics(());

/// Stands in for the metrics of a route and a method; it stores nothing.
#[derive(Clone)]
pub struct RouteMetrics;

/// Stands in for the time at which a request began; it stores nothing.
#[derive(Clone, Copy)]
pub struct Started(());

/// Stands in for the timer of a request; it measures nothing.
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

impl RouteMetrics {
    /// Does nothing, since nothing is counted.
    #[inline]
    pub fn received(&self, _: usize) {}
}

impl Started {
    /// Always `None`, since nothing is counted.
    #[must_use]
    #[inline]
    pub fn now() -> Option<Self> {
        None
    }
}

impl RequestTimer {
    /// The metrics of the request's route and method, which store nothing.
    #[must_use]
    #[inline]
    pub fn metrics(&self) -> RouteMetrics {
        RouteMetrics
    }

    /// Does nothing, since nothing is timed.
    #[inline]
    pub fn head(&mut self, _: StatusCode) {}

    /// Does nothing, since nothing is counted.
    #[inline]
    pub fn sent(&self, _: usize) {}
}
