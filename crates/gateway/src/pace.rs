//! Whether the client or the service holds up a request.
//!
//! A client that pauses within its body gets an error ([`ClientBody`]: the layer answers 408). A service that keeps its head back
//! is a 504 ([`HeadLimit`](super::head_limit::HeadLimit)), and its clock stops while the client is the slow one: an upload that
//! takes longer than the service may take to answer is no fault of the service.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use error_envelope_core::exchange::client_left;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tower::BoxError;

use super::access::AccessRecord;
use super::headers;
use super::linger::LingeringBody;

/// The body of a client's request; its pauses are capped.
///
/// tower-http's `TimeoutBody` checks its clock before it checks for data, so that a service that reads late would look like a
/// slow client, and it hides the body's length.
pub struct ClientBody {
    body: LingeringBody,
    limit: Duration,
    /// Made at the first pause: most bodies have none.
    clock: Option<Pin<Box<Sleep>>>,
    record: Option<AccessRecord>,
}

impl ClientBody {
    pub(crate) fn new(body: LingeringBody, limit: Duration, record: Option<AccessRecord>) -> Self {
        Self { body, limit, clock: None, record }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.clock = None;
            match (&this.record, &frame) {
                (Some(record), Some(Ok(frame))) => record.received(frame.data_ref().map_or(0, Bytes::len) as u64),
                (Some(record), Some(Err(error))) if client_left(&**error) => record.client_left(),
                _ => {}
            }
            return Poll::Ready(frame);
        }
        ready!(this.clock.get_or_insert_with(|| Box::pin(tokio::time::sleep(this.limit))).as_mut().poll(cx));
        this.clock = None;
        let slow = io::Error::new(io::ErrorKind::TimedOut, "the client paused too long within its request body");
        Poll::Ready(Some(Err(slow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Stores when the request last moved on, and whether the client holds it up.
#[derive(Clone)]
pub(crate) struct Pace(Arc<Mutex<LastMove>>);

struct LastMove {
    at: Instant,
    waits_for_client: bool,
    ended: bool,
}

/// In the extensions of a response that came before its request's body was sent to the end.
#[derive(Clone, Copy)]
pub(crate) struct UnsentBody;

impl Pace {
    pub(crate) fn start() -> Self {
        Self(Arc::new(Mutex::new(LastMove { at: Instant::now(), waits_for_client: false, ended: false })))
    }

    /// Since when the service holds the request up: now, while the client does.
    pub(crate) fn waited_since(&self) -> Instant {
        let last = self.last();
        if last.waits_for_client { Instant::now() } else { last.at }
    }

    /// Notes that the request has moved on just now, or waits for its client.
    pub(crate) fn note(&self, waits_for_client: bool) {
        let mut last = self.last();
        (last.at, last.waits_for_client) = (Instant::now(), waits_for_client);
    }

    fn end(&self) {
        self.last().ended = true;
    }

    /// Whether the body was sent to its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.last().ended
    }

    fn last(&self) -> MutexGuard<'_, LastMove> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request body that records its pace, on its way to the service.
pub(crate) struct PacedBody<B> {
    body: B,
    pace: Pace,
}

impl<B> PacedBody<B> {
    pub(crate) fn new(body: B, pace: Pace) -> Self {
        Self { body, pace }
    }
}

impl<B: Body + Unpin> Body for PacedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut frame = Pin::new(&mut self.body).poll_frame(cx);
        self.pace.note(frame.is_pending());
        if matches!(frame, Poll::Ready(None)) || frame.is_ready() && self.body.is_end_stream() {
            self.pace.end();
        }
        if let Poll::Ready(Some(Ok(last))) = &mut frame
            && let Some(trailers) = last.trailers_mut()
        {
            headers::trailers_towards_service(trailers);
            if trailers.is_empty() {
                return Poll::Ready(None);
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
