//! A request's span, which a program's tracer writes (rule I4).

use std::sync::{Arc, OnceLock};

use error_envelope_core::request_id::is_traceparent;
use http::HeaderMap;
use http::header::HeaderValue;

use super::entry::AccessEntry;

const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";

/// Makes a span for each request.
pub trait Tracer: Send + Sync + 'static {
    /// Starts the span of a request: just before the service gets it, or at its end if no service does. `parent` has the
    /// client's `traceparent` and `tracestate`, if the former is valid; without it the span begins a trace, whose id is
    /// the 16 bytes of the request id.
    fn start(&self, request: &AccessEntry, parent: Option<&HeaderMap>) -> Box<dyn RequestSpan>;
}

/// The span of a request.
pub trait RequestSpan: Send + Sync {
    /// The `traceparent` that the service gets.
    fn traceparent(&self) -> Option<HeaderValue>;

    /// Ends the span of a request that has ended.
    fn end(&mut self, request: &AccessEntry);
}

/// The span of a request, and what it needs to start.
pub(super) struct Trace {
    tracer: Arc<dyn Tracer>,
    parent: Option<HeaderMap>,
    span: OnceLock<Box<dyn RequestSpan>>,
}

impl Trace {
    pub(super) fn new(tracer: Arc<dyn Tracer>, headers: &HeaderMap) -> Self {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let parent = parents.next().filter(|it| parents.next().is_none() && is_traceparent(it.as_bytes()));
        let parent = parent.map(|parent| {
            let state = headers.get_all(TRACESTATE).iter().map(|state| (TRACESTATE, state));
            let lines = state.chain([(TRACEPARENT, parent)]);
            lines.map(|(name, value)| (http::HeaderName::from_static(name), value.clone())).collect()
        });
        Self { tracer, parent, span: OnceLock::new() }
    }

    /// Starts the span, and gives the service its `traceparent`. The state of a trace that does not continue is removed.
    pub(super) fn forward(&self, request: &AccessEntry, headers: &mut HeaderMap) {
        let span = self.span.get_or_init(|| self.tracer.start(request, self.parent.as_ref()));
        let Some(traceparent) = span.traceparent() else { return };
        headers.insert(TRACEPARENT, traceparent);
        if self.parent.is_none() {
            headers.remove(TRACESTATE);
        }
    }

    pub(super) fn end(self, request: &AccessEntry) {
        let Self { tracer, parent, span } = self;
        span.into_inner().unwrap_or_else(|| tracer.start(request, parent.as_ref())).end(request);
    }
}
