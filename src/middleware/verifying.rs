//! Waits for a verifier's result, or until missing keys are fetched (rule G2).

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tracing::Span;

use super::budget::Deadline;
use super::parked::Parked;
use super::span;
use super::verify::{Verifiers, VerifyFuture};
use error_envelope_core::exchange::{BoxError, Event, PendingVerification};
use error_envelope_core::guard::auth::Verified;
use error_envelope_runtime as runtime;
use error_envelope_runtime::{RouteMetrics, catch};

/// A request that waits until a verifier has checked its credentials, or until keys are fetched (G2).
pub(super) struct Verifying<S, B> {
    /// The mutex makes this type `Sync`, although the verifier's future may not be. It is never locked: only `get_mut`
    /// is called.
    verdict: Mutex<Option<VerifyFuture>>,
    deadline: Deadline,
    timeout: Duration,
    span: Option<Span>,
    pub(super) rest: Option<AfterVerification<S, B>>,
}

/// What is needed to go on after the verifier's result.
pub(super) struct AfterVerification<S, B> {
    pub(super) parked: Parked<S>,
    pub(super) verifiers: Verifiers,
    pub(super) unverified: PendingVerification,
    pub(super) body: B,
    pub(super) metrics: Option<RouteMetrics>,
}

impl<S, B> Verifying<S, B> {
    pub(super) fn new(timeout: Duration, rest: AfterVerification<S, B>) -> Self {
        let AfterVerification { parked, verifiers, unverified, .. } = &rest;
        // `begin` clones the request's extensions, and user code in them may panic.
        let verdict = catch(|| verifiers.begin(unverified, &parked.head)).unwrap_or_else(|panic| {
            let failed: BoxError = format!("an extension of the request panicked when it was copied: {panic}").into();
            Some(Box::pin(std::future::ready(Err(failed))))
        });
        let span = span::span(unverified.request_id());
        Self { verdict: Mutex::new(verdict), deadline: Deadline::after(timeout), timeout, span, rest: Some(rest) }
    }

    pub(super) fn abandoned(&mut self) -> Option<Event> {
        let rest = self.rest.take()?;
        let _ = self.drop_verdict();
        let AfterVerification { parked, unverified, body, .. } = rest;
        parked.discard();
        let _ = catch(|| drop(body));
        Some(unverified.abandoned())
    }

    /// Polls for the verifier's result. An error of the verifier is returned as its text, because the error may panic
    /// when it is formatted or dropped (F2).
    pub(super) fn poll_verdict(&mut self, cx: &mut Context<'_>) -> Poll<Result<Verified, BoxError>> {
        let Self { verdict, deadline, timeout, span, .. } = self;
        let polled = match verdict.get_mut().unwrap_or_else(PoisonError::into_inner) {
            None => return Poll::Ready(Err("the layer has no verifier for this scheme".into())),
            Some(verdict) => catch(|| {
                let _inside = span::enter(span.as_ref());
                verdict.as_mut().poll(cx)
            }),
        };
        let outcome = match polled {
            Ok(Poll::Ready(Ok(verified))) => Ok(verified),
            Ok(Poll::Ready(Err(error))) => {
                let text = runtime::cause_text(&*error);
                let _ = catch(|| drop(error));
                Err(text)
            }
            Ok(Poll::Pending) if deadline.has_passed(cx) => Err(format!("the verifier took longer than {timeout:?}")),
            Ok(Poll::Pending) => return Poll::Pending,
            Err(panic) => Err(format!("the verifier panicked: {panic}")),
        };
        let dropped =
            self.drop_verdict().map_err(|panic| format!("the verifier panicked when it was dropped: {panic}"));
        Poll::Ready(outcome.and_then(|verified| dropped.map(|()| verified)).map_err(Into::into))
    }

    fn drop_verdict(&mut self) -> Result<(), Box<str>> {
        let verdict = self.verdict.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        catch(|| drop(verdict))
    }
}
