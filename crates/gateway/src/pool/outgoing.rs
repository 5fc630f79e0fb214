//! A request's body on its way to the service.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower::BoxError;

use super::exchange::Exchange;
use crate::capacity::Permit;
use crate::pace::Pace;

/// A body that can be forwarded.
pub(crate) trait ForwardBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static> ForwardBody for B {}

/// A request's body, whose end is noted in its exchange. For a request without a body this is empty, so that the
/// request can be copied.
pub(crate) struct Outgoing<B> {
    // Boxed, so that a request without a body needs no room for one.
    body: Option<Box<Pieces<B>>>,
    exchange: Option<Arc<Exchange>>,
}

struct Pieces<B> {
    body: B,
    /// The next frame, which waits until the one before it is written. It is fetched in advance: otherwise the pool
    /// could not detect whether the request waits for the client or for the service.
    next: Option<Frame<Bytes>>,
    pace: Pace,
    /// `None` once the body has ended.
    permit: Option<Permit>,
}

impl<B: ForwardBody> Pieces<B> {
    /// Polls for the next frame of the body.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.pace.note(polled.is_pending());
        let frame = ready!(polled);
        if frame.is_none() || self.body.is_end_stream() {
            self.pace.end();
        }
        if !matches!(frame, Some(Ok(_))) {
            self.permit = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none() && self.body.is_end_stream()
    }
}

impl<B: ForwardBody> Outgoing<B> {
    /// Wraps a body: records its pace, and holds the permit until its end.
    pub(crate) fn new(body: B, pace: Pace, permit: Permit) -> Self {
        Self { body: Some(Box::new(Pieces { body, next: None, pace, permit: Some(permit) })), exchange: None }
    }

    pub(crate) fn empty() -> Self {
        Self { body: None, exchange: None }
    }

    /// Notes that the request begins on this connection.
    pub(crate) fn begin(&mut self, exchange: &Arc<Exchange>) {
        exchange.begin(!self.is_end_stream());
        self.exchange = Some(Arc::clone(exchange));
    }
}

impl<B: ForwardBody> Body for Outgoing<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        let Some(pieces) = &mut this.body else { return Poll::Ready(None) };
        let frame = match pieces.next.take() {
            Some(frame) => Some(Ok(frame)),
            None => ready!(pieces.poll_body(cx)),
        };
        let frame = match frame {
            // If the service does not read, hyper gets one piece at a time, so that its buffer does not fill. It polls
            // again once the piece is written.
            Some(Ok(frame)) if frame.is_data() && this.exchange.as_ref().is_some_and(|it| it.is_held_up()) => {
                pieces.next = Some(frame);
                return Poll::Pending;
            }
            frame => frame,
        };
        let has_ended = frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
        if has_ended || pieces.body.is_end_stream() {
            this.exchange.as_ref().inspect(|exchange| exchange.end_body());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_deref().is_none_or(Pieces::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_deref().map_or(SizeHint::with_exact(0), |pieces| pieces.body.size_hint())
    }
}
