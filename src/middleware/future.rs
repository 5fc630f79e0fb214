//! The future of one request.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response, request, response};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::Span;

use super::catch::catch;
use super::deadline::Deadline;
use super::log;
use super::request_body::{RequestBody, poll_bytes};
use super::response_body::ResponseBody;
use super::service::{Held, facts, unready};
use crate::exchange::{
    Admission, Answered, BoxError, Classifier, Collected, Exchange, FirstByte, Linger, Pending, ResponsePlan, Rewritten,
};

pin_project! {
    /// Calls the inner service, reads an error's body where the exchange asks for it, and answers.
    ///
    /// Dropped before its response it logs the request as abandoned, once (rule F2).
    pub struct ResponseFuture<S, F, B, R> {
        #[pin]
        state: State<S, F, B, R>,
    }

    impl<S, F, B, R> PinnedDrop for ResponseFuture<S, F, B, R> {
        fn drop(this: Pin<&mut Self>) {
            abandon(this.project().state);
        }
    }
}

pin_project! {
    // The happy path's state is the largest, and the only one in place.
    #[project = StateProj]
    enum State<S, F, B, R> {
        Calling { #[pin] future: F, call: Option<Call> },
        Collecting { collecting: Pin<Box<Collecting<R>>> },
        Peeking { peeking: Peeking<S, B> },
        Answered { answer: Option<Box<Answer<B>>> },
        Done,
    }
}

/// An inner call.
struct Call {
    exchange: Exchange,
    span: Span,
    classifier: Option<Arc<Classifier>>,
}

pin_project! {
    /// An inner error whose body is read (R4).
    struct Collecting<R> {
        #[pin]
        body: R,
        frames: VecDeque<Frame<Bytes>>,
        left: u64,
        timeout: Duration,
        deadline: Option<Deadline>,
        rest: Option<(Exchange, response::Parts)>,
    }
}

/// A request whose first body byte is awaited (G3).
struct Peeking<S, B> {
    body: Option<Pin<Box<B>>>,
    deadline: Deadline,
    rest: Option<Box<Waiting<S>>>,
}

/// What goes on once the first byte has come.
pub(super) struct Waiting<S> {
    pub(super) service: S,
    pub(super) held: Option<Held>,
    pub(super) classifier: Option<Arc<Classifier>>,
    pub(super) pending: Pending,
    pub(super) head: request::Parts,
}

struct Answer<B> {
    reply: Response<Bytes>,
    drain: Option<(Pin<Box<B>>, Linger)>,
}

type Reply<R, B> = Response<ResponseBody<R, B>>;

impl<S, F, B, R> ResponseFuture<S, F, B, R> {
    /// Calls the inner service.
    pub(super) fn call(
        service: &mut S,
        request: Request<RequestBody<B>>,
        exchange: Exchange,
        classifier: Option<Arc<Classifier>>,
    ) -> Self
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>, Future = F>,
    {
        Self { state: State::call(service, request, exchange, classifier) }
    }

    /// An answer of the layer's own. The request's body, where it was not forwarded, may be left to drain (G5).
    pub(super) fn answered(answered: Answered, body: Option<B>) -> Self {
        let drain = answered.linger.is_some();
        let body = body.filter(|_| drain).map(Box::pin);
        Self { state: State::answered(answered, body) }
    }

    pub(super) fn peek(body: B, timeout: Duration, rest: Waiting<S>) -> Self {
        let deadline = Deadline::after(timeout);
        let peeking = Peeking { body: Some(Box::pin(body)), deadline, rest: Some(Box::new(rest)) };
        Self { state: State::Peeking { peeking } }
    }
}

impl<S, B, R> Future for ResponseFuture<S, S::Future, B, R>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    type Output = Result<Reply<R, B>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProj::Calling { future, call } => {
                    let outcome = ready!(poll_call(future, call.as_ref(), cx));
                    let call = call.take();
                    // The future is dropped before its response is used: its drop may panic, too (F2).
                    let dropped = catch(|| state.set(State::Done));
                    let Some(call) = call else { return Poll::Pending };
                    match called(call, outcome, dropped) {
                        Ok(reply) => return Poll::Ready(Ok(reply)),
                        Err(next) => next,
                    }
                }
                StateProj::Collecting { collecting } => {
                    let Some(reply) = ready!(collecting.as_mut().poll(cx)) else { return Poll::Pending };
                    let _ = catch(|| state.set(State::Done));
                    return Poll::Ready(Ok(reply));
                }
                StateProj::Peeking { peeking } => {
                    let Some(next) = ready!(peeking.poll(cx)) else { return Poll::Pending };
                    next
                }
                StateProj::Answered { answer } => {
                    let Some(answer) = answer.take() else { return Poll::Pending };
                    state.set(State::Done);
                    return Poll::Ready(Ok(answer.into_reply()));
                }
                StateProj::Done => return Poll::Pending,
            };
            let _ = catch(|| state.set(next));
        }
    }
}

type Outcome<R> = Result<Result<Response<R>, BoxError>, Box<str>>;

fn poll_call<F, R, E>(future: Pin<&mut F>, call: Option<&Call>, cx: &mut Context<'_>) -> Poll<Outcome<R>>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    let Some(call) = call else { return Poll::Pending };
    let polled = catch(|| call.span.in_scope(|| future.poll(cx)).map_err(Into::into));
    match polled {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(outcome)) => Poll::Ready(Ok(outcome)),
        Err(panic) => Poll::Ready(Err(panic)),
    }
}

/// What follows from the inner call: a reply at once, or a state to go on with.
fn called<S, F, B, R>(
    call: Call,
    outcome: Outcome<R>,
    dropped: Result<(), Box<str>>,
) -> Result<Reply<R, B>, State<S, F, B, R>>
where
    R: Body,
{
    let Call { exchange, classifier, .. } = call;
    let answered = match (outcome, dropped) {
        (Ok(Ok(response)), Ok(())) => return responded(exchange, response),
        (Ok(Err(error)), Ok(())) => match catch(|| exchange.fault_of(&*error, classifier.as_deref())) {
            Ok(fault) => exchange.failed(fault, error),
            Err(panic) => exchange.panicked(panic),
        },
        (Err(panic), _) => exchange.panicked(panic),
        (Ok(outcome), Err(panic)) => {
            let _ = catch(|| drop(outcome));
            exchange.panicked(panic)
        }
    };
    Err(State::answered(answered, None))
}

fn responded<S, F, B, R>(exchange: Exchange, response: Response<R>) -> Result<Reply<R, B>, State<S, F, B, R>>
where
    R: Body,
{
    let (mut head, body) = response.into_parts();
    let id = exchange.request_id();
    match exchange.response_head(&mut head, facts(&body)) {
        ResponsePlan::Pass(tail, notes) => {
            log::notes(id, notes);
            Ok(Response::from_parts(head, ResponseBody::pass(body, tail)))
        }
        ResponsePlan::Strip(tail, notes) => {
            log::notes(id, notes);
            drop(ResponseBody::<R, B>::pass(body, tail));
            Ok(Response::from_parts(head, ResponseBody::default()))
        }
        ResponsePlan::Rewrite(written) => {
            let _ = catch(|| drop(body));
            log::event(written.event);
            Ok(Response::from_parts(head, ResponseBody::reply(written.body)))
        }
        ResponsePlan::Replace(answered) => {
            let _ = catch(|| drop(body));
            Err(State::answered(*answered, None))
        }
        ResponsePlan::Collect(exchange, max_bytes, timeout) => {
            let rest = Some((exchange, head));
            let collecting =
                Collecting { body, frames: VecDeque::new(), left: max_bytes, timeout, deadline: None, rest };
            Err(State::Collecting { collecting: Box::pin(collecting) })
        }
    }
}

impl<R> Collecting<R>
where
    R: Body,
    R::Error: Into<BoxError>,
{
    /// `None` where the reply was given before.
    fn poll<B>(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Reply<R, B>>> {
        let mut this = self.project();
        let whole = loop {
            match poll_bytes(this.body.as_mut(), cx) {
                Poll::Ready(None) => break true,
                Poll::Ready(Some(Err(_))) => break false,
                Poll::Ready(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                    let Some(left) = this.left.checked_sub(length) else { break false };
                    *this.left = left;
                    this.frames.push_back(frame);
                    if this.deadline.as_mut().is_some_and(|deadline| deadline.has_passed(cx)) {
                        break false;
                    }
                }
                Poll::Pending => {
                    let timeout = *this.timeout;
                    if !this.deadline.get_or_insert_with(|| Deadline::after(timeout)).has_passed(cx) {
                        return Poll::Pending;
                    }
                    break false;
                }
            }
        };
        Poll::Ready(
            this.rest.take().map(|(exchange, head)| decided(exchange, head, std::mem::take(this.frames), whole)),
        )
    }
}

/// Decides an inner error whose body was read.
fn decided<R, B>(
    exchange: Exchange,
    mut head: response::Parts,
    frames: VecDeque<Frame<Bytes>>,
    whole: bool,
) -> Reply<R, B> {
    let id = exchange.request_id();
    let body = if whole { joined(&frames) } else { Bytes::new() };
    let collected = if whole { Collected::Whole(&body) } else { Collected::Unreadable };
    match exchange.response_body(&mut head, collected) {
        Rewritten::Rewrite(written) => {
            log::event(written.event);
            Response::from_parts(head, ResponseBody::reply(written.body))
        }
        Rewritten::Restore(_, notes) => {
            log::notes(id, notes);
            Response::from_parts(head, ResponseBody::replay(frames))
        }
    }
}

fn joined(frames: &VecDeque<Frame<Bytes>>) -> Bytes {
    let mut chunks = frames.iter().filter_map(Frame::data_ref);
    match (chunks.next(), chunks.next()) {
        (None, _) => Bytes::new(),
        (Some(only), None) => only.clone(),
        (Some(first), Some(second)) => {
            let mut all = BytesMut::from(&first[..]);
            all.extend_from_slice(second);
            chunks.for_each(|chunk| all.extend_from_slice(chunk));
            all.freeze()
        }
    }
}

impl<S, B> Peeking<S, B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// The state that follows from the first byte; `None` where it was given before.
    fn poll<R>(&mut self, cx: &mut Context<'_>) -> Poll<Option<State<S, S::Future, B, R>>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let (first, trailers) = ready!(poll_first(body.as_mut(), &mut self.deadline, cx));
        let (Some(body), Some(rest)) = (self.body.take(), self.rest.take()) else { return Poll::Ready(None) };
        Poll::Ready(Some(rest.decide(first, trailers, body)))
    }
}

fn poll_first<B>(
    mut body: Pin<&mut B>,
    deadline: &mut Deadline,
    cx: &mut Context<'_>,
) -> Poll<(FirstByte, Option<Frame<Bytes>>)>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    loop {
        match poll_bytes(body.as_mut(), cx) {
            Poll::Ready(None) => return Poll::Ready((FirstByte::End, None)),
            Poll::Ready(Some(Err(error))) => return Poll::Ready((FirstByte::Failed(error), None)),
            Poll::Ready(Some(Ok(frame))) => match frame.data_ref() {
                // An empty DATA frame is not yet a body.
                Some(data) if data.is_empty() => {}
                Some(_) => return Poll::Ready((FirstByte::Data, None)),
                None => return Poll::Ready((FirstByte::End, Some(frame))),
            },
            Poll::Pending if deadline.has_passed(cx) => return Poll::Ready((FirstByte::TooSlow, None)),
            Poll::Pending => return Poll::Pending,
        }
    }
}

impl<S> Waiting<S> {
    fn decide<B, R>(
        self: Box<Self>,
        first: FirstByte,
        trailers: Option<Frame<Bytes>>,
        body: Pin<Box<B>>,
    ) -> State<S, S::Future, B, R>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Self { mut service, held, classifier, pending, head } = *self;
        match pending.first_byte(first) {
            Admission::Forward(exchange, meter) => match held {
                None => {
                    let request = Request::from_parts(head, RequestBody::peeked(body, trailers, meter));
                    State::call(&mut service, request, exchange, classifier)
                }
                Some(held) => State::answered(unready(held, exchange, classifier.as_deref()), None),
            },
            Admission::Answer(answered) => State::answered(answered, Some(body)),
            // One peek decides: the exchange asks for no second.
            Admission::Peek(pending, _) => State::answered(pending.panicked("a second peek".into()), Some(body)),
        }
    }
}

impl<S, F, B, R> State<S, F, B, R> {
    /// Calls the inner service, inside the request's span.
    fn call(
        service: &mut S,
        request: Request<RequestBody<B>>,
        exchange: Exchange,
        classifier: Option<Arc<Classifier>>,
    ) -> Self
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>, Future = F>,
    {
        let span = log::span(exchange.request_id());
        match catch(|| span.in_scope(|| service.call(request))) {
            Ok(future) => Self::Calling { future, call: Some(Call { exchange, span, classifier }) },
            Err(panic) => Self::answered(exchange.panicked(panic), None),
        }
    }

    fn answered(answered: Answered, body: Option<Pin<Box<B>>>) -> Self {
        let Answered { reply, linger, event } = answered;
        log::event(event);
        Self::Answered { answer: Some(Box::new(Answer { reply, drain: body.zip(linger) })) }
    }
}

impl<B> Answer<B> {
    fn into_reply<R>(self) -> Reply<R, B> {
        let (head, body) = self.reply.into_parts();
        let body = match self.drain {
            Some((request, linger)) => ResponseBody::drain(request, linger, body),
            None => ResponseBody::reply(body),
        };
        Response::from_parts(head, body)
    }
}

/// A request whose future is dropped before its response: logged once, and a panic goes no further (F2).
fn abandon<S, F, B, R>(mut state: Pin<&mut State<S, F, B, R>>) {
    let event = match state.as_mut().project() {
        StateProj::Calling { call, .. } => call.take().map(|call| call.exchange.abandoned()),
        StateProj::Collecting { collecting } => {
            collecting.as_mut().project().rest.take().map(|(exchange, _)| exchange.abandoned())
        }
        StateProj::Peeking { peeking } => peeking.rest.take().map(|rest| rest.pending.abandoned()),
        StateProj::Answered { .. } | StateProj::Done => None,
    };
    let _ = catch(|| state.set(State::Done));
    if let Some(event) = event {
        log::event(event);
    }
}

impl<S, F, B, R> fmt::Debug for ResponseFuture<S, F, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
