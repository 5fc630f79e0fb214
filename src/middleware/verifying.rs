//! Waits for a verifier's result, or until missing keys are fetched (rule G2).

use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tracing::Span;

use super::budget::Deadline;
use super::parked::Waiting;
use super::span;
use super::verify::VerifyFuture;
use error_envelope_core::guard::auth::Verified;
use error_envelope_core::session::{BoxError, Event};
use error_envelope_runtime as runtime;
use error_envelope_runtime::catch;

/// A request that waits until a verifier has checked its credentials, or until keys are fetched (G2).
pub(super) struct Verifying<S, B> {
    /// The mutex makes this type `Sync`, although the verifier's future may not be. It is never locked: only `get_mut`
    /// is called.
    verdict: Mutex<Option<VerifyFuture>>,
    deadline: Deadline,
    timeout: Duration,
    span: Option<Span>,
    pub(super) rest: Option<(Waiting<S>, B)>,
}

impl<S, B> Verifying<S, B> {
    pub(super) fn new(timeout: Duration, rest: Waiting<S>, body: B) -> Self {
        let Waiting { parked, verifiers, session, .. } = &rest;
        // `begin` clones the request's extensions, and user code in them may panic.
        let verdict = catch(|| verifiers.begin(session.verification()?, &parked.head)).unwrap_or_else(|panic| {
            let failed: BoxError = format!("an extension of the request panicked when it was copied: {panic}").into();
            Some(Box::pin(std::future::ready(Err(failed))))
        });
        let span = session.id().and_then(span::span);
        Self {
            verdict: Mutex::new(verdict),
            deadline: Deadline::after(timeout),
            timeout,
            span,
            rest: Some((rest, body)),
        }
    }

    pub(super) fn abandoned(&mut self) -> Option<Event> {
        let (Waiting { parked, mut session, .. }, body) = self.rest.take()?;
        let _ = self.drop_verdict();
        parked.discard();
        let _ = catch(|| drop(body));
        session.abandon()
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
