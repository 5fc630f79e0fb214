//! The response body that the server below sends.

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::catch::catch;
use super::deadline::Deadline;
use super::log;
use super::request_body::poll_bytes;
use crate::exchange::{BoxError, Linger, Origin, Tail};

pin_project! {
    /// The inner service's body as it comes, or the reply that the layer wrote.
    ///
    /// An inner body that fails or panics ends as an error, is logged once, and is never appended to (rule F4).
    pub struct ResponseBody<R, B> {
        #[pin]
        kind: Kind<R, B>,
        tail: Option<Tail>,
    }

    impl<R, B> PinnedDrop for ResponseBody<R, B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            finish(this.kind, this.tail);
        }
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<R, B> {
        Pass { #[pin] body: R },
        Reply { body: Bytes },
        // The rest of the request is read and dropped after the head and before these bytes (G5).
        Drain { request: Box<Rest<B>>, body: Bytes },
        Replay { frames: VecDeque<Frame<Bytes>> },
        Broken { error: ResponseBodyError },
        Empty,
    }
}

/// The rest of a request.
struct Rest<B> {
    body: Pin<Box<B>>,
    left: u64,
    timeout: Duration,
    deadline: Option<Deadline>,
}

impl<R, B> ResponseBody<R, B> {
    pub(super) fn pass(body: R, tail: Tail) -> Self {
        Self { kind: Kind::Pass { body }, tail: Some(tail) }
    }

    pub(super) fn reply(body: Bytes) -> Self {
        Self { kind: if body.is_empty() { Kind::Empty } else { Kind::Reply { body } }, tail: None }
    }

    pub(super) fn drain(request: Pin<Box<B>>, linger: Linger, body: Bytes) -> Self {
        let rest = Rest { body: request, left: linger.max_bytes, timeout: linger.timeout, deadline: None };
        let request = Box::new(rest);
        Self { kind: Kind::Drain { request, body }, tail: None }
    }

    pub(super) fn replay(frames: VecDeque<Frame<Bytes>>) -> Self {
        Self { kind: Kind::Replay { frames }, tail: None }
    }
}

impl<R, B> Default for ResponseBody<R, B> {
    fn default() -> Self {
        Self { kind: Kind::Empty, tail: None }
    }
}

impl<R, B> fmt::Debug for ResponseBody<R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Pass { .. } => "Pass",
            Kind::Reply { .. } => "Reply",
            Kind::Drain { .. } => "Drain",
            Kind::Replay { .. } => "Replay",
            Kind::Broken { .. } => "Broken",
            Kind::Empty => "Empty",
        };
        f.debug_tuple("ResponseBody").field(&kind).finish()
    }
}

impl<R, B> Body for ResponseBody<R, B>
where
    R: Body,
    R::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = ResponseBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ResponseBodyError>>> {
        let mut this = self.project();
        match this.kind.as_mut().project() {
            KindProj::Pass { body } => match ready!(poll_passed(body, cx)) {
                Ok(Some(frame)) => Poll::Ready(Some(Ok(frame))),
                Ok(None) => {
                    finish(this.kind, this.tail);
                    Poll::Ready(None)
                }
                Err((origin, error)) => {
                    let error = broke_off(this.kind.as_mut(), this.tail, origin, error);
                    // A reset on HTTP/2 overtakes a head that is not flushed yet: it is given one turn to leave.
                    this.kind.set(Kind::Broken { error });
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            },
            KindProj::Broken { error } => {
                let error = ResponseBodyError(error.0);
                this.kind.set(Kind::Empty);
                Poll::Ready(Some(Err(error)))
            }
            KindProj::Drain { request, body } => {
                ready!(request.poll_drained(cx));
                let body = std::mem::take(body);
                finish(this.kind, this.tail);
                Poll::Ready(if body.is_empty() { None } else { Some(Ok(Frame::data(body))) })
            }
            KindProj::Reply { body } => {
                let body = std::mem::take(body);
                this.kind.set(Kind::Empty);
                Poll::Ready(Some(Ok(Frame::data(body))))
            }
            KindProj::Replay { frames } => Poll::Ready(frames.pop_front().map(Ok)),
            KindProj::Empty => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Pass { body } => body.is_end_stream(),
            Kind::Reply { .. } | Kind::Broken { .. } => false,
            Kind::Drain { body, .. } => body.is_empty(),
            Kind::Replay { frames } => frames.is_empty(),
            Kind::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Pass { body } => body.size_hint(),
            Kind::Reply { body } | Kind::Drain { body, .. } => SizeHint::with_exact(body.len() as u64),
            Kind::Replay { frames } => {
                let length = frames.iter().filter_map(Frame::data_ref).map(Bytes::len).sum::<usize>();
                SizeHint::with_exact(length as u64)
            }
            Kind::Broken { .. } => SizeHint::default(),
            Kind::Empty => SizeHint::with_exact(0),
        }
    }
}

type Broken = (Origin, BoxError);

fn poll_passed<R>(body: Pin<&mut R>, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Broken>>
where
    R: Body,
    R::Error: Into<BoxError>,
{
    let polled = catch(|| {
        body.poll_frame(cx).map(|frame| match frame {
            Some(Ok(frame)) => Ok(Some(frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))),
            Some(Err(error)) => Err((Origin::Error, error.into())),
            None => Ok(None),
        })
    });
    polled.unwrap_or_else(|panic| Poll::Ready(Err((Origin::Panic, String::from(panic).into()))))
}

fn broke_off<R, B>(
    kind: Pin<&mut Kind<R, B>>,
    tail: &mut Option<Tail>,
    origin: Origin,
    error: BoxError,
) -> ResponseBodyError {
    let text = match origin {
        Origin::Panic => "the response body panicked",
        _ => "the response body failed",
    };
    if let Some(tail) = tail.take() {
        log::event(tail.broke_off(origin, error));
    }
    finish(kind, tail);
    ResponseBodyError(text)
}

/// Drops the body inside a catch: a panic of its drop goes no further than the log (F2).
fn finish<R, B>(mut kind: Pin<&mut Kind<R, B>>, tail: &mut Option<Tail>) {
    if let Err(panic) = catch(|| kind.set(Kind::Empty))
        && let Some(tail) = tail.take()
    {
        log::event(tail.broke_off(Origin::Panic, String::from(panic).into()));
    }
}

impl<B> Rest<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Reads and drops what is left of the request, within the budget.
    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let deadline = self.deadline.get_or_insert_with(|| Deadline::after(self.timeout));
        while !deadline.has_passed(cx) {
            let Some(Ok(frame)) = ready!(poll_bytes(self.body.as_mut(), cx)) else { break };
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            let Some(left) = self.left.checked_sub(length) else { break };
            self.left = left;
        }
        Poll::Ready(())
    }
}

/// A response body that broke off after its head had left. What failed is in the log, under the request's id.
#[derive(Debug)]
pub struct ResponseBodyError(&'static str);

impl fmt::Display for ResponseBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for ResponseBodyError {}
