//! Without the feature `metrics` no request is counted.

use std::sync::Arc;

use error_envelope_core::exchange::KnownMethod;
use http::StatusCode;

/// Stands in for the metrics of a layer's requests; it stores nothing.
#[derive(Clone, Default)]
pub struct RequestMetrics(());

/// Stands in for the metrics of a route and a method; it stores nothing.
#[derive(Clone)]
pub struct RouteMetrics;

/// The time at which a request began: unused.
#[derive(Clone, Copy)]
pub struct Started(());

/// A request: neither counted nor timed.
pub struct RequestTimer;

impl RequestMetrics {
    /// A request.
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
    /// Counts bytes of the request's body.
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
    /// The numbers of its route and method.
    #[must_use]
    #[inline]
    pub fn metrics(&self) -> RouteMetrics {
        RouteMetrics
    }

    /// Notes that the response's head is sent.
    #[inline]
    pub fn head(&mut self, _: StatusCode) {}

    /// Counts bytes of the response's body.
    #[inline]
    pub fn sent(&self, _: usize) {}
}
