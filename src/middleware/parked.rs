//! The parts of a waiting request. A request waits for the first byte of its body (rule G3), for a verifier, or for
//! keys that are being fetched (rule G2). The parts include the request's head, and the service or the failure of its
//! `poll_ready` (rule F3).

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use error_envelope_core::guard::auth::Verified;
use error_envelope_core::session::{BoxError, Ending, FirstByte, LocalReply, RequestRecord, Session};
use error_envelope_runtime::{self as runtime, Received, catch};
use http::{HeaderMap, request};
use http_body::Body;
use tracing::Span;

use super::caught::{inspected, poll_bytes};
use super::deadline::Deadline;
use super::verify::{Verifiers, VerifyFuture};

/// The service that was ready for a request, and the request's head.
pub(super) struct Parked<S> {
    pub(super) service: S,
    pub(super) not_ready: Option<NotReady>,
    pub(super) head: request::Parts,
}

impl<S> Parked<S> {
    /// Drops the parts one by one. If two drops panicked at once, the second panic would abort the process (F2).
    pub(super) fn discard(self) {
        let Self { service, not_ready, head } = self;
        let _ = catch(|| drop(service));
        let _ = catch(|| drop(not_ready));
        let _ = catch(|| drop(head));
    }
}

/// The parts of a waiting request, except its body.
pub(super) struct Waiting<S> {
    pub(super) session: Session,
    pub(super) parked: Parked<S>,
    pub(super) verifiers: Verifiers,
    pub(super) received: Option<Received>,
}

/// The failure of the inner service's `poll_ready`, kept until a request would be forwarded (F3). Of a panic, only the
/// text is kept. The panic's payload is not `Sync`, and would make the service not `Sync`, too.
pub(super) enum NotReady {
    Failed(BoxError),
    Panicked(Box<str>),
}

/// Makes the response to a request whose service was not ready (F3).
pub(super) fn unready(not_ready: NotReady, session: &mut Session) -> Option<Box<LocalReply>> {
    let reply = session.end(match not_ready {
        NotReady::Panicked(panic) => Ending::UnreadyPanicked(panic),
        NotReady::Failed(error) => match inspected(error, |error| session.classify_unready(error)) {
            Ok((failure, error)) => Ending::Unready(failure, error),
            Err(panic) => Ending::UnreadyPanicked(panic),
        },
    });
    reply.map(Box::new)
}

/// A request that waits for its first body byte (G3).
pub(super) struct Peeking<S, B> {
    pub(super) deadline: Deadline,
    pub(super) rest: Option<(Waiting<S>, Pin<Box<B>>)>,
}

impl<S, B> Peeking<S, B> {
    pub(super) fn new(timeout: Duration, rest: Waiting<S>, body: Pin<Box<B>>) -> Self {
        Self { deadline: Deadline::after(timeout), rest: Some((rest, body)) }
    }

    pub(super) fn abandoned(&mut self) -> Option<RequestRecord> {
        let (Waiting { mut session, parked, .. }, body) = self.rest.take()?;
        parked.discard();
        let _ = catch(|| drop(body));
        session.abandon()
    }
}

/// The outcome of a wait for the first byte of a request's body, with the body's trailers, or the body's error.
type First = Result<(FirstByte, Option<Box<HeaderMap>>), BoxError>;

pub(super) fn poll_first<B>(body: Pin<&mut B>, deadline: &mut Deadline, cx: &mut Context<'_>) -> Poll<First>
where
    B: Body<Error: Into<BoxError>>,
{
    let first = match poll_bytes(body, cx)? {
        Poll::Ready(None) => FirstByte::End,
        Poll::Ready(Some(frame)) => match frame.data_ref() {
            // An empty DATA frame is not treated as a body. The task yields, so that many empty frames do not block the
            // thread.
            Some(data) if data.is_empty() && !deadline.has_passed(cx) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(data) if data.is_empty() => FirstByte::TooSlow,
            Some(_) => FirstByte::Data,
            None => return Poll::Ready(Ok((FirstByte::End, frame.into_trailers().ok().map(Box::new)))),
        },
        Poll::Pending if deadline.has_passed(cx) => FirstByte::TooSlow,
        Poll::Pending => return Poll::Pending,
    };
    Poll::Ready(Ok((first, None)))
}

/// A request that waits until a verifier has checked its credentials, or until keys are fetched (G2).
pub(super) struct Verifying<S, B> {
    /// The mutex makes this type `Sync`, although the verifier's future may not be `Sync`. It is never locked, because
    /// only `get_mut` is called.
    verdict: Mutex<Option<VerifyFuture>>,
    deadline: Deadline,
    timeout: Duration,
    span: Option<Span>,
    pub(super) rest: Option<(Waiting<S>, B)>,
}

impl<S, B> Verifying<S, B> {
    pub(super) fn new(timeout: Duration, rest: Waiting<S>, body: B) -> Self {
        let Waiting { parked, verifiers, session, .. } = &rest;
        // `begin` clones the request's extensions. Their `Clone` is user code, which may panic.
        let verdict = catch(|| verifiers.begin(session.verification()?, &parked.head)).unwrap_or_else(|panic| {
            let failed: BoxError = format!("an extension of the request panicked when it was copied: {panic}").into();
            Some(Box::pin(std::future::ready(Err(failed))))
        });
        let span = session.id().and_then(runtime::request_span);
        Self {
            verdict: Mutex::new(verdict),
            deadline: Deadline::after(timeout),
            timeout,
            span,
            rest: Some((rest, body)),
        }
    }

    pub(super) fn abandoned(&mut self) -> Option<RequestRecord> {
        let (Waiting { parked, mut session, .. }, body) = self.rest.take()?;
        let _ = self.drop_verdict();
        parked.discard();
        let _ = catch(|| drop(body));
        session.abandon()
    }

    /// Polls for the verifier's result. If the verifier returns an error, only the error's text is returned, because
    /// the error may panic when it is formatted or dropped (F2).
    pub(super) fn poll_verdict(&mut self, cx: &mut Context<'_>) -> Poll<Result<Verified, BoxError>> {
        let Self { verdict, deadline, timeout, span, .. } = self;
        let polled = match verdict.get_mut().unwrap_or_else(PoisonError::into_inner) {
            None => return Poll::Ready(Err("the layer has no verifier for this scheme".into())),
            Some(verdict) => catch(|| {
                let _inside = span.as_ref().map(Span::enter);
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
