//! A request's body on its way to the service.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::exchange::Exchange;

/// A body whose end is noted in the exchange that it belongs to. A request without a body has none here, so that it can
/// be copied.
pub(crate) struct Outgoing<B> {
    // A request without a body moves without the room for one.
    body: Option<Box<Pieces<B>>>,
    exchange: Option<Arc<Exchange>>,
}

struct Pieces<B> {
    body: B,
    /// Waits until the frame before it is written. It is polled for before that, or the pool could not detect whether the client
    /// or the service holds the request up.
    next: Option<Frame<Bytes>>,
}

impl<B: Body<Data = Bytes>> Pieces<B> {
    fn is_end_stream(&self) -> bool {
        self.next.is_none() && self.body.is_end_stream()
    }
}

impl<B: Body<Data = Bytes> + Unpin> Outgoing<B> {
    pub(crate) fn new(body: B) -> Self {
        Self { body: Some(Box::new(Pieces { body, next: None })), exchange: None }
    }

    pub(crate) fn empty() -> Self {
        Self { body: None, exchange: None }
    }

    /// The request begins on this connection.
    pub(crate) fn begin(&mut self, exchange: &Arc<Exchange>) {
        exchange.begin(!self.is_end_stream());
        self.exchange = Some(Arc::clone(exchange));
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Outgoing<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        let Some(pieces) = &mut this.body else { return Poll::Ready(None) };
        let Pieces { body, next } = &mut **pieces;
        let frame = match next.take() {
            Some(frame) => Some(Ok(frame)),
            None => ready!(Pin::new(&mut *body).poll_frame(cx)),
        };
        let frame = match frame {
            // One piece at a time for a service that does not read, and not as many as hyper's buffer takes. hyper polls again
            // once it is written.
            Some(Ok(frame)) if frame.is_data() && this.exchange.as_ref().is_some_and(|it| it.is_held_up()) => {
                *next = Some(frame);
                return Poll::Pending;
            }
            frame => frame,
        };
        let has_ended = frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
        if has_ended || body.is_end_stream() {
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
