//! The future of one request, and its states.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::Span;

use super::collecting::Collecting;
use super::deadline::Deadline;
use super::draining::{Draining, RemainingRequest};
use super::logged::log_once;
use super::parked::{Peeking, Verifying, Waiting};
use super::request_body::RequestBody;
use super::response_body::{Kind, PolledReply, Reply, ResponseBody, polled, reply_of};
use error_envelope_core::session::{BoxError, Ending, LocalReply, Session};
use error_envelope_runtime as runtime;
use error_envelope_runtime::{RequestTimer, catch};

pin_project! {
    /// Calls the inner service, reads an error's body if the session requires it, and returns the response.
    ///
    /// If it is dropped before its response, it logs the request as abandoned, once (rule F2). If it is polled after
    /// its response, it stays pending instead of panicking.
    pub struct ResponseFuture<S, F, B, R> {
        #[pin]
        pub(super) state: State<S, F, B, R>,
        // Measures the request; later it moves into the response's body.
        pub(super) timer: Option<RequestTimer>,
    }

    impl<S, F, B, R> PinnedDrop for ResponseFuture<S, F, B, R> {
        fn drop(this: Pin<&mut Self>) {
            abandon(this.project().state);
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
        if this.timer.is_none() {
            // The reply is returned from here without a move, because it is large.
            return poll_reply(this.state, cx);
        }
        let mut polled = poll_reply(this.state, cx);
        if let Poll::Ready(Ok(reply)) = &mut polled
            && let Some(mut timer) = this.timer.take()
        {
            timer.head(reply.status());
            reply.body_mut().time(timer);
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
                let Some(answered) = answered.take() else { return Poll::Pending };
                state.set(State::Done);
                return reply_of(answered.reply);
            }
            StateProj::Draining { draining } => {
                let Some(mut request) = draining.take() else { return Poll::Pending };
                state.set(State::Done);
                let ended = request.as_mut().drain_at_once(cx);
                let Some(answered) = request.as_mut().reply() else { return Poll::Pending };
                if ended {
                    let _ = catch(|| drop(request));
                    return reply_of(answered.reply);
                }
                let (head, body) = answered.reply.into_parts();
                return polled(head, ResponseBody::new(Kind::Drain { request, body }, None));
            }
            StateProj::Done => return Poll::Pending,
        };
        let _ = catch(|| state.set(next));
    }
}

/// Logs a request whose future is dropped before its response, once, and catches a panic (F2).
fn abandon<S, F, B, R>(mut state: Pin<&mut State<S, F, B, R>>) {
    let event = match state.as_mut().project() {
        // A call that has ended no longer has a future.
        StateProj::Done | StateProj::Calling { call: None, .. } => return,
        StateProj::Calling { call: Some(call), .. } if call.session.has_ended() => return,
        StateProj::Calling { call, .. } => call.take().and_then(|mut call| call.session.abandon()),
        StateProj::Collecting { collecting } => collecting.abandoned(),
        StateProj::Keeping { keeping } => keeping.as_mut().and_then(|it| it.as_mut().abandoned()),
        StateProj::Peeking { peeking } => peeking.abandoned(),
        StateProj::Verifying { verifying } => verifying.abandoned(),
        StateProj::Answered { .. } | StateProj::Draining { .. } => None,
    };
    let _ = catch(|| state.set(State::Done));
    if let Some(mut event) = event {
        // The event is not logged inside the request's span: the code that drops the future may have a span that shows
        // the reason.
        runtime::log_event(&mut event);
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
        // An error's body is read; its unread rest may be sent after all, so it must not be moved (M1).
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

/// State that only a few calls need.
pub(super) struct CallContext {
    pub(super) span: Option<Span>,
    pub(super) deadline: Option<Deadline>,
}

impl Call {
    /// Calls the inner service with the request in `request`, inside the request's span, and puts its future into
    /// `future`, which is empty before. The closure borrows both: values that `catch` takes and returns would be moved
    /// twice. If the call panics, the reply is returned.
    #[inline(always)]
    pub(super) fn begin<S, B>(
        service: &mut S,
        request: &mut Option<Request<RequestBody<B>>>,
        future: &mut Option<S::Future>,
        session: &mut Session,
    ) -> Result<Option<Box<CallContext>>, NextReply<B>>
    where
        S: Service<Request<RequestBody<B>>>,
    {
        debug_assert!(future.is_none() && request.is_some());
        let context = CallContext::new(session);
        let called = catch(|| {
            let _inside = context.as_deref().and_then(CallContext::span).map(Span::enter);
            if let Some(request) = request.take() {
                // An assignment would also drop what was there, and for that move the future once more.
                std::mem::forget(future.replace(service.call(request)));
            }
        });
        match called {
            Ok(()) => Ok(context),
            // The user's log subscriber may panic, too, before or after the call. The span is dropped after the event.
            Err(panic) => {
                let _ = catch(|| drop(future.take()));
                if let Some((head, body)) = request.take().map(Request::into_parts) {
                    let _ = catch(|| drop(head));
                    let _ = catch(|| drop(body));
                }
                Err(NextReply::new(session.end(Ending::Panicked(panic)).map(Box::new), None))
            }
        }
    }

    /// Whether the client's deadline for an RPC call has passed.
    pub(super) fn has_run_out(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.context.as_mut().and_then(|context| context.deadline.as_mut());
        deadline.is_some_and(|deadline| deadline.has_passed(cx))
    }
}

impl CallContext {
    /// The context of a call whose span a subscriber wants, or which has a deadline; `None` for any other.
    #[inline(always)]
    fn new(session: &Session) -> Option<Box<Self>> {
        if runtime::may_want_span() || session.call_time().is_some() { Self::wanted(session) } else { None }
    }

    #[inline(never)]
    fn wanted(session: &Session) -> Option<Box<Self>> {
        let span = runtime::request_span(session.id()?);
        let deadline = session.call_time().map(Deadline::after);
        (span.is_some() || deadline.is_some()).then(|| Box::new(Self { span, deadline }))
    }

    /// The span of a call, if it has one.
    pub(super) fn span(&self) -> Option<&Span> {
        self.span.as_ref()
    }

    /// The span, and the deadline in its place: borrowed, so that nothing is left to drop.
    pub(super) fn parts(&mut self) -> (Option<&Span>, Option<&mut Option<Deadline>>) {
        (self.span.as_ref(), Some(&mut self.deadline))
    }
}

impl<S, F, B, R> State<S, F, B, R> {
    /// Waits for the first byte of the body (G3).
    pub(super) fn peek(timeout: Duration, rest: Waiting<S>, body: Pin<Box<B>>) -> Self {
        Self::Peeking { peeking: Box::new(Peeking::new(timeout, rest, body)) }
    }

    /// Waits for a verifier (G2).
    pub(super) fn verify(timeout: Duration, rest: Waiting<S>, body: B) -> Self {
        Self::Verifying { verifying: Box::new(Verifying::new(timeout, rest, body)) }
    }

    /// A local reply. The request's body, if it was not forwarded, may be left to drain (G5).
    pub(super) fn sent(answered: Option<Box<LocalReply>>, body: Option<RemainingRequest<B>>) -> Self {
        Self::replying(NextReply::new(answered, body))
    }

    /// A local reply that is logged already.
    #[inline(always)]
    pub(super) fn replying(next: NextReply<B>) -> Self {
        match next {
            NextReply::Drained(draining) => Self::Draining { draining: Some(draining) },
            NextReply::AtOnce(answered) => Self::Answered { answered },
        }
    }
}

/// A local reply that is logged.
pub(super) enum NextReply<B> {
    /// The rest of the request is read before it, or after its head.
    Drained(Pin<Box<Draining<B>>>),
    AtOnce(Option<Box<LocalReply>>),
}

impl<B> NextReply<B> {
    fn new(answered: Option<Box<LocalReply>>, body: Option<RemainingRequest<B>>) -> Self {
        let Some(mut answered) = answered else { return Self::AtOnce(None) };
        log_once(&mut answered.event, answered.reply.extensions_mut());
        match (body, answered.drain) {
            (Some(body), Some(drain)) => Self::Drained(Box::pin(Draining::new(body, drain, answered))),
            // Dropping the body runs user code (F2).
            (body, _) => {
                let _ = catch(|| drop(body));
                Self::AtOnce(Some(answered))
            }
        }
    }
}
