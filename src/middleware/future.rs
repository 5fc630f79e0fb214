//! The future of one request.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response, StatusCode, response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::collecting::{CollectJob, Collecting};
use super::decided::BodyOutcome;
use super::draining::RemainingRequest;
use super::event_body::EventBody;
use super::facts::facts;
use super::peeking::{AfterPeek, Peeking};
use super::request_body::RequestBody;
use super::response_body::{Reply, ResponseBody, reply_of};
use super::rpc_body::RpcBody;
use super::span;
use super::state::{Call, CallContext, State, StateProj};
use super::tee::Tee;
use super::verifying::{AfterVerification, Verifying};
use error_envelope_core::exchange::{BoxError, Exchange, LocalReply, ResponsePlan};
use error_envelope_core::request_id::RequestId;
use error_envelope_runtime as runtime;
use error_envelope_runtime::catch;

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

impl<S, F, B, R> ResponseFuture<S, F, B, R> {
    /// Calls the inner service.
    pub(super) fn call(service: &mut S, request: &mut Option<Request<RequestBody<B>>>, exchange: Exchange) -> Self
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>, Future = F>,
    {
        Self { state: State::call(service, request, exchange) }
    }

    /// An answer of the layer's own. The request's body, where it was not forwarded, may be left to drain (G5).
    pub(super) fn answered(answered: impl Into<Box<LocalReply>>, body: Option<B>) -> Self {
        Self { state: State::answered(answered, body.map(RemainingRequest::from)) }
    }

    /// Waits for the first byte of the body (G3).
    pub(super) fn peek(body: B, timeout: Duration, rest: AfterPeek<S>) -> Self {
        Self { state: State::Peeking { peeking: Peeking::new(Box::pin(body), timeout, rest) } }
    }

    /// Waits for a verifier (G2).
    pub(super) fn verify(timeout: Duration, rest: AfterVerification<S, B>) -> Self {
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
                StateProj::Calling { .. } => return poll_calling(state, cx).map(Ok),
                StateProj::Collecting { collecting } => {
                    let Some(decided) = ready!(collecting.poll(cx)) else { return Poll::Pending };
                    return Poll::Ready(Ok(read(state, decided)));
                }
                StateProj::Keeping { keeping } => {
                    let Some(reading) = keeping else { return Poll::Pending };
                    let Some(decided) = ready!(reading.as_mut().poll(cx)) else { return Poll::Pending };
                    return Poll::Ready(Ok(read(state, decided)));
                }
                StateProj::Peeking { peeking } => {
                    let Some(next) = ready!(peeking.poll(cx)) else { return Poll::Pending };
                    next
                }
                StateProj::Verifying { verifying } => {
                    let Some(next) = ready!(verifying.poll(cx)) else { return Poll::Pending };
                    next
                }
                StateProj::Answered { answered } => {
                    let Some(answered) = answered.take() else { return Poll::Pending };
                    state.set(State::Done);
                    return Poll::Ready(Ok(answered.reply.map(ResponseBody::reply)));
                }
                StateProj::Draining { draining } => {
                    let Some(mut request) = draining.take() else { return Poll::Pending };
                    state.set(State::Done);
                    let ended = request.as_mut().drain_at_once(cx);
                    let Some(reply) = request.as_mut().reply() else { return Poll::Pending };
                    return Poll::Ready(Ok(if ended {
                        let _ = catch(|| drop(request));
                        reply.map(ResponseBody::reply)
                    } else {
                        reply.map(|body| ResponseBody::drain(request, body))
                    }));
                }
                StateProj::Done => return Poll::Pending,
            };
            let _ = catch(|| state.set(next));
        }
    }
}

/// Polls the inner call, and what it answered.
#[inline]
fn poll_calling<S, B, R>(mut state: Pin<&mut State<S, S::Future, B, R>>, cx: &mut Context<'_>) -> Poll<Reply<R, B>>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Body,
    B::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    let (mut outcome, mut ended) = (None, None);
    // The future is dropped before its response is used: its drop may panic, too (F2).
    let polled = catch(|| poll_call(state.as_mut(), &mut outcome, &mut ended, cx));
    let call = match (ended, &polled) {
        (Some(call), _) => call,
        (None, Ok(())) => return Poll::Pending,
        (None, Err(_)) => {
            let StateProj::Calling { call, .. } = state.as_mut().project() else {
                return Poll::Pending;
            };
            let Some(call) = call.take() else { return Poll::Pending };
            let _ = catch(|| state.set(State::Done));
            call
        }
    };
    let response = match (outcome, polled) {
        (Some(Ok(response)), Ok(())) => response,
        (outcome, polled) => return Poll::Ready(failed(call, outcome, polled)),
    };
    answer(state, call, response, cx)
}

/// Decides by the head of a response, and reads its body first where the exchange asks for that.
#[inline]
fn answer<S, B, R>(
    mut state: Pin<&mut State<S, S::Future, B, R>>,
    call: Call,
    response: Response<R>,
    cx: &mut Context<'_>,
) -> Poll<Reply<R, B>>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body,
    B::Error: Into<BoxError>,
    R: Body,
    R::Error: Into<BoxError>,
{
    let Call { exchange, around } = call;
    let (mut head, body) = response.into_parts();
    let (id, may_restore) = (exchange.request_id(), exchange.may_restore());
    let (exchange, max_bytes, timeout) = match exchange.response_head(&mut head, || facts(&body)) {
        // Nearly every response: moved once, to where it goes.
        ResponsePlan::Pass(tail, notes) => {
            runtime::log_notes(id, notes);
            return Poll::Ready(Response::from_parts(head, ResponseBody::pass(body, tail)));
        }
        ResponsePlan::Rewrite(mut written) => {
            let _ = catch(|| drop(body));
            runtime::log_event(&mut written.event);
            return Poll::Ready(Response::from_parts(head, ResponseBody::reply(written.body)));
        }
        ResponsePlan::Collect(exchange, max_bytes, timeout) => (exchange, max_bytes, timeout),
        plan => return Poll::Ready(planned(plan, id, head, body, around)),
    };
    let deadline = around.and_then(|around| around.deadline);
    let job = CollectJob::new(exchange, head, max_bytes, timeout, deadline);
    if may_restore {
        let mut keeping = Box::pin(Collecting::new(body));
        let decided = keeping.as_mut().begin(job, cx);
        state.set(State::Keeping { keeping: Some(keeping) });
        return Poll::Ready(read(state, ready!(decided)));
    }
    state.set(State::Collecting { collecting: Collecting::new(body) });
    let StateProj::Collecting { collecting } = state.as_mut().project() else { return Poll::Pending };
    let decided = ready!(collecting.begin(job, cx));
    Poll::Ready(read(state, decided))
}

/// Polls the inner call. Where it has ended, or its client waits no longer, its future is gone and `ended` is what is left.
#[inline]
fn poll_call<S, B, R>(
    mut state: Pin<&mut State<S, S::Future, B, R>>,
    outcome: &mut Option<Result<Response<R>, S::Error>>,
    ended: &mut Option<Call>,
    cx: &mut Context<'_>,
) where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
{
    let StateProj::Calling { future, call } = state.as_mut().project() else { return };
    let Some(running) = call else { return };
    let polled = {
        let _inside = span::enter(running.around.as_ref().and_then(|around| around.span.as_ref()));
        future.poll(cx)
    };
    match polled {
        Poll::Ready(ready) => *outcome = Some(ready),
        Poll::Pending if !running.has_run_out(cx) => return,
        Poll::Pending => {}
    }
    *ended = call.take();
    state.set(State::Done);
}

/// The answer to a call that has no response: its error, or none where its time ran out. `ran` is the panic of its poll or
/// its drop.
fn failed<R, B, E>(call: Call, outcome: Option<Result<Response<R>, E>>, ran: Result<(), Box<str>>) -> Reply<R, B>
where
    E: Into<BoxError>,
{
    reply_of(match (outcome, ran) {
        (Some(Err(error)), Ok(())) => failed_with(call.exchange, error),
        (None, Ok(())) => call.exchange.timed_out(),
        (outcome, ran) => {
            discard(outcome);
            call.exchange.panicked(ran.err().unwrap_or_default())
        }
    })
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

fn failed_with(exchange: Exchange, error: impl Into<BoxError>) -> LocalReply {
    let error = match catch(|| error.into()) {
        Ok(error) => error,
        Err(panic) => return exchange.panicked(panic),
    };
    match catch(|| exchange.failure_of(&*error)) {
        Ok(failure) => exchange.failed(failure, error),
        Err(panic) => {
            let _ = catch(|| drop(error));
            exchange.panicked(panic)
        }
    }
}

/// What becomes of a response whose body is not read first.
fn planned<R, B>(
    plan: ResponsePlan,
    id: RequestId,
    head: response::Parts,
    body: R,
    around: Option<Box<CallContext>>,
) -> Reply<R, B>
where
    R: Body,
{
    let body = match plan {
        ResponsePlan::Pass(tail, notes) => {
            runtime::log_notes(id, notes);
            ResponseBody::pass(body, tail)
        }
        ResponsePlan::Keep(tail, mut event) => {
            runtime::log_event(&mut *event);
            ResponseBody::pass(body, tail)
        }
        ResponsePlan::Strip(tail, notes) => {
            runtime::log_notes(id, notes);
            let length = catch(|| body.size_hint()).unwrap_or_default();
            drop(ResponseBody::<R, B>::pass(body, tail));
            // The head of a 205 says 0 (E5); a 204 and a 304 say what the service did.
            if head.status == StatusCode::RESET_CONTENT {
                ResponseBody::default()
            } else {
                ResponseBody::stripped(length)
            }
        }
        ResponsePlan::Rewrite(mut written) => {
            let _ = catch(|| drop(body));
            runtime::log_event(&mut written.event);
            ResponseBody::reply(written.body)
        }
        ResponsePlan::Replace(answered) => {
            let _ = catch(|| drop(body));
            let _ = catch(|| drop(head));
            return reply_of(*answered);
        }
        ResponsePlan::Tee(tail, observed, max_bytes, timeout) => {
            let size = catch(|| body.size_hint()).unwrap_or_default();
            ResponseBody::tee(body, tail, Tee::new(observed, max_bytes, timeout, size))
        }
        ResponsePlan::Watch(watch) => {
            runtime::log_notes(id, watch.notes());
            ResponseBody::watch(body, RpcBody::new(watch, around.and_then(|around| around.deadline)))
        }
        ResponsePlan::Stream(stream, event) => {
            match event {
                Some(event) => runtime::log_event(*event),
                None => runtime::log_notes(id, stream.notes()),
            }
            ResponseBody::events(body, EventBody::new(stream))
        }
        // Taken by `poll`, as `Pass` and `Rewrite` are.
        ResponsePlan::Collect(exchange, ..) => {
            let _ = catch(|| drop(body));
            let _ = catch(|| drop(head));
            return reply_of(exchange.panicked("an error's body was not read".into()));
        }
    };
    Response::from_parts(head, body)
}

/// The reply to an error whose body was read. What was not read is dropped, or sent from where it is.
#[inline]
fn read<S, F, B, R>(mut state: Pin<&mut State<S, F, B, R>>, decided: BodyOutcome<R, B>) -> Reply<R, B> {
    let kept = match state.as_mut().project() {
        StateProj::Keeping { keeping } => keeping.take(),
        _ => None,
    };
    let reply = match (decided, kept) {
        (BodyOutcome::Resume(head, read, error, tail), Some(rest)) => {
            Response::from_parts(head, ResponseBody::resume(read, error, rest, tail))
        }
        // Nothing is resumed that was not kept.
        (BodyOutcome::Resume(head, ..), None) => Response::from_parts(head, ResponseBody::default()),
        (BodyOutcome::Reply(reply), kept) => {
            let _ = catch(|| drop(kept));
            reply
        }
    };
    let _ = catch(|| state.set(State::Done));
    reply
}

/// A request whose future is dropped before its response: logged once, and a panic goes no further (F2).
fn abandon<S, F, B, R>(mut state: Pin<&mut State<S, F, B, R>>) {
    let event = match state.as_mut().project() {
        StateProj::Done => return,
        StateProj::Calling { call, .. } => call.take().map(|call| call.exchange.abandoned()),
        StateProj::Collecting { collecting } => collecting.abandoned(),
        StateProj::Keeping { keeping } => keeping.as_mut().and_then(|it| it.as_mut().abandoned()),
        StateProj::Peeking { peeking } => peeking.abandoned(),
        StateProj::Verifying { verifying } => verifying.abandoned(),
        StateProj::Answered { .. } | StateProj::Draining { .. } => None,
    };
    let _ = catch(|| state.set(State::Done));
    if let Some(mut event) = event {
        runtime::log_event(&mut event);
    }
}

impl<S, F, B, R> fmt::Debug for ResponseFuture<S, F, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
