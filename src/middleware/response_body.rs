//! The response body that the HTTP server gets.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::broken::{BodyAction, Polled, ResponseBodyError, end_of, poll_passed, text_of};
use super::caught::{has_ended, size_hint};
use super::draining::Draining;
use super::resumed_body::ResumedBody;
use super::rpc_body::RpcBody;
use super::tee::Tee;
use error_envelope_core::exchange::{BodyContext, BoxError, EventStream, Origin};
use error_envelope_runtime as runtime;
use error_envelope_runtime::RequestTimer;
use error_envelope_runtime::catch;

pin_project! {
    /// The inner service's body, unchanged, or the reply that the layer wrote.
    ///
    /// If an inner body fails or panics, this body ends with an error. The failure is logged once, and nothing is
    /// appended (rule F4).
    pub struct ResponseBody<R, B> {
        #[pin]
        kind: Kind<R, B>,
        tail: Option<BodyContext>,
        timer: Option<RequestTimer>,
    }

    impl<R, B> PinnedDrop for ResponseBody<R, B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !this.kind.is_own() {
                finish(this.kind, this.tail);
            }
        }
    }
}

pin_project! {
    #[project = KindProj]
    pub(super) enum Kind<R, B> {
        Pass { #[pin] body: R },
        // An inner error that passes is also copied (M1).
        Tee { #[pin] body: R, tee: Box<Tee> },
        // The response of an RPC call (section P).
        Watch { #[pin] body: R, watching: RpcBody },
        // An event stream, which ends with an error event if it breaks off (F6).
        Events { #[pin] body: R, events: Option<Box<EventStream>> },
        // A body that passes after all: the part that was already read, then the rest or the error that came instead
        // (M1).
        Resume { body: Box<ResumedBody<R>> },
        Reply { body: Bytes },
        // The rest of the request is read and dropped after the head, and before or after these bytes (G5).
        Drain { request: Pin<Box<Draining<B>>>, body: Bytes },
        Replay { body: Bytes, trailers: Option<Box<HeaderMap>> },
        Broken { error: ResponseBodyError },
        // A 204 or 304: no body is sent, and no length that the service did not set (E5).
        Stripped { length: SizeHint },
        Empty,
    }
}

pub(super) type Reply<R, B> = Response<ResponseBody<R, B>>;

/// The result of polling the request's future.
pub(super) type PolledReply<R, B> = Poll<Result<Reply<R, B>, Infallible>>;

impl<R, B> ResponseBody<R, B> {
    /// `tail` has the facts to log if the body fails, unless `kind` already has them.
    #[inline(always)]
    pub(super) fn new(kind: Kind<R, B>, tail: Option<BodyContext>) -> Self {
        Self { kind, tail, timer: None }
    }

    #[inline(always)]
    pub(super) fn pass(body: R, tail: BodyContext) -> Self {
        Self { kind: Kind::Pass { body }, tail: Some(tail), timer: None }
    }

    /// Measures the time of the response until this body is dropped.
    pub(super) fn time(&mut self, timer: RequestTimer) {
        self.timer = Some(timer);
    }

    pub(super) fn reply(body: Bytes) -> Self {
        Self::new(if body.is_empty() { Kind::Empty } else { Kind::Reply { body } }, None)
    }
}

impl<R, B> Default for ResponseBody<R, B> {
    fn default() -> Self {
        Self::new(Kind::Empty, None)
    }
}

impl<R, B> fmt::Debug for ResponseBody<R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseBody").field(&self.kind.name()).finish()
    }
}

impl<R, B> Kind<R, B> {
    fn name(&self) -> &'static str {
        match self {
            Kind::Pass { .. } => "Pass",
            Kind::Tee { .. } => "Tee",
            Kind::Watch { .. } => "Watch",
            Kind::Events { .. } => "Events",
            Kind::Resume { .. } => "Resume",
            Kind::Reply { .. } => "Reply",
            Kind::Drain { .. } => "Drain",
            Kind::Replay { .. } => "Replay",
            Kind::Broken { .. } => "Broken",
            Kind::Stripped { .. } => "Stripped",
            Kind::Empty => "Empty",
        }
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

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        if self.timer.is_none() {
            // Returned in place: a frame is large to move.
            return self.poll_any(cx);
        }
        let polled = self.as_mut().poll_any(cx);
        if let (Poll::Ready(Some(Ok(frame))), Some(timer)) = (&polled, &self.timer) {
            timer.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Pass { body } | Kind::Tee { body, .. } | Kind::Events { body, .. } => has_ended(body),
            Kind::Watch { watching, .. } if watching.awaits_trailers() => false,
            Kind::Watch { body, watching } => watching.report_end(has_ended(body)),
            Kind::Resume { body } => body.is_end_stream(),
            // If a body reports its end, the server drops the rest of the request unread (G5).
            Kind::Reply { .. } | Kind::Broken { .. } | Kind::Drain { .. } => false,
            Kind::Replay { body, trailers } => body.is_empty() && trailers.is_none(),
            Kind::Stripped { .. } | Kind::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Watch { watching, .. } if watching.has_no_length() => SizeHint::default(),
            Kind::Pass { body } | Kind::Tee { body, .. } | Kind::Watch { body, .. } => size_hint(body),
            Kind::Resume { body } => body.size_hint(),
            // If a body reports that it has no bytes, the server does not poll it, and then nothing drains the request:
            // the reply may be only a head (P2).
            Kind::Drain { body, .. } if body.is_empty() => SizeHint::default(),
            Kind::Reply { body } | Kind::Drain { body, .. } | Kind::Replay { body, .. } => {
                SizeHint::with_exact(body.len() as u64)
            }
            Kind::Broken { .. } | Kind::Events { .. } => SizeHint::default(),
            Kind::Stripped { length } => *length,
            Kind::Empty => SizeHint::with_exact(0),
        }
    }
}

impl<R, B> ResponseBody<R, B>
where
    R: Body,
    R::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
{
    #[inline]
    fn poll_any(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let mut this = self.project();
        let (mut broken, mut action) = (None, BodyAction::GoesOn);
        let polled = match this.kind.as_mut().project() {
            KindProj::Pass { body } => poll_passed(body, cx, &mut broken),
            KindProj::Tee { mut body, tee } => {
                let polled = poll_passed(body.as_mut(), cx, &mut broken);
                match &polled {
                    // A server does not poll again if a body reports its end.
                    Poll::Ready(Some(Ok(frame))) => {
                        tee.passed(frame, has_ended(&*body));
                    }
                    Poll::Ready(Some(Err(_))) => tee.broke_off(),
                    Poll::Ready(None) => tee.ended(),
                    Poll::Pending => {}
                }
                polled
            }
            KindProj::Watch { body, watching } => {
                let mut polled = poll_passed(body, cx, &mut broken);
                action = watching.look(&mut polled, broken.take(), cx);
                polled
            }
            KindProj::Events { body, events } => {
                let mut polled = poll_passed(body, cx, &mut broken);
                match (&mut polled, broken.take()) {
                    (_, Some(broken)) => {
                        action = end_of(events.take(), broken, EventStream::failure_of, EventStream::failed);
                    }
                    (Poll::Ready(Some(Ok(frame))), None) => passed(events, frame),
                    _ => {}
                }
                polled
            }
            KindProj::Resume { body } => body.poll_frame(cx, &mut broken),
            _ => return this.kind.poll_own(this.tail, cx),
        };
        if let Some((origin, error)) = broken {
            action = broke_off(this.tail, origin, error);
        }
        if !matches!((&action, &polled), (BodyAction::GoesOn, Poll::Pending | Poll::Ready(Some(_)))) {
            return end(this.kind, this.tail, action, cx);
        }
        polled
    }
}

impl<R, B> Kind<R, B> {
    /// Whether the body contains no user code, whose drop may panic.
    fn is_own(&self) -> bool {
        matches!(self, Self::Reply { .. } | Self::Stripped { .. } | Self::Empty)
    }
}

impl<R, B> Kind<R, B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// Polls for the next frame of a body that the layer itself made.
    fn poll_own(
        mut self: Pin<&mut Self>,
        tail: &mut Option<BodyContext>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResponseBodyError>>> {
        match self.as_mut().project() {
            KindProj::Broken { error } => {
                let error = ResponseBodyError(error.0);
                self.set(Kind::Empty);
                Poll::Ready(Some(Err(error)))
            }
            KindProj::Drain { request, body } if request.waits() && !body.is_empty() => {
                Poll::Ready(Some(Ok(Frame::data(std::mem::take(body)))))
            }
            KindProj::Drain { request, body } => {
                ready!(request.as_mut().poll_drained(cx));
                let body = std::mem::take(body);
                finish(self, tail);
                Poll::Ready(if body.is_empty() { None } else { Some(Ok(Frame::data(body))) })
            }
            KindProj::Reply { body } => {
                let body = std::mem::take(body);
                self.set(Kind::Empty);
                Poll::Ready(Some(Ok(Frame::data(body))))
            }
            KindProj::Replay { body, trailers } => {
                let data = std::mem::take(body);
                let frame = if data.is_empty() {
                    trailers.take().map(|it| Frame::trailers(*it))
                } else {
                    Some(Frame::data(data))
                };
                Poll::Ready(frame.map(Ok))
            }
            KindProj::Stripped { .. } | KindProj::Empty => Poll::Ready(None),
            // These have an inner body, which is not polled here.
            KindProj::Pass { .. }
            | KindProj::Tee { .. }
            | KindProj::Watch { .. }
            | KindProj::Events { .. }
            | KindProj::Resume { .. } => Poll::Ready(None),
        }
    }
}

/// Lets the exchange inspect a frame of an event stream that passes (F6).
fn passed(events: &mut Option<Box<EventStream>>, frame: &mut Frame<Bytes>) {
    let Some(stream) = events else { return };
    match frame.data_mut() {
        Some(data) => {
            if let Some(readdressed) = stream.response_data(data) {
                *data = readdressed;
            }
        }
        None => stream.response_trailers(),
    }
}

fn broke_off(tail: &mut Option<BodyContext>, origin: Origin, error: BoxError) -> BodyAction {
    if let Some(tail) = tail.take() {
        runtime::log_event(tail.broke_off(origin, error));
    }
    BodyAction::BrokenOff(text_of(origin))
}

/// Ends an inner body, with its last frame or with an error.
fn end<R, B>(
    mut kind: Pin<&mut Kind<R, B>>,
    tail: &mut Option<BodyContext>,
    action: BodyAction,
    cx: &mut Context<'_>,
) -> Polled {
    finish(kind.as_mut(), tail);
    match action {
        BodyAction::GoesOn => Poll::Ready(None),
        BodyAction::Last(frame) => Poll::Ready(Some(Ok(frame))),
        BodyAction::BrokenOff(text) => {
            // On HTTP/2, a reset overtakes a head that is not flushed yet. So the error comes one poll later, and the
            // head leaves first.
            kind.set(Kind::Broken { error: ResponseBodyError(text) });
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
}

/// Drops the body inside a catch: a panic of its drop is only logged (F2).
fn finish<R, B>(mut kind: Pin<&mut Kind<R, B>>, tail: &mut Option<BodyContext>) {
    let mut left = None;
    match kind.as_mut().project() {
        KindProj::Tee { tee, .. } => tee.broke_off(),
        KindProj::Watch { watching, .. } => left = watching.dropped().map(|watch| watch.into_body_context()),
        KindProj::Events { events, .. } => left = events.take().map(|stream| stream.into_body_context()),
        KindProj::Resume { body } => body.drop_error(),
        _ => {}
    }
    if let Err(panic) = catch(|| kind.set(Kind::Empty))
        && let Some(tail) = tail.take().or(left)
    {
        runtime::log_event(tail.broke_off(Origin::Panic, String::from(panic).into()));
    }
}

/// The reply to a request whose body is not read further.
#[inline(always)]
pub(super) fn reply_of<R, B>(reply: Response<Bytes>) -> PolledReply<R, B> {
    let (head, body) = reply.into_parts();
    polled(head, ResponseBody::reply(body))
}

/// Built in place: a reply is large to move.
#[inline(always)]
pub(super) fn polled<R, B>(head: response::Parts, body: ResponseBody<R, B>) -> PolledReply<R, B> {
    Poll::Ready(Ok(Response::from_parts(head, body)))
}
