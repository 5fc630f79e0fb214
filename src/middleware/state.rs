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
use super::peeking::{AfterPeek, Peeking};
use super::request_body::RequestBody;
use super::span;
use super::verifying::{AfterVerification, Verifying};
use error_envelope_core::exchange::{Exchange, LocalReply};
use error_envelope_runtime as runtime;
use error_envelope_runtime::catch;

pin_project! {
    // The happy path's state is the largest.
    #[project = StateProj]
    pub(super) enum State<S, F, B, R> {
        Calling { #[pin] future: Option<F>, call: Option<Call> },
        Collecting { #[pin] collecting: Collecting<R> },
        // The unread rest may be sent after all, from its place (M1).
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
    pub(super) exchange: Exchange,
    pub(super) around: Option<Box<CallContext>>,
}

/// State that few calls have.
pub(super) struct CallContext {
    pub(super) span: Option<Span>,
    pub(super) deadline: Option<Deadline>,
}

impl Call {
    /// Calls the inner service, inside the request's span. The request is taken from its place, and the future is written
    /// into its own: what a catch takes or returns by value is moved twice. A panic returns the reply.
    #[inline(always)]
    pub(super) fn begin<S, B>(
        service: &mut S,
        request: &mut Option<Request<RequestBody<B>>>,
        future: &mut Option<S::Future>,
        exchange: Exchange,
    ) -> Result<Self, Box<LocalReply>>
    where
        S: Service<Request<RequestBody<B>>>,
    {
        let has_context = runtime::may_log_requests() || exchange.deadline().is_some();
        let around = if has_context { CallContext::new(&exchange) } else { None };
        let called = catch(|| {
            let _inside = span::enter(CallContext::span(&around));
            if let Some(request) = request.take() {
                // Forgets a `None`: an assignment would move the future once more, past the drop of what was there.
                std::mem::forget(future.replace(service.call(request)));
            }
        });
        // A user's subscriber may panic, too, before or after the call.
        if let Err(panic) = called {
            let _ = catch(|| drop(future.take()));
            if let Some((head, body)) = request.take().map(Request::into_parts) {
                let _ = catch(|| drop(head));
                let _ = catch(|| drop(body));
            }
            return Err(Box::new(exchange.panicked(panic)));
        }
        Ok(Self { exchange, around })
    }

    /// The time of an RPC call's client is out.
    pub(super) fn has_run_out(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.around.as_mut().and_then(|around| around.deadline.as_mut());
        deadline.is_some_and(|deadline| deadline.has_passed(cx))
    }
}

impl CallContext {
    /// The context of a call that is logged, or has a time limit; `None` for any other.
    #[inline(never)]
    fn new(exchange: &Exchange) -> Option<Box<Self>> {
        let span = span::span(exchange.request_id());
        let deadline = exchange.deadline().map(Deadline::after);
        (span.is_some() || deadline.is_some()).then(|| Box::new(Self { span, deadline }))
    }

    /// The span, which stays here.
    pub(super) fn span(around: &Option<Box<Self>>) -> Option<&Span> {
        around.as_ref()?.span.as_ref()
    }

    /// The span, which stays here, and the place of the deadline, which moves on.
    pub(super) fn parts(&mut self) -> (Option<&Span>, Option<&mut Option<Deadline>>) {
        (self.span.as_ref(), Some(&mut self.deadline))
    }
}

impl<S, F, B, R> State<S, F, B, R> {
    /// Waits for the first byte of the body (G3).
    pub(super) fn peek(timeout: Duration, rest: AfterPeek<S, B>) -> Self {
        Self::Peeking { peeking: Box::new(Peeking::new(timeout, rest)) }
    }

    /// Waits for a verifier (G2).
    pub(super) fn verify(timeout: Duration, rest: AfterVerification<S, B>) -> Self {
        Self::Verifying { verifying: Box::new(Verifying::new(timeout, rest)) }
    }

    /// A local reply. The request's body, if it was not forwarded, may be left to drain (G5).
    #[inline(always)]
    pub(super) fn answered(answered: impl Into<Box<LocalReply>>, body: Option<RemainingRequest<B>>) -> Self {
        match log_and_drain(answered.into(), body) {
            Ok(draining) => Self::Draining { draining: Some(draining) },
            Err(answered) => Self::Answered { answered: Some(answered) },
        }
    }
}

/// Logs a local reply. Returns it with the rest of a request that is read before it, or else alone.
fn log_and_drain<B>(
    mut answered: Box<LocalReply>,
    body: Option<RemainingRequest<B>>,
) -> Result<Pin<Box<Draining<B>>>, Box<LocalReply>> {
    runtime::log_reply(&mut answered);
    match (body, answered.drain) {
        (Some(body), Some(drain)) => Ok(Box::pin(Draining::new(body, drain, answered))),
        // Its drop is user code (F2).
        (body, _) => {
            let _ = catch(|| drop(body));
            Err(answered)
        }
    }
}
