//! The states of one request, and the entry to the first of them.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use http::request::Parts;
use http::{Request, Response};
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
    /// Whether the client's deadline for an RPC call has passed.
    pub(super) fn has_run_out(&mut self, cx: &mut Context<'_>) -> bool {
        let deadline = self.context.as_mut().and_then(|context| context.deadline.as_mut());
        deadline.is_some_and(|deadline| deadline.has_passed(cx))
    }
}

impl CallContext {
    /// The span, borrowed, and the deadline, taken out.
    pub(super) fn parts(&mut self) -> (Option<&Span>, Option<Deadline>) {
        (self.span.as_ref(), self.deadline.take())
    }
}

impl<S, F, B, R> State<S, F, B, R> {
    /// Calls the inner service, inside the request's span.
    #[inline(always)]
    pub(super) fn call(service: &mut S, head: Parts, body: RequestBody<B>, exchange: Exchange) -> Self
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>, Future = F>,
    {
        let span = span::span(exchange.request_id());
        let deadline = exchange.deadline().map(Deadline::after);
        let context = (span.is_some() || deadline.is_some()).then(|| Box::new(CallContext { span, deadline }));
        // The closure borrows these: values that `catch` takes and returns would be moved twice.
        let (mut head, mut body, mut future) = (Some(head), Some(body), None);
        let called = catch(|| {
            let _inside = span::enter(context.as_ref().and_then(|context| context.span.as_ref()));
            if let Some(head) = head.take()
                && let Some(body) = body.take()
            {
                future = Some(service.call(Request::from_parts(head, body)));
            }
        });
        match (called, future) {
            (Ok(()), future @ Some(_)) => Self::Calling { future, call: Some(Call { exchange, context }) },
            // The user's log subscriber may panic, too, before or after the call.
            (called, future) => {
                let _ = catch(|| drop(future));
                let _ = catch(|| drop(head.take()));
                let _ = catch(|| drop(body.take()));
                Self::answered(exchange.panicked(called.err().unwrap_or_default()), None)
            }
        }
    }

    /// Waits for the first byte of the body (G3).
    pub(super) fn peek(timeout: Duration, rest: AfterPeek<S, B>) -> Self {
        Self::Peeking { peeking: Box::new(Peeking::new(timeout, rest)) }
    }

    /// Waits for a verifier (G2).
    pub(super) fn verify(timeout: Duration, rest: AfterVerification<S, B>) -> Self {
        Self::Verifying { verifying: Box::new(Verifying::new(timeout, rest)) }
    }

    /// A local reply. The request's body, if it was not forwarded, may be left to drain (G5).
    pub(super) fn answered(answered: impl Into<Box<LocalReply>>, body: Option<RemainingRequest<B>>) -> Self {
        let mut answered = answered.into();
        runtime::log_reply(&mut answered);
        match (body, answered.drain) {
            (Some(body), Some(drain)) => {
                Self::Draining { draining: Some(Box::pin(Draining::new(body, drain, answered))) }
            }
            // Dropping the body runs user code (F2).
            (body, _) => {
                let _ = catch(|| drop(body));
                Self::Answered { answered: Some(answered) }
            }
        }
    }
}
