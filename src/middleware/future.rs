//! The future of one request, and its states.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::Span;

use super::collecting::Collecting;
use super::context::CallContext;
use super::draining::{Draining, RemainingRequest};
use super::logged;
use super::parked::{Peeking, Verifying};
use super::request_body::RequestBody;
use super::response_body::{Kind, PolledReply, Reply, ResponseBody, decided, polled, watch};
use super::watched::Watched;
use error_envelope_core::session::{BoxError, Ending, LocalReply, Session};
use error_envelope_runtime::catch;

pin_project! {
    /// Calls the inner service, reads an error's body if the session requires it, and returns the response.
    ///
    /// If the future is dropped before it has returned the response, the client has left, and the request's record is
    /// closed (rules F2, L5). If the future is polled again after it has returned the response, it stays pending
    /// instead of panicking.
    pub struct ResponseFuture<S, F, B, R> {
        #[pin]
        pub(super) state: State<S, F, B, R>,
        // Reports the end of the request's record. It moves into the response's body once the response is sent.
        pub(super) watched: Option<Box<Watched>>,
    }

    impl<S, F, B, R> PinnedDrop for ResponseFuture<S, F, B, R> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            abandon(this.state, this.watched.take());
        }
    }
}

impl<S, B, R> Future for ResponseFuture<S, S::Future, B, R>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    type Output = Result<Reply<R, B>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.watched.is_none() {
            // The reply is returned directly, because moving it is expensive.
            return poll_reply(this.state, cx);
        }
        let mut polled = poll_reply(this.state, cx);
        if let Poll::Ready(Ok(reply)) = &mut polled
            && let Some(watched) = this.watched.take()
        {
            watch(reply, watched);
        }
        polled
    }
}

fn poll_reply<S, B, R>(mut state: Pin<&mut State<S, S::Future, B, R>>, cx: &mut Context<'_>) -> PolledReply<R, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    loop {
        let next = match state.as_mut().project() {
            StateProj::Calling { .. } => return state.poll_calling(cx),
            StateProj::Collecting { collecting } => {
                let decided = ready!(collecting.poll(cx));
                return state.reply_after_reading(decided);
            }
            StateProj::Keeping { keeping } => {
                let Some(reading) = keeping else { return Poll::Pending };
                let decided = ready!(reading.as_mut().poll(cx));
                return state.reply_after_reading(decided);
            }
            StateProj::Peeking { peeking } => ready!(peeking.poll(cx)),
            StateProj::Verifying { verifying } => ready!(verifying.poll(cx)),
            StateProj::Answered { answered } => {
                let Some(mut answered) = answered.take() else { return Poll::Pending };
                state.set(State::Done);
                logged::mark_reply(&mut answered);
                return answered_at_once(*answered, None);
            }
            StateProj::Draining { draining } => {
                let Some(mut request) = draining.take() else { return Poll::Pending };
                state.set(State::Done);
                let ended = request.as_mut().drain_at_once(cx);
                let Some(mut answered) = request.as_mut().reply() else { return Poll::Pending };
                logged::mark_reply(&mut answered);
                if ended {
                    let _ = catch(|| drop(request));
                    return answered_at_once(*answered, None);
                }
                let LocalReply { reply, record, .. } = *answered;
                let (head, body) = reply.into_parts();
                return polled(head, ResponseBody::new(Kind::Drain { request, body }, decided(record), None));
            }
            StateProj::Done => return Poll::Pending,
        };
        let _ = catch(|| state.set(next));
    }
}

/// Sends a local reply that is marked, without reading the rest of the request.
#[inline(always)]
pub(super) fn answered_at_once<R, B>(answered: LocalReply, context: Option<Box<CallContext>>) -> PolledReply<R, B> {
    let LocalReply { reply, record, .. } = answered;
    let (head, body) = reply.into_parts();
    polled(head, ResponseBody::reply(body, decided(record), context))
}

/// Closes the record of a request whose future is dropped before its response, and catches a panic (F2).
fn abandon<S, F, B, R>(mut state: Pin<&mut State<S, F, B, R>>, watched: Option<Box<Watched>>) {
    let record = match state.as_mut().project() {
        // A call that has ended no longer has a future.
        StateProj::Done | StateProj::Calling { call: None, .. } => return,
        StateProj::Calling { call: Some(call), .. } if call.session.has_ended() => return,
        StateProj::Calling { call, .. } => call.take().and_then(|mut call| call.session.abandon()),
        StateProj::Collecting { collecting } => collecting.abandoned(),
        StateProj::Keeping { keeping } => keeping.as_mut().and_then(|it| it.as_mut().abandoned()),
        StateProj::Peeking { peeking } => peeking.abandoned(),
        StateProj::Verifying { verifying } => verifying.abandoned(),
        StateProj::Answered { answered } => answered.take().map(|answered| answered.record),
        StateProj::Draining { draining } => draining.as_mut().and_then(|it| it.as_mut().reply()).map(|it| it.record),
    };
    let _ = catch(|| state.set(State::Done));
    // The record is closed outside the request's span. The code that drops the future may have its own span, which
    // shows why the future was dropped.
    if let (Some(record), Some(watched)) = (record, watched) {
        watched.close_unsent(record);
    }
}

impl<S, F, B, R> fmt::Debug for ResponseFuture<S, F, B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

pin_project! {
    // The state of a request without an error is the largest, so a box for it would cost every request.
    #[project = StateProj]
    pub(super) enum State<S, F, B, R> {
        Calling { #[pin] future: Option<F>, call: Option<Call> },
        Collecting { #[pin] collecting: Collecting<R> },
        // An error whose body is read, but which may still pass (M1). The body must not be moved, because its unread
        // rest may be sent.
        Keeping { keeping: Option<Pin<Box<Collecting<R>>>> },
        Peeking { peeking: Box<Peeking<S, B>> },
        Verifying { verifying: Box<Verifying<S, B>> },
        Answered { answered: Option<Box<LocalReply>> },
        Draining { draining: Option<Pin<Box<Draining<B>>>> },
        Done,
    }
}

/// An inner call.
pub(super) struct Call {
    pub(super) session: Session,
    pub(super) context: Option<Box<CallContext>>,
}

impl Call {
    /// Calls the inner service with this head and body, inside the request's span, and puts its future into `future`,
    /// which is empty before. The closure borrows all of them, because values that `catch` takes and returns would be
    /// moved twice. If the call panics, returns the reply to the client.
    #[inline(always)]
    pub(super) fn begin<S, B>(
        service: &mut S,
        head: &mut Option<Parts>,
        body: &mut Option<RequestBody<B>>,
        future: &mut Option<S::Future>,
        session: &mut Session,
    ) -> Result<Option<Box<CallContext>>, Option<Box<LocalReply>>>
    where
        S: Service<Request<RequestBody<B>>>,
    {
        debug_assert!(future.is_none() && head.is_some() && body.is_some());
        let context = CallContext::new(session);
        let called = catch(|| {
            let _inside = context.as_deref().and_then(|context| context.span.as_ref()).map(Span::enter);
            if let (Some(body), Some(head)) = (body.take(), head.take()) {
                // An assignment would also drop the old value, and would therefore move the future once more.
                std::mem::forget(future.replace(service.call(Request::from_parts(head, body))));
            }
        });
        match called {
            Ok(()) => Ok(context),
            // The user's log subscriber may panic, too, before or after the call. The span is dropped after the event.
            Err(panic) => {
                let _ = catch(|| drop(future.take()));
                let _ = catch(|| *head = None);
                let _ = catch(|| *body = None);
                Err(session.end(Ending::Panicked(panic)).map(Box::new))
            }
        }
    }

    /// Returns true if the client's deadline for an RPC call has passed.
    pub(super) fn has_run_out(&mut self, cx: &mut Context<'_>) -> bool {
        self.context.as_mut().is_some_and(|context| context.has_run_out(cx))
    }
}

impl<S, F, B, R> State<S, F, B, R> {
    /// Sends a local reply. If the request's body was not forwarded, it may have to be drained (G5).
    pub(super) fn sent(answered: Option<Box<LocalReply>>, body: Option<RemainingRequest<B>>) -> Self {
        let drain = answered.as_ref().and_then(|answered| answered.drain);
        match (answered, body, drain) {
            (Some(answered), Some(body), Some(drain)) => {
                Self::Draining { draining: Some(Box::pin(Draining::new(body, drain, answered))) }
            }
            // Dropping the body runs user code (F2).
            (answered, body, _) => {
                let _ = catch(|| drop(body));
                Self::Answered { answered }
            }
        }
    }
}
