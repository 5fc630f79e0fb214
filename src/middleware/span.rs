//! The span around the inner call.

use error_envelope_core::request_id::RequestId;
use tracing::span::Entered;
use tracing::{Level, Span};

/// The span around the inner call: the service's log lines carry the id. Without a subscriber there is no span: even a
/// disabled span has a cost.
#[inline]
pub(super) fn span(id: RequestId) -> Option<Span> {
    let wanted = tracing::span_enabled!(target: "tower_error_envelope::request", Level::INFO, "request");
    wanted.then(|| tracing::info_span!(target: "tower_error_envelope::request", "request", request_id = %id))
}

/// The service's code runs inside the span while this guard is held.
#[inline]
pub(super) fn enter(span: Option<&Span>) -> Option<Entered<'_>> {
    span.map(Span::enter)
}
