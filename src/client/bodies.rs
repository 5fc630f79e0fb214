//! Reads the bodies of error responses up to a size and time limit, and returns them unchanged.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Sleep;

/// Reads the body of an error up to `limit` bytes and until `deadline`.
pub(super) struct BodyReader<B: Body> {
    head: Option<response::Parts>,
    body: Option<Pin<Box<B>>>,
    data: BytesMut,
    limit: usize,
    deadline: Pin<Box<Sleep>>,
}

/// A response whose body was read, in part or in full.
pub(super) struct ReadBody<B: Body> {
    pub(super) head: response::Parts,
    pub(super) data: Bytes,
    pub(super) rest: RemainingBytes<B>,
}

/// The part of a response's body that follows the bytes in [`ReadBody::data`].
pub(super) enum RemainingBytes<B: Body> {
    /// The whole body was read. The value contains its trailers.
    Trailers(Option<HeaderMap>),
    /// The body exceeded the size or time limit. The value is its unread rest.
    Body(Pin<Box<B>>),
    Failed(B::Error),
}

impl<B: Body> RemainingBytes<B> {
    fn last_frame(self) -> Option<Result<Frame<Bytes>, B::Error>> {
        match self {
            Self::Trailers(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Self::Failed(error) => Some(Err(error)),
            Self::Body(_) => None,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Trailers(_) => SizeHint::with_exact(0),
            Self::Body(body) => body.size_hint(),
            Self::Failed(_) => SizeHint::default(),
        }
    }
}

impl<B: Body> BodyReader<B> {
    pub(super) fn new(head: response::Parts, body: B, limit: usize, time: Duration) -> Self {
        let deadline = Box::pin(tokio::time::sleep(time));
        Self { head: Some(head), body: Some(Box::pin(body)), data: BytesMut::new(), limit, deadline }
    }

    /// Polls until the body has ended, failed or exceeded a limit. The caller must not poll again after `Ready`.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ReadBody<B>> {
        let rest = ready!(self.poll_rest(cx));
        let head = self.head.take().unwrap_or_else(|| http::Response::new(()).into_parts().0);
        Poll::Ready(ReadBody { head, data: std::mem::take(&mut self.data).freeze(), rest })
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<RemainingBytes<B>> {
        let Some(mut body) = self.body.take() else { return Poll::Ready(RemainingBytes::Trailers(None)) };
        while self.data.len() <= self.limit {
            match body.as_mut().poll_frame(cx) {
                Poll::Pending if self.deadline.as_mut().poll(cx).is_pending() => {
                    self.body = Some(body);
                    return Poll::Pending;
                }
                Poll::Pending => break,
                Poll::Ready(None) => return Poll::Ready(RemainingBytes::Trailers(None)),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(RemainingBytes::Failed(error)),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.data.extend_from_slice(&bytes_of(data)),
                    Err(frame) => return Poll::Ready(RemainingBytes::Trailers(frame.into_trailers().ok())),
                },
            }
        }
        Poll::Ready(RemainingBytes::Body(body))
    }
}

fn bytes_of(mut data: impl Buf) -> Bytes {
    data.copy_to_bytes(data.remaining())
}

pin_project! {
    /// The body of a response that went through [`ReadError`](super::ReadError), unchanged.
    pub struct ResponseBody<B> where B: Body {
        #[pin]
        state: State<B>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<B> where B: Body {
        Pass { #[pin] body: B },
        Replay { data: Bytes, rest: Option<RemainingBytes<B>> },
    }
}

impl<B: Body> ResponseBody<B> {
    pub(super) fn pass(body: B) -> Self {
        Self { state: State::Pass { body } }
    }

    pub(super) fn replay(data: Bytes, rest: RemainingBytes<B>) -> Self {
        Self { state: State::Replay { data, rest: Some(rest) } }
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let (data, rest) = match self.project().state.project() {
            StateProj::Pass { body } => return body.poll_frame(cx).map_ok(|frame| frame.map_data(bytes_of)),
            StateProj::Replay { data, rest } => (data, rest),
        };
        if !data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(data)))));
        }
        if let Some(RemainingBytes::Body(body)) = rest {
            return body.as_mut().poll_frame(cx).map_ok(|frame| frame.map_data(bytes_of));
        }
        Poll::Ready(rest.take().and_then(RemainingBytes::last_frame))
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Pass { body } => body.is_end_stream(),
            State::Replay { data, rest } => {
                data.is_empty() && matches!(rest, None | Some(RemainingBytes::Trailers(None)))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        let (data, rest) = match &self.state {
            State::Pass { body } => return body.size_hint(),
            State::Replay { data, rest } => (data.len() as u64, rest),
        };
        let left = rest.as_ref().map_or_else(|| SizeHint::with_exact(0), RemainingBytes::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(data.saturating_add(left.lower()));
        if let Some(upper) = left.upper().and_then(|upper| upper.checked_add(data)) {
            hint.set_upper(upper);
        }
        hint
    }
}

impl<B: Body> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}
