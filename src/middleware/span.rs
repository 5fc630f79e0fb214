//! The span around the inner call.

pub(super) use error_envelope_runtime::request_span as span;
use tracing::Span;
use tracing::span::Entered;

/// The service's code runs inside the span while this guard is held.
#[inline]
pub(super) fn enter(span: Option<&Span>) -> Option<Entered<'_>> {
    span.map(Span::enter)
}
