//! The body of a client's request: its pauses are limited, and if it is dropped early, the rest is read.
//!
//! If a client pauses too long within its body, the body fails with an error, which the layer turns into 408.
//!
//! If nothing reads a stream's body, h2 resets the stream as soon as the response has been sent. RFC 9113 §8.1 requires
//! clients to keep the response, but curl 7.88 gives up when its next write finds the stream closed. So the rest of a
//! stream's body is read as well. Over HTTP/1 the rest stays in the socket, which [`linger`](super::linger) closes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use error_envelope_core::session::client_left;
use http::Version;
use http::header::EXPECT;
use http::request::Parts;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::Sleep;
use tower::BoxError;

use super::access::AccessRecord;
use super::connection_state::{ActiveBody, ConnectionState};
use super::limits::ClientLimits;
use super::reset;

/// The body of a client's request, with a time limit for its pauses.
///
/// tower-http's `TimeoutBody` does not fit: it checks its clock before it checks for data, so a service that reads late
/// looks like a slow client. It also hides the body's length.
pub struct ClientBody {
    /// Only `drop` takes it.
    body: Option<Incoming>,
    /// Only set for HTTP/1: the connection's active body.
    active: Option<ActiveBody>,
    /// Whether the rest of the body is read when this is dropped: only over HTTP/2.
    lingers: bool,
    linger_timeout: Duration,
    linger_bytes: u64,
    body_timeout: Duration,
    /// The clock is created at the first pause: most bodies have none.
    clock: Option<Pin<Box<Sleep>>>,
    record: Option<AccessRecord>,
}

impl ClientBody {
    pub(crate) fn new(
        body: Incoming,
        head: &Parts,
        limits: &ClientLimits,
        state: &Arc<ConnectionState>,
        record: Option<AccessRecord>,
    ) -> Self {
        let lingers = head.version == Version::HTTP_2;
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
        // After an error, no rest follows that could be read.
        self.lingers &= matches!(frame, Some(Ok(_)));
        Poll::Ready(frame)
    }

    fn record(&self, frame: Option<&Result<Frame<Bytes>, BoxError>>) {
        match (&self.record, frame) {
            (Some(record), Some(Ok(frame))) => record.received(frame.data_ref().map_or(0, Bytes::len) as u64),
            (Some(record), Some(Err(error))) if client_left(&**error) => record.client_left(),
            _ => {}
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
        let Some(rest) = self.body.take().filter(|body| !body.is_end_stream()) else { return };
        if let Some(active) = &self.active {
            active.leave(rest);
        } else if let (true, Ok(runtime)) = (self.lingers, Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(self.linger_timeout, drain(rest, self.linger_bytes)));
        }
    }
}

async fn drain(rest: Incoming, most: u64) {
    let mut rest = Limited::new(rest, usize::try_from(most).unwrap_or(usize::MAX));
    while let Some(Ok(_)) = rest.frame().await {}
}
