//! The body of a service's response, which gives the connection back to the pool at its end.
//!
//! The body returns its last frame only after the connection is back in its pool. hyper's connection task becomes ready
//! for the next request only a moment after the last byte. Without this wait, the pool would open a second connection
//! for a client that sends again at once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use error_envelope_core::session::{ProxyError, ProxyFailure};
use http::{Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};
use tower::BoxError;

use super::bound::BoundConnections;
use super::shared::Pool;
use super::state::Connection;
use crate::count::GaugeGuard;
use crate::pace::Permit;
use crate::reset;

/// A connection that is in use by a request.
pub(super) struct Lease<C: Connection> {
    /// The connection, or `None` once it is given back.
    pub(super) connection: Option<C>,
    pub(super) is_used: bool,
    pool: Pool<C>,
    /// The connections of the client for which this connection is reserved, if it is bound to a client.
    pub(super) bound: Option<Arc<BoundConnections>>,
    _counted: GaugeGuard,
}

impl<C: Connection> Lease<C> {
    pub(super) fn new(connection: C, is_used: bool, pool: Pool<C>) -> Self {
        let counted = pool.0.metrics.request(is_used);
        Self { connection: Some(connection), is_used, pool, bound: None, _counted: counted }
    }
}

/// A connection that can be given back at the end of a response, for any version of HTTP.
pub(super) trait GiveBack: Send {
    /// Gives the connection back once the next request can be sent over it. Drops the connection if it cannot be
    /// reused.
    fn poll_give_back(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

impl<C: Connection> GiveBack for Lease<C> {
    fn poll_give_back(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(()) };
        let is_reusable = ready!(connection.poll_reusable(cx));
        if let (Some(connection), true) = (self.connection.take(), is_reusable) {
            match self.bound.take() {
                Some(bound) => bound.put(&self.pool, connection),
                None => self.pool.give_back(connection),
            }
        }
        Poll::Ready(())
    }
}

/// Handles a request that is given up. A shared connection is kept for other requests. Any other connection is closed.
impl<C: Connection> Drop for Lease<C> {
    fn drop(&mut self) {
        if let (Some(connection), true) = (self.connection.take(), C::IS_SHARED) {
            self.pool.give_back(connection);
        }
    }
}

/// Returns true if a response has no body by its request's method or by its status (RFC 9110 §6.4.1). hyper's server does
/// not poll the body of such a response.
pub(crate) fn is_bodiless(is_head: bool, status: StatusCode) -> bool {
    is_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The body of a service's response.
pub struct UpstreamBody {
    body: Incoming,
    /// True if the response has no body. hyper's body is then not polled.
    is_empty: bool,
    is_http2: bool,
    lease: Option<Box<dyn GiveBack>>,
    /// The last frame or the end of the body, which waits until the connection is given back.
    last: Option<NextFrame>,
    /// The request's place. It is `None` once the body has ended.
    permit: Option<Permit>,
    /// The limit for pauses of the service, if one is set.
    stall: Option<StallLimit>,
}

/// The result of a poll of the service's body: a frame, the error that ends the body, or `None` at its end.
type NextFrame = Option<Result<Frame<Bytes>, BoxError>>;

impl UpstreamBody {
    /// Returns true if no data follows the head of the response. After a switch of protocols, data of the new protocol
    /// follows. `is_head` is true if the request's method was HEAD. Over HTTP/2, an empty frame may end a response that
    /// has no body by its method or status (RFC 9110 §6.4.1).
    pub(super) fn has_no_body(response: &Response<Incoming>, is_head: bool) -> bool {
        let status = response.status();
        (is_bodiless(is_head, status) || response.body().is_end_stream()) && status != StatusCode::SWITCHING_PROTOCOLS
    }

    /// Wraps the body of a response that came over `lease`. If the response has no body, the lease is dropped at once.
    pub(super) fn receive<C: Connection>(
        response: Response<Incoming>,
        is_empty: bool,
        lease: Lease<C>,
    ) -> Response<Self> {
        let is_over = is_empty || response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let lease = (!is_over).then(|| Box::new(lease) as Box<dyn GiveBack>);
        let is_http2 = response.version() == Version::HTTP_2;
        response.map(|body| Self { body, is_empty, is_http2, lease, last: None, permit: None, stall: None })
    }

    /// Stores the request's permit until the body has ended.
    pub(crate) fn hold(self, permit: Permit) -> Self {
        Self { permit: Some(permit), ..self }
    }

    /// Sets the longest pause of the service within the body.
    pub(crate) fn limit_pauses(self, limit: Option<Duration>) -> Self {
        Self { stall: limit.map(StallLimit::new), ..self }
    }

    /// Polls for the service's next frame. Returns an error if the service pauses for too long.
    fn poll_service(&mut self, cx: &mut Context<'_>) -> Poll<NextFrame> {
        if self.is_empty {
            return Poll::Ready(None);
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match (&mut self.stall, frame.is_pending()) {
            (None, _) => {}
            (Some(stall), false) => stall.note_progress(),
            (Some(stall), true) => return stall.poll_stalled(cx).map(|failure| Some(Err(failure.into()))),
        }
        frame.map(|frame| match frame {
            None if self.is_http2 && reset::is_cut_off(&self.body) => Some(Err(reset::cut_off_error("service"))),
            frame => frame.map(|frame| frame.map_err(Into::into)),
        })
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if this.last.is_none() {
            let frame = ready!(this.poll_service(cx));
            match &frame {
                Some(Err(_)) => this.lease = None,
                Some(Ok(_)) if !this.body.is_end_stream() => return Poll::Ready(frame),
                _ => {}
            }
            this.last = Some(frame);
        }
        if let Some(lease) = &mut this.lease {
            ready!(lease.poll_give_back(cx));
        }
        this.lease = None;
        let frame = this.last.take().flatten();
        if !matches!(frame, Some(Ok(_))) {
            this.permit = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty || self.last.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_empty {
            return SizeHint::with_exact(0);
        }
        let length = self.last.as_ref().and_then(|last| last.as_ref()?.as_ref().ok()?.data_ref().map(Bytes::len));
        match length {
            Some(length) => SizeHint::with_exact(length as u64),
            None => self.body.size_hint(),
        }
    }
}

/// The limit for the pauses of one body.
pub(crate) struct StallLimit {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
    /// True while the body pauses and the timer runs.
    waits: bool,
}

impl StallLimit {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, timer: Box::pin(sleep(limit)), waits: false }
    }

    /// Records that the body's next frame or its end has come.
    pub(crate) fn note_progress(&mut self) {
        self.waits = false;
    }

    /// Returns an error once the body has paused for too long. Call this method each time that the body is pending.
    pub(crate) fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if !self.waits {
            self.timer.as_mut().reset(Instant::now() + self.limit);
            self.waits = true;
        }
        ready!(self.timer.as_mut().poll(cx));
        let text = format!("the service paused for more than {:?} in the middle of its response", self.limit);
        // The layer treats this error as a failure of the service (F1).
        let failure = ProxyFailure::new(ProxyError::HttpResponseIncomplete, text);
        Poll::Ready(io::Error::new(io::ErrorKind::ConnectionAborted, failure))
    }
}
