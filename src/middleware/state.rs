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
    pub(super) exchange: Exchange,
    pub(super) context: Option<Box<CallContext>>,
}

/// State that only a few calls need.
pub(super) struct CallContext {
    pub(super) span: Option<Span>,
    pub(super) deadline: Option<Deadline>,
}

impl Call {
    /// Calls the inner service, inside the request's span. The closure borrows the request and the future: values that
    /// `catch` takes and returns would be moved twice. If the call panics, the reply is returned.
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
        let context = if has_context { CallContext::new(&exchange) } else { None };
        let called = catch(|| {
            let _inside = span::enter(CallContext::span(&context));
            if let Some(request) = request.take() {
                // It was `None`: an assignment would also drop it, and for that move the future once more.
                std::mem::forget(future.replace(service.call(request)));
            }
        });
        // The user's log subscriber may panic, too, before or after the call.
        if let Err(panic) = called {
            let _ = catch(|| drop(future.take()));
            if let Some((head, body)) = request.take().map(Request::into_parts) {
                let _ = catch(|| drop(head));
                let _ = catch(|| drop(body));
            }
            return Err(Box::new(exchange.panicked(panic)));
        }
        Ok(Self { exchange, context })
    }

    /// Whether the client's deadline for an RPC call has passed.
    pub(super) fn has_run_out(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.context.as_mut().and_then(|context| context.deadline.as_mut());
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

    /// The span of a call, if it has one.
    pub(super) fn span(context: &Option<Box<Self>>) -> Option<&Span> {
        context.as_ref()?.span.as_ref()
    }

    /// The span, and the deadline in its place: borrowed, so that nothing is left to drop.
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

/// Logs a local reply. Returns it with the rest of the request if that rest must be read first, else alone.
fn log_and_drain<B>(
    mut answered: Box<LocalReply>,
    body: Option<RemainingRequest<B>>,
) -> Result<Pin<Box<Draining<B>>>, Box<LocalReply>> {
    runtime::log_reply(&mut answered);
    match (body, answered.drain) {
        (Some(body), Some(drain)) => Ok(Box::pin(Draining::new(body, drain, answered))),
        // Dropping the body runs user code (F2).
        (body, _) => {
            let _ = catch(|| drop(body));
            Err(answered)
        }
    }
}
