//! The future of one request.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::Span;

use super::budget::{Budget, Deadline};
use super::catch::catch;
use super::collecting::{Collecting, Decided};
use super::log;
use super::peeking::{Peeking, Waiting};
use super::request_body::RequestBody;
use super::response_body::ResponseBody;
use super::service::facts;
use super::tee::Tee;
use super::verifying::{Unsettled, Verifying};
use super::watching::Watching;
use crate::exchange::{Answered, BoxError, Classifier, Exchange, Linger, ResponsePlan};

pin_project! {
    /// Calls the inner service, reads an error's body where the exchange asks for it, and answers.
    ///
    /// Dropped before its response it logs the request as abandoned, once (rule F2). Polled after it, it is pending for
    /// ever: that is for no executor to do, and no reason to panic.
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
    pub(super) enum State<S, F, B, R> {
        Calling { #[pin] future: F, call: Option<Call> },
        Collecting { collecting: Option<Pin<Box<Collecting<R>>>> },
        Peeking { peeking: Peeking<S, B> },
        Verifying { verifying: Box<Verifying<S, B>> },
        Answered { answer: Option<Box<Answer<B>>> },
        Done,
    }
}

/// An inner call.
struct Call {
    exchange: Exchange,
    span: Option<Box<Span>>,
    classifier: Option<Arc<Classifier>>,
    deadline: Option<Box<Deadline>>,
}

pub(super) struct Answer<B> {
    reply: Response<Bytes>,
    drain: Option<(Pin<Box<B>>, Linger)>,
}

pub(super) type Reply<R, B> = Response<ResponseBody<R, B>>;

impl<S, F, B, R> ResponseFuture<S, F, B, R> {
    /// Calls the inner service.
    pub(super) fn call(
        service: &mut S,
        request: &mut Option<Request<RequestBody<B>>>,
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
        let body = if answered.linger.is_some() {
            body.map(Box::pin)
        } else {
            let _ = catch(|| drop(body));
            None
        };
        Self { state: State::answered(answered, body) }
    }

    /// Waits for the first byte of the body (G3).
    pub(super) fn peek(body: B, timeout: Duration, rest: Waiting<S>) -> Self {
        Self { state: State::Peeking { peeking: Peeking::new(Box::pin(body), timeout, rest) } }
    }

    /// Waits for a verifier (G2).
    pub(super) fn verify(timeout: Duration, rest: Unsettled<S, B>) -> Self {
        Self { state: State::Verifying { verifying: Box::new(Verifying::new(timeout, rest)) } }
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
                    let Some(running) = call else { return Poll::Pending };
                    let mut outcome = None;
                    let polled = catch(|| {
                        let _inside = log::enter(running.span.as_deref());
                        if let Poll::Ready(ready) = future.poll(cx) {
                            outcome = Some(ready);
                        }
                    });
                    if outcome.is_none() && polled.is_ok() && !running.has_run_out(cx) {
                        return Poll::Pending;
                    }
                    let call = call.take();
                    // The future is dropped before its response is used: its drop may panic, too (F2).
                    let dropped = catch(|| state.set(State::Done));
                    let Some(call) = call else { return Poll::Pending };
                    match called(call, outcome, polled.and(dropped)) {
                        Next::Reply(reply) => return Poll::Ready(Ok(reply)),
                        Next::Collect(collecting) => State::Collecting { collecting: Some(collecting) },
                    }
                }
                StateProj::Collecting { collecting } => {
                    let Some(reading) = collecting else { return Poll::Pending };
                    let Some(decided) = ready!(reading.as_mut().poll(cx)) else { return Poll::Pending };
                    let reply = match (decided, collecting.take()) {
                        (Decided::Resume(head, read, error, tail), Some(rest)) => {
                            Response::from_parts(head, ResponseBody::resume(read, error, rest, tail))
                        }
                        (Decided::Resume(head, ..), None) => Response::from_parts(head, ResponseBody::default()),
                        (Decided::Reply(reply), read) => {
                            let _ = catch(|| drop(read));
                            reply
                        }
                    };
                    state.set(State::Done);
                    return Poll::Ready(Ok(reply));
                }
                StateProj::Peeking { peeking } => {
                    let Some(next) = ready!(peeking.poll(cx)) else { return Poll::Pending };
                    next
                }
                StateProj::Verifying { verifying } => {
                    let Some(next) = ready!(verifying.poll(cx)) else { return Poll::Pending };
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

impl Call {
    /// The client of an RPC call waits no longer.
    fn has_run_out(&mut self, cx: &mut Context<'_>) -> bool {
        self.deadline.as_mut().is_some_and(|deadline| deadline.has_passed(cx))
    }
}

/// What follows from the inner call.
enum Next<R, B> {
    Reply(Reply<R, B>),
    Collect(Pin<Box<Collecting<R>>>),
}

/// What comes of a call: its outcome, or none where its time ran out. `ran` is the panic of its poll or its drop.
fn called<R, B, E>(call: Call, outcome: Option<Result<Response<R>, E>>, ran: Result<(), Box<str>>) -> Next<R, B>
where
    R: Body,
    E: Into<BoxError>,
{
    let answered = match (outcome, ran) {
        (Some(Ok(response)), Ok(())) => return responded(call, response),
        (Some(Err(error)), Ok(())) => failed(call, error),
        (None, Ok(())) => call.exchange.timed_out(),
        (outcome, Err(panic)) => {
            discard(outcome);
            call.exchange.panicked(panic)
        }
    };
    Next::Reply(Answer::new(answered, None).into_reply())
}

/// Drops what nobody will see, piece by piece: a second panic while the first unwinds would abort.
fn discard<R, E>(outcome: Option<Result<Response<R>, E>>) {
    match outcome {
        None => {}
        Some(Err(error)) => drop(catch(|| drop(error))),
        Some(Ok(response)) => {
            let (head, body) = response.into_parts();
            let _ = catch(|| drop(head));
            let _ = catch(|| drop(body));
        }
    }
}

fn failed(call: Call, error: impl Into<BoxError>) -> Answered {
    let Call { exchange, classifier, .. } = call;
    let error = match catch(|| error.into()) {
        Ok(error) => error,
        Err(panic) => return exchange.panicked(panic),
    };
    match catch(|| exchange.failure_of(&*error, classifier.as_deref())) {
        Ok(failure) => exchange.failed(failure, error),
        Err(panic) => {
            let _ = catch(|| drop(error));
            exchange.panicked(panic)
        }
    }
}

fn responded<R, B>(call: Call, response: Response<R>) -> Next<R, B>
where
    R: Body,
{
    let Call { exchange, classifier, deadline, .. } = call;
    let (mut head, body) = response.into_parts();
    let id = exchange.request_id();
    let body = match exchange.response_head(&mut head, facts(&body)) {
        ResponsePlan::Pass(tail, notes) => {
            log::notes(id, notes);
            ResponseBody::pass(body, tail)
        }
        ResponsePlan::Keep(tail, event) => {
            log::event(*event);
            ResponseBody::pass(body, tail)
        }
        ResponsePlan::Strip(tail, notes) => {
            log::notes(id, notes);
            let length = catch(|| body.size_hint()).unwrap_or_default();
            drop(ResponseBody::<R, B>::pass(body, tail));
            // The head of a 205 says 0 (E5); a 204 and a 304 say what the service did.
            if head.status == StatusCode::RESET_CONTENT {
                ResponseBody::default()
            } else {
                ResponseBody::stripped(length)
            }
        }
        ResponsePlan::Rewrite(written) => {
            let _ = catch(|| drop(body));
            log::event(written.event);
            ResponseBody::reply(written.body)
        }
        ResponsePlan::Replace(answered) => {
            let _ = catch(|| drop(body));
            let _ = catch(|| drop(head));
            return Next::Reply(Answer::new(*answered, None).into_reply());
        }
        ResponsePlan::Tee(tail, observed, max_bytes, timeout) => {
            let size = catch(|| body.size_hint()).unwrap_or_default();
            ResponseBody::tee(body, tail, Tee::new(observed, max_bytes, timeout, size))
        }
        ResponsePlan::Watch(watch) => {
            log::notes(id, watch.notes());
            ResponseBody::watch(body, Watching::new(watch, classifier, deadline))
        }
        ResponsePlan::Collect(exchange, max_bytes, timeout) => {
            let budget = Budget::new(max_bytes, timeout);
            return Next::Collect(Box::pin(Collecting::new(exchange, head, body, budget, deadline)));
        }
    };
    Next::Reply(Response::from_parts(head, body))
}

impl<S, F, B, R> State<S, F, B, R> {
    /// Calls the inner service, inside the request's span. The request is taken where it is: it is large.
    pub(super) fn call(
        service: &mut S,
        request: &mut Option<Request<RequestBody<B>>>,
        exchange: Exchange,
        classifier: Option<Arc<Classifier>>,
    ) -> Self
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>, Future = F>,
    {
        let span = log::span(exchange.request_id());
        let deadline = exchange.deadline().map(|timeout| Box::new(Deadline::after(timeout)));
        // By reference: what a catch takes and gives by value is moved twice.
        let mut future = None;
        let called = catch(|| {
            let _inside = log::enter(span.as_deref());
            if let Some(request) = request.take() {
                future = Some(service.call(request));
            }
        });
        match (called, future) {
            (Ok(()), Some(future)) => {
                Self::Calling { future, call: Some(Call { exchange, span, classifier, deadline }) }
            }
            // A subscriber of the user's may panic, too, before the call or behind it.
            (called, future) => {
                let _ = catch(|| drop(future));
                let _ = catch(|| drop(request.take()));
                Self::answered(exchange.panicked(called.err().unwrap_or_default()), None)
            }
        }
    }

    pub(super) fn answered(answered: Answered, body: Option<Pin<Box<B>>>) -> Self {
        Self::Answered { answer: Some(Box::new(Answer::new(answered, body))) }
    }
}

impl<B> Answer<B> {
    pub(super) fn new(answered: Answered, body: Option<Pin<Box<B>>>) -> Self {
        let Answered { reply, linger, event, unenforced } = answered;
        log::unenforced(unenforced);
        log::event(event);
        let drain = match (body, linger) {
            (Some(body), Some(linger)) => Some((body, linger)),
            // Its drop is the user's own (F2).
            (body, _) => {
                let _ = catch(|| drop(body));
                None
            }
        };
        Self { reply, drain }
    }

    pub(super) fn into_reply<R>(self) -> Reply<R, B> {
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
        StateProj::Collecting { collecting } => collecting.as_mut().and_then(|it| it.as_mut().abandoned()),
        StateProj::Peeking { peeking } => peeking.abandoned(),
        StateProj::Verifying { verifying } => verifying.abandoned(),
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
