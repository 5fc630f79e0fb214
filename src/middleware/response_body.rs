//! The response body that the HTTP server gets.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::broken::{BodyAction, Polled, ResponseBodyError, ResumedBody, poll_passed, text_of};
use super::caught::{has_ended, inspected, size_hint};
use super::deadline::{Deadline, now};
use super::draining::Draining;
use super::logged::is_logged;
use error_envelope_core::session::{BodyFailure, BoxError, Failure, FinalFrame, Follow, Needs, Origin};
use error_envelope_runtime as runtime;
use error_envelope_runtime::{RequestTimer, catch};

pin_project! {
    /// The inner service's body, or the reply that the layer wrote.
    ///
    /// Only bodies of RPC and event streams may be changed, or end with an error of their protocol (rules F6, P1–P3). If
    /// any other inner body fails or panics, this body ends with an error. The failure is logged once (rule F4).
    pub struct ResponseBody<R, B> {
        #[pin]
        kind: Kind<R, B>,
        follow: Option<Follow>,
        timer: Option<RequestTimer>,
    }

    impl<R, B> PinnedDrop for ResponseBody<R, B> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if !this.kind.is_own() {
                finish(this.kind, this.follow);
            }
        }
    }
}

pin_project! {
    #[project = KindProj]
    pub(super) enum Kind<R, B> {
        // The service's body, which `follow` follows.
        Inner { #[pin] body: R, call: Option<Box<CallTime>> },
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
    #[inline(always)]
    pub(super) fn new(kind: Kind<R, B>, follow: Option<Follow>) -> Self {
        Self { kind, follow, timer: None }
    }

    /// Measures the time of the response until this body is dropped.
    pub(super) fn time(&mut self, timer: RequestTimer) {
        self.timer = Some(timer);
    }

    pub(super) fn reply(body: Bytes) -> Self {
        Self::new(if body.is_empty() { Kind::Empty } else { Kind::Reply { body } }, None)
    }
}

impl<R: Body, B> ResponseBody<R, B> {
    #[inline(always)]
    pub(super) fn follow(body: R, mut follow: Follow, deadline: Option<&mut Option<Deadline>>) -> Self {
        let mut call = None;
        if follow.needs() != Needs::Nothing {
            follow.begin(|| size_hint(&body).exact(), now);
            let deadline = deadline.and_then(Option::take);
            call = Some(Box::new(CallTime { deadline, whole: AtomicBool::new(false) }));
        }
        Self { kind: Kind::Inner { body, call }, follow: Some(follow), timer: None }
    }
}

/// A body that the session inspects.
pub(super) struct CallTime {
    deadline: Option<Deadline>,
    /// Whether the body is complete. A server that gets this report does not poll again.
    whole: AtomicBool,
}

impl<R, B> Default for ResponseBody<R, B> {
    fn default() -> Self {
        Self::new(Kind::Empty, None)
    }
}

impl<R, B> fmt::Debug for ResponseBody<R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
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
            Kind::Inner { call: Some(_), .. } if self.follow.as_ref().is_some_and(Follow::awaits_trailers) => false,
            Kind::Inner { body, call } => {
                let ended = has_ended(body);
                if let (true, Some(call)) = (ended, call) {
                    call.whole.store(true, Ordering::Relaxed);
                }
                ended
            }
            Kind::Resume { body } => body.is_end_stream(),
            // If a body reports its end, the server drops the rest of the request unread (G5).
            Kind::Reply { .. } | Kind::Broken { .. } | Kind::Drain { .. } => false,
            Kind::Replay { body, trailers } => body.is_empty() && trailers.is_none(),
            Kind::Stripped { .. } | Kind::Empty => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { call: Some(_), .. } if self.follow.as_ref().is_some_and(Follow::has_no_length) => {
                SizeHint::default()
            }
            Kind::Inner { body, .. } => size_hint(body),
            Kind::Resume { body } => body.size_hint(),
            // If a body reports that it has no bytes, the server does not poll it, and then nothing drains the request:
            // the reply may be only a head (P2).
            Kind::Drain { body, .. } if body.is_empty() => SizeHint::default(),
            Kind::Reply { body } | Kind::Drain { body, .. } | Kind::Replay { body, .. } => {
                SizeHint::with_exact(body.len() as u64)
            }
            Kind::Broken { .. } => SizeHint::default(),
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
            KindProj::Inner { body, call: None } => poll_passed(body, cx, &mut broken),
            KindProj::Inner { mut body, call: Some(call) } => {
                let mut polled = poll_passed(body.as_mut(), cx, &mut broken);
                if let Some(follow) = this.follow
                    && broken.is_none()
                {
                    action = call.look(follow, &mut polled, || has_ended(&*body), cx);
                }
                polled
            }
            KindProj::Resume { body } => body.poll_frame(cx, &mut broken),
            _ => return this.kind.poll_own(this.follow, cx),
        };
        if let Some((origin, error)) = broken {
            action = broke_off(this.follow, origin, error);
        }
        if !matches!((&action, &polled), (BodyAction::GoesOn, Poll::Pending | Poll::Ready(Some(_)))) {
            return end(this.kind, this.follow, action, cx);
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
        follow: &mut Option<Follow>,
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
                finish(self, follow);
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
            KindProj::Inner { .. } | KindProj::Resume { .. } => Poll::Ready(None),
        }
    }
}

impl CallTime {
    /// Lets the session inspect a frame of a body that it follows.
    fn look(
        &mut self,
        follow: &mut Follow,
        polled: &mut Polled,
        last: impl FnOnce() -> bool,
        cx: &mut Context<'_>,
    ) -> BodyAction {
        // The deadline also applies to a body that is never pending.
        let has_more = match polled {
            Poll::Pending => true,
            Poll::Ready(Some(Ok(frame))) => frame.is_data(),
            Poll::Ready(_) => false,
        };
        if has_more
            && let Some(deadline) = &mut self.deadline
            && follow.can_time_out()
            && deadline.has_passed(cx)
            && let Some(BodyFailure { last, event }) = follow.timed_out()
        {
            runtime::log_event(event);
            return last_frame(last, "the call ran out of time");
        }
        let event = match polled {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                frame.data_mut().and_then(|data| follow.data(data, last(), now))
            }
            Poll::Ready(Some(Ok(frame))) => frame.trailers_mut().and_then(|trailers| follow.trailers(trailers, now)),
            Poll::Ready(None) => {
                *self.whole.get_mut() = true;
                follow.end(now)
            }
            _ => None,
        };
        event.into_iter().for_each(runtime::log_event);
        BodyAction::GoesOn
    }
}

/// Ends a failed body as the session decides. Its error is inspected first, whose code may panic.
fn broke_off(follow: &mut Option<Follow>, origin: Origin, error: BoxError) -> BodyAction {
    let text = text_of(origin);
    let Some(mut follow) = follow.take() else { return BodyAction::BrokenOff(text) };
    let mut is_logged_within = false;
    let (failure, cause) = match origin {
        Origin::Panic => (Failure::panicked(), error),
        _ => inspected(error, |error| {
            is_logged_within = is_logged(error);
            follow.classify(error)
        })
        .unwrap_or_else(|panic| (Failure::panicked(), String::from(panic).into())),
    };
    let (last, event) = follow.failed(Some(failure), cause, now);
    event.filter(|_| !is_logged_within).into_iter().for_each(runtime::log_event);
    last_frame(last, text)
}

fn last_frame(last: FinalFrame, text: &'static str) -> BodyAction {
    match last {
        FinalFrame::Trailers(trailers) => BodyAction::Last(Frame::trailers(trailers)),
        FinalFrame::Data(data) => BodyAction::Last(Frame::data(data)),
        FinalFrame::BrokenOff => BodyAction::BrokenOff(text),
    }
}

/// Ends an inner body, with its last frame or with an error.
fn end<R, B>(
    mut kind: Pin<&mut Kind<R, B>>,
    follow: &mut Option<Follow>,
    action: BodyAction,
    cx: &mut Context<'_>,
) -> Polled {
    finish(kind.as_mut(), follow);
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
fn finish<R, B>(mut kind: Pin<&mut Kind<R, B>>, follow: &mut Option<Follow>) {
    match kind.as_mut().project() {
        KindProj::Inner { call: Some(call), .. } => {
            let event = follow.as_mut().and_then(|follow| follow.dropped(*call.whole.get_mut(), now));
            event.into_iter().for_each(runtime::log_event);
        }
        KindProj::Resume { body } => body.drop_error(),
        _ => {}
    }
    if let Err(panic) = catch(|| kind.set(Kind::Empty))
        && let Some(event) = follow.take().and_then(|follow| follow.drop_panicked(panic))
    {
        runtime::log_event(event);
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
