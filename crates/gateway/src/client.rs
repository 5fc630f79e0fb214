//! One client's connection: the client's address for the log and the service, and the client's requests.
//!
//! The log shows the client's address as the field `client_address` of a span. HTTP/1 runs on the connection's task,
//! which the span wraps. Each HTTP/2 stream has its own task, so the span also wraps the stream's future and body. A
//! disabled span costs nothing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use error_envelope_core::session::client_left;
use http::header::EXPECT;
use http::request::Parts;
use http::{Method, Request, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::Sleep;
use tower::BoxError;
use tracing::Span;

use super::access::{AccessRecord, Exchanged};
use super::config::ClientLimits;
use super::connection_state::{ActiveBody, ConnectionState};
use super::forwarded::{Forwarding, Hop};
use super::in_flight::{InFlight, RequestTracker};
use super::reset;
use super::unread_body::UnreadBody;

/// A client's request as the layer gets it. Its body wraps hyper's, and ends with an error if the client pauses for too
/// long.
pub(crate) type Inbound = Request<ClientBody>;

/// A connected client.
pub(super) struct Client {
    span: Span,
    pub(super) hop: Hop,
    pub(super) tracker: Arc<RequestTracker>,
}

impl Client {
    pub(super) fn new(peer: SocketAddr, forwarding: Forwarding, tls: bool, tracker: Arc<RequestTracker>) -> Self {
        // On a socket for both IPv4 and IPv6, an IPv4 address has the form of an IPv6 address.
        let address: IpAddr = peer.ip().to_canonical();
        let span = tracing::info_span!(target: "tower_error_envelope::client", "client", client_address = %address);
        Self { span, hop: Hop::new(forwarding, address, tls), tracker }
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Begins a request of this client, with this method and in this HTTP version.
    pub(super) fn begin(&self, method: &Method, version: Version) -> ClientRequest {
        let has_own_task = version == Version::HTTP_2;
        let span = if has_own_task { self.span() } else { Span::none() };
        ClientRequest { span, has_own_task, is_head: method == Method::HEAD, going: self.tracker.begin() }
    }
}

/// A client's request, until its response has ended.
pub(super) struct ClientRequest {
    pub(super) span: Span,
    has_own_task: bool,
    pub(super) is_head: bool,
    going: InFlight,
}

impl ClientRequest {
    /// Returns true if the response must close the connection. An HTTP/2 connection gets GOAWAY instead, once the
    /// gateway accepts no new clients.
    pub(super) fn closes_connection(&self) -> bool {
        self.going.0.closing.load(Ordering::Relaxed) && !self.has_own_task
    }

    /// Drops the unfinished parts of a request. If the gateway itself ends the request, log lines during the drop
    /// contain the reason.
    pub(super) fn end(&self, drop_unfinished: impl FnOnce()) {
        let _client = self.span.enter();
        let ended_by = self.going.0.ended_by.get();
        let stopped = ended_by.map(|by| tracing::error_span!(target: "tower_error_envelope", "stopped", by));
        let _stopped = stopped.as_ref().map(Span::enter);
        drop_unfinished();
    }
}

/// The body of a client's request, with a time limit for its pauses.
///
/// tower-http's `TimeoutBody` is not suitable. It checks its clock before it checks for data, so it would blame the
/// client if the service reads late. It also hides the body's length.
///
/// If a client pauses too long within its body, the body fails with an error, which the layer turns into 408.
///
/// Over HTTP/2, the rest of a dropped body is read (`unread_body`). Over HTTP/1, the rest remains in the socket, which
/// `linger` closes.
pub struct ClientBody {
    /// The rest of the body. It is `None` only while this value is being dropped.
    body: Option<Incoming>,
    /// Counts this body as unfinished on its connection. It is set only for HTTP/1.
    active: Option<ActiveBody>,
    /// True if the rest of the body is read when this value is dropped. It is true only over HTTP/2.
    lingers: bool,
    linger_timeout: Duration,
    linger_bytes: u64,
    body_timeout: Duration,
    /// The timer of the client's current pause. It is created only when the client pauses.
    clock: Option<Pin<Box<Sleep>>>,
    /// The request's record, which is [held](Exchanged::hold) until this body is dropped or the response has ended.
    record: Weak<Exchanged>,
}

impl ClientBody {
    pub(crate) fn new(
        body: Incoming,
        head: &Parts,
        limits: &ClientLimits,
        state: &Arc<ConnectionState>,
        record: &AccessRecord,
    ) -> Self {
        let lingers = head.version == Version::HTTP_2;
        // Without a body, there is nothing to record.
        let record = if body.is_end_stream() { Weak::new() } else { record.hold() };
        let begun = !lingers && !body.is_end_stream();
        let active = begun.then(|| state.begin_body(head.headers.contains_key(EXPECT)));
        let ClientLimits { linger_timeout, linger_bytes, body_timeout, .. } = *limits;
        Self { body: Some(body), active, lingers, linger_timeout, linger_bytes, body_timeout, clock: None, record }
    }

    fn poll_unlimited(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            None if self.lingers && reset::is_cut_off(body) => Some(Err(reset::cut_off_error("client"))),
            frame => frame.map(|frame| frame.map_err(reset::client_body_error)),
        };
        if let Some(active) = &self.active
            && (frame.is_none() || body.is_end_stream())
        {
            active.was_read();
        }
        // After the end or an error, nothing of the body is left to read.
        self.lingers &= matches!(frame, Some(Ok(_)));
        Poll::Ready(frame)
    }

    /// Drops the rest of the body.
    fn leave(&mut self) {
        let Some(rest) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        if let Some(active) = &self.active {
            active.leave(rest);
        } else if let (true, Ok(runtime)) = (self.lingers, Handle::try_current()) {
            let (rest, draining) = UnreadBody::new(rest);
            if let Some(record) = self.record.upgrade() {
                record.left_unread(Arc::clone(&rest));
            }
            // hyper drops a request whose stream was reset, often before the body's error is read.
            if let Some(error) = rest.read_arrived() {
                self.record(Some(&Err(error)));
            }
            let (limit, most) = (self.linger_timeout, self.linger_bytes);
            runtime.spawn(async move { tokio::time::timeout(limit, draining.drain(most)).await });
        }
    }

    fn record(&self, frame: Option<&Result<Frame<Bytes>, BoxError>>) {
        let (Some(frame), Some(record)) = (frame, self.record.upgrade()) else { return };
        match frame {
            Ok(frame) => record.received(frame.data_ref().map_or(0, Bytes::len) as u64),
            Err(error) if reset::is_malformed(&**error) => record.broke_off(true),
            Err(error) if client_left(&**error) => record.broke_off(false),
            Err(_) => {}
        }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = this.poll_unlimited(cx) {
            this.clock = None;
            this.record(frame.as_ref());
            return Poll::Ready(frame);
        }
        ready!(this.clock.get_or_insert_with(|| Box::pin(tokio::time::sleep(this.body_timeout))).as_mut().poll(cx));
        this.clock = None;
        let slow = io::Error::new(io::ErrorKind::TimedOut, "the client paused too long within its request body");
        Poll::Ready(Some(Err(slow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        self.leave();
        if let Some(record) = self.record.upgrade() {
            record.release();
        }
    }
}
