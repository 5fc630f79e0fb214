//! Requests in flight, and how they end at a stop.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use error_envelope_core::session::lines;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use tokio::sync::watch;
use tower_error_envelope::{ErrorEnvelopeLayer, RequestId};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The stages of a gateway's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Serving,
    /// No new clients are accepted. Connections without a request in flight end.
    Stopping,
}

/// Waits for the stage `Stopping`.
pub(super) async fn stopping(stage: &mut watch::Receiver<Stage>) {
    let _ = stage.wait_for(|stage| *stage == Stage::Stopping).await;
}

/// The requests of a gateway.
pub(super) struct RequestTracker {
    layer: ErrorEnvelopeLayer,
    requests: AtomicUsize,
    /// Whether responses close their connections.
    pub(super) closing: AtomicBool,
    /// Why the gateway drops the requests in flight.
    pub(super) ended_by: OnceLock<&'static str>,
}

impl RequestTracker {
    /// `layer` logs and counts the requests whose response is lost, and shows them on its pages.
    pub(super) fn new(layer: ErrorEnvelopeLayer) -> Arc<Self> {
        let (requests, closing, ended_by) = Default::default();
        Arc::new(Self { layer, requests, closing, ended_by })
    }

    /// Logs that a response did not reach its client.
    pub(super) fn response_lost(&self, id: &HeaderValue) {
        if let Some(id) = id.to_str().ok().and_then(|id| id.parse::<RequestId>().ok()) {
            self.layer.not_taken(id);
        }
    }

    /// Counts a request until the result is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// The number of requests in flight.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Makes responses close their connections: clients should connect elsewhere from now on.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Notes that the gateway drops the requests in flight from now on, for this reason.
    pub(super) fn end(&self, by: &'static str) {
        let _ = self.ended_by.set(by);
    }
}

pub(super) struct InFlight(pub(super) Arc<RequestTracker>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The request id to log if the response is lost; `None` for a gRPC or Connect call, whose end the layer logs.
pub(super) fn loggable_request_id(head: &HeaderMap) -> Option<HeaderValue> {
    let kind = lines(head, &CONTENT_TYPE).next().map_or(&b""[..], HeaderValue::as_bytes);
    let is_a_call = kind.starts_with(b"application/grpc") || kind.starts_with(b"application/connect");
    lines(head, &REQUEST_ID).next().filter(|_| !is_a_call).cloned()
}
