//! The states of one request, and the entry to the first of them.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use http::Request;
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::Span;

use super::budget::Deadline;
use super::collecting::Collecting;
use super::draining::{Draining, RemainingRequest};
use super::parked::{Peeking, Verifying, Waiting};
use super::request_body::RequestBody;
use error_envelope_core::session::{Ending, LocalReply, Session};
use error_envelope_runtime as runtime;
use error_envelope_runtime::catch;

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
        runtime::log_event(&mut answered.event);
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
