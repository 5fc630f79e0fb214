//! One client: its name for the log and the service, and the requests that the gateway ends.
//!
//! The log has the client's address as the field `client_address` of a span. HTTP/1 runs on the connection's task,
//! which the span wraps. Each HTTP/2 stream has its own task, so the span also wraps the stream's future and body. A
//! disabled span costs nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::header::HeaderValue;
use http::{Request, Version};
use tracing::Span;

use super::client_body::ClientBody;
use super::forwarded::{Forwarding, Hop};
use super::in_flight::{InFlight, RequestTracker};

/// A client's request as the layer gets it. Its body wraps hyper's: it ends with an error if the client pauses for too
/// long.
pub(crate) type Inbound = Request<ClientBody>;

/// A connected client.
pub(super) struct Client {
    span: Span,
    pub(super) hop: Hop,
    tracker: Arc<RequestTracker>,
}

impl Client {
    pub(super) fn new(peer: SocketAddr, forwarding: Forwarding, tls: bool, tracker: Arc<RequestTracker>) -> Self {
        // On a socket for both IPv4 and IPv6, an IPv4 address looks like one of IPv6.
        let address: IpAddr = peer.ip().to_canonical();
        let span = tracing::info_span!(target: "tower_error_envelope::client", "client", client_address = %address);
        Self { span, hop: Hop::new(forwarding, address, tls), tracker }
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Begins a request of this client, in this HTTP version.
    pub(super) fn begin(&self, version: Version) -> ClientRequest {
        let has_own_task = version == Version::HTTP_2;
        let span = if has_own_task { self.span() } else { Span::none() };
        ClientRequest { span, has_own_task, going: self.tracker.begin() }
    }
}

/// A client's request, until its response has ended.
pub(super) struct ClientRequest {
    pub(super) span: Span,
    has_own_task: bool,
    going: InFlight,
}

impl ClientRequest {
    /// Whether the response must close the connection. An HTTP/2 connection gets GOAWAY instead, once no new client is
    /// accepted.
    pub(super) fn closes_connection(&self) -> bool {
        self.going.is_closing() && !self.has_own_task
    }

    /// Drops the unfinished parts. If the gateway itself ends them, a log entry names the cause. `lost` is the id of a
    /// response that the client did not get completely: if the client left, that needs no log entry; if the gateway
    /// ended it, it does.
    pub(super) fn end(&self, lost: Option<&HeaderValue>, drop_unfinished: impl FnOnce()) {
        let _client = self.span.enter();
        let ended_by = self.going.why_it_ends();
        let stopped = ended_by.map(|by| tracing::error_span!(target: "tower_error_envelope", "stopped", by));
        let _stopped = stopped.as_ref().map(Span::enter);
        drop_unfinished();
        if let (Some(_), Some(id)) = (ended_by, lost) {
            self.going.0.response_lost(id);
        }
    }
}
