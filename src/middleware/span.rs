//! The span around the inner call.

pub(super) use error_envelope_runtime::request_span as span;
use tracing::Span;
use tracing::span::Entered;

/// Enters the span: the service's code runs inside it while this guard is held.
#[inline]
pub(super) fn enter(span: Option<&Span>) -> Option<Entered<'_>> {
    span.map(Span::enter)
}
