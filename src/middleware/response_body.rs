//! The response body that the HTTP server gets.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::broken::{BodyAction, Polled, ResponseBodyError, ResumedBody, poll_passed, text_of};
use super::caught::{has_ended, inspected, size_hint};
use super::context::CallContext;
use super::deadline::{Deadline, now};
use super::draining::Draining;
use super::logged::is_written;
use super::watched::Watched;
use error_envelope_core::session::{BoxError, Failure, FinalFrame, Follow, Needs, Origin, RequestRecord};
use error_envelope_runtime::{self as runtime, catch};

pin_project! {
    /// The inner service's body, or the reply that the layer wrote.
    ///
    /// The layer changes only bodies of RPC and event streams, or ends them with an error of their protocol (rules F6,
    /// P1–P3). If any other inner body fails or panics, this body ends with an error (rule F4). The record of the
    /// request is closed when the body is dropped (rule L5).
    pub struct ResponseBody<R, B> {
        #[pin]
        kind: Kind<R, B>,
        follow: Follow,
        context: Option<Box<CallContext>>,
        watched: Option<Box<Watched>>,
    }

    impl<R, B> PinnedDrop for ResponseBody<R, B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let is_empty = this.kind.has_nothing_left();
            // An outer layer of this process, which writes a fault anew, drops the reply that this layer wrote.
            let is_replaced = matches!(*this.kind, Kind::Reply { .. })
                && this.follow.record().is_some_and(RequestRecord::is_nested);
            if !this.kind.is_own() {
                finish(this.kind.as_mut(), this.follow);
            }
            if let Some(watched) = this.watched.take() {
                let span = this.context.as_deref().and_then(|context| context.span.as_ref());
                watched.close(std::mem::take(this.follow), (is_empty, is_replaced), span);
            }
        }
    }
}

pin_project! {
    #[project = KindProj]
    pub(super) enum Kind<R, B> {
        // The inner service's body. The session inspects its frames if `call` is set.
        Inner { #[pin] body: R, call: Option<Box<CallTime>> },
        // An inner error's body that was read in part and then passes unchanged (M1).
        Resume { body: Box<ResumedBody<R>> },
        Reply { body: Bytes },
        // A reply whose request is read and dropped after the reply's head is sent, and before or after these bytes are
        // sent (G5).
        Drain { request: Pin<Box<Draining<B>>>, body: Bytes },
        Replay { body: Bytes, trailers: Option<Box<HeaderMap>> },
        Broken { error: ResponseBodyError },
        // The empty body of a 204 or 304. The server adds no length that the service did not set (E5).
        Stripped { length: SizeHint },
        Empty,
    }
}

pub(super) type Reply<R, B> = Response<ResponseBody<R, B>>;

/// The result of polling the request's future.
pub(super) type PolledReply<R, B> = Poll<Result<Reply<R, B>, Infallible>>;

impl<R, B> ResponseBody<R, B> {
    #[inline(always)]
    pub(super) fn new(kind: Kind<R, B>, follow: Follow, context: Option<Box<CallContext>>) -> Self {
        Self { kind, follow, context, watched: None }
    }

    /// Makes the body of a reply that the layer wrote.
    pub(super) fn reply(body: Bytes, follow: Follow, context: Option<Box<CallContext>>) -> Self {
        Self::new(if body.is_empty() { Kind::Empty } else { Kind::Reply { body } }, follow, context)
    }
}

/// Keeps the record of a reply if a log, a metric, an observer or an adapter may want the record. Otherwise the
/// record's cause is dropped here inside a catch, because the drop runs user code, which may panic.
#[inline]
pub(super) fn decided(mut record: RequestRecord) -> Follow {
    if runtime::wants_records() {
        return Follow::decided(record);
    }
    if let Some(cause) = record.take_cause() {
        let _ = catch(|| drop(cause));
    }
    Follow::default()
}

/// Stores the reporter that is called when the record of this reply is closed.
pub(super) fn watch<R: Body, B>(reply: &mut Reply<R, B>, mut watched: Box<Watched>) {
    let exact = if let Kind::Inner { body, .. } = &reply.body().kind { size_hint(body).exact() } else { None };
    watched.head_leaves(reply.status(), reply.headers(), exact);
    reply.body_mut().watched = Some(watched);
}

impl<R: Body, B> ResponseBody<R, B> {
    #[inline(always)]
    pub(super) fn follow(body: R, mut follow: Follow, mut context: Option<Box<CallContext>>) -> Self {
        let mut call = None;
        if follow.needs() != Needs::Nothing {
            follow.begin(|| size_hint(&body).exact(), now);
            let deadline = context.as_mut().and_then(|context| context.deadline.take());
            call = Some(Box::new(CallTime { deadline }));
        }
        Self::new(Kind::Inner { body, call }, follow, context)
    }
}

/// The deadline of a body whose frames the session inspects.
pub(super) struct CallTime {
    deadline: Option<Deadline>,
}

impl<R, B> Default for ResponseBody<R, B> {
    fn default() -> Self {
        Self::new(Kind::Empty, Follow::default(), None)
    }
}

impl<R, B> fmt::Debug for ResponseBody<R, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl<R: Body<Error: Into<BoxError>>, B: Body<Error: Into<BoxError>>> Body for ResponseBody<R, B> {
    type Data = Bytes;
    type Error = ResponseBodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        if self.watched.is_none() {
            // The frame is returned in place, because moving it is expensive.
            return self.poll_any(cx);
        }
        let polled = self.as_mut().poll_any(cx);
        if let (Some(watched), Poll::Ready(frame)) = (self.project().watched, &polled)
            && let None | Some(Ok(_)) = frame
        {
            watched.takes(frame.as_ref().and_then(|frame| frame.as_ref().ok()));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let ended = match &self.kind {
            Kind::Inner { call: Some(_), .. } if self.follow.awaits_trailers() => false,
            Kind::Inner { body, .. } => has_ended(body),
            Kind::Resume { body } => body.is_end_stream(),
            // If a body reports its end, the server drops the rest of the request unread (G5).
            Kind::Reply { .. } | Kind::Broken { .. } | Kind::Drain { .. } => false,
            Kind::Replay { body, trailers } => body.is_empty() && trailers.is_none(),
            Kind::Stripped { .. } | Kind::Empty => true,
        };
        if let (true, Some(watched)) = (ended, &self.watched) {
            watched.note_end();
        }
        ended
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { call: Some(_), .. } if self.follow.has_no_length() => SizeHint::default(),
            Kind::Inner { body, .. } => size_hint(body),
            Kind::Resume { body } => body.size_hint(),
            // If a body reports the length 0, the server does not poll it, and the request is not drained. A reply can
            // consist of only a head (P2).
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

impl<R: Body<Error: Into<BoxError>>, B: Body<Error: Into<BoxError>>> ResponseBody<R, B> {
    #[inline]
    fn poll_any(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        let mut this = self.project();
        let (mut broken, mut action) = (None, BodyAction::GoesOn);
        let polled = match this.kind.as_mut().project() {
            KindProj::Inner { body, call: None } => poll_passed(body, cx, &mut broken),
            KindProj::Inner { mut body, call: Some(call) } => {
                let mut polled = poll_passed(body.as_mut(), cx, &mut broken);
                if broken.is_none() {
                    action = call.look(this.follow, &mut polled, || has_ended(&*body), cx);
                }
                polled
            }
            KindProj::Resume { body } => body.poll_frame(cx, &mut broken),
            _ => return this.kind.poll_own(this.follow, cx),
        };
        if let Some((origin, error)) = broken {
            if let Some(watched) = this.watched {
                watched.note_broken();
            }
            action = broke_off(this.follow, origin, error);
        }
        if !matches!((&action, &polled), (BodyAction::GoesOn, Poll::Pending | Poll::Ready(Some(_)))) {
            return end(this.kind, this.follow, action, cx);
        }
        polled
    }
}

impl<R, B> Kind<R, B> {
    /// Returns true if the body contains no user code. Dropping user code may panic.
    fn is_own(&self) -> bool {
        matches!(self, Self::Reply { .. } | Self::Stripped { .. } | Self::Empty)
    }

    /// Returns true if the layer made this body itself, and nothing of it is left to send.
    fn has_nothing_left(&self) -> bool {
        match self {
            Self::Stripped { .. } | Self::Empty => true,
            Self::Replay { body, trailers } => body.is_empty() && trailers.is_none(),
            _ => false,
        }
    }
}

impl<R, B: Body<Error: Into<BoxError>>> Kind<R, B> {
    /// Polls for the next frame of a body that the layer itself made.
    fn poll_own(mut self: Pin<&mut Self>, follow: &mut Follow, cx: &mut Context<'_>) -> Polled {
        match self.as_mut().project() {
            KindProj::Broken { error } => {
                let error = ResponseBodyError(error.0);
                self.set(Kind::Empty);
                Poll::Ready(Some(Err(error)))
            }
            KindProj::Drain { request, body } if request.waits && !body.is_empty() => {
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
            // `poll_any` polls inner bodies.
            KindProj::Inner { .. } | KindProj::Resume { .. } => Poll::Ready(None),
        }
    }
}

impl CallTime {
    /// Lets the session inspect the result of a poll of the body.
    fn look(
        &mut self,
        follow: &mut Follow,
        polled: &mut Polled,
        last: impl FnOnce() -> bool,
        cx: &mut Context<'_>,
    ) -> BodyAction {
        // The deadline is checked at each frame, because a body may never be pending.
        let has_more = match polled {
            Poll::Pending => true,
            Poll::Ready(Some(Ok(frame))) => frame.is_data(),
            Poll::Ready(_) => false,
        };
        if has_more
            && let Some(deadline) = &mut self.deadline
            && follow.can_time_out()
            && deadline.has_passed(cx)
            && let Some(last) = follow.timed_out()
        {
            return last_frame(last, "the call ran out of time");
        }
        match polled {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                if let Some(data) = frame.data_mut() {
                    follow.data(data, last(), now);
                }
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    follow.trailers(trailers, now);
                }
            }
            Poll::Ready(None) => follow.end(now),
            _ => {}
        }
        BodyAction::GoesOn
    }
}

/// Ends a failed body in the way that the session decides. The error is inspected inside a catch, because the error's
/// own code may panic.
fn broke_off(follow: &mut Follow, origin: Origin, error: BoxError) -> BodyAction {
    let mut is_written_within = false;
    let (failure, cause) = match origin {
        Origin::Panic => (Failure::panicked(), error),
        _ => inspected(error, |error| {
            is_written_within = is_written(error);
            follow.classify(error)
        })
        .unwrap_or_else(|panic| (Failure::panicked(), String::from(panic).into())),
    };
    let last = follow.failed(Some(failure), cause, now);
    if let (true, Some(record)) = (is_written_within, follow.record_mut()) {
        record.note_written_elsewhere(true);
    }
    last_frame(last, text_of(origin))
}

fn last_frame(last: FinalFrame, text: &'static str) -> BodyAction {
    match last {
        FinalFrame::Trailers(trailers) => BodyAction::Last(Frame::trailers(trailers)),
        FinalFrame::Data(data) => BodyAction::Last(Frame::data(data)),
        FinalFrame::BrokenOff => BodyAction::BrokenOff(text),
    }
}

/// Ends an inner body, with its last frame or with an error.
fn end<R, B>(mut kind: Pin<&mut Kind<R, B>>, follow: &mut Follow, action: BodyAction, cx: &mut Context<'_>) -> Polled {
    finish(kind.as_mut(), follow);
    match action {
        BodyAction::GoesOn => Poll::Ready(None),
        BodyAction::Last(frame) => Poll::Ready(Some(Ok(frame))),
        BodyAction::BrokenOff(text) => {
            // On HTTP/2, a reset overtakes a head that is not flushed yet. So the error is returned one poll later,
            // after the head has been sent.
            kind.set(Kind::Broken { error: ResponseBodyError(text) });
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
}

/// Drops the body inside a catch. A panic of the drop is noted in the request's record (F2).
fn finish<R, B>(mut kind: Pin<&mut Kind<R, B>>, follow: &mut Follow) {
    if let KindProj::Resume { body } = kind.as_mut().project() {
        body.drop_error();
    }
    if let Err(panic) = catch(|| kind.set(Kind::Empty)) {
        follow.note_panic(Some(panic));
    }
}

/// Builds the reply in place, because moving it is expensive.
#[inline(always)]
pub(super) fn polled<R, B>(head: response::Parts, body: ResponseBody<R, B>) -> PolledReply<R, B> {
    Poll::Ready(Ok(Response::from_parts(head, body)))
}
