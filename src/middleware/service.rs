//! The service: consults the session, and calls the inner service or replies itself.

use std::convert::Infallible;
use std::fmt;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::admitted::{Unread, carry_out};
use super::caught::facts;
use super::future::ResponseFuture;
use super::parked::{NotReady, Parked, Waiting};
use super::request_body::RequestBody;
use super::response_body::ResponseBody;
use super::state::State;
use super::verify::Verifiers;
use error_envelope_core::session::{BoxError, Ending, EventFields, Follow, KnownMethod, Note, RequestStep, Session};
use error_envelope_runtime as runtime;
use error_envelope_runtime::{PolicyHandle, RequestMetrics, RequestSlot, RequestTimer, Started, catch};

/// The service that [`ErrorEnvelopeLayer`](crate::ErrorEnvelopeLayer) makes. It never fails: every error becomes a
/// response.
pub struct ErrorEnvelopeService<S> {
    inner: S,
    policy: PolicyHandle,
    verifiers: Verifiers,
    metrics: RequestMetrics,
    not_ready: Option<NotReady>,
}

impl<S> ErrorEnvelopeService<S> {
    pub(super) fn new(inner: S, policy: PolicyHandle, verifiers: Verifiers, metrics: RequestMetrics) -> Self {
        Self { inner, policy, verifiers, metrics, not_ready: None }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// A mutable reference to the inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Unwraps the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone> Clone for ErrorEnvelopeService<S> {
    /// The clone does not get a failure of the inner service's `poll_ready`: its own inner service is polled anew.
    fn clone(&self) -> Self {
        Self::new(self.inner.clone(), self.policy.clone(), self.verifiers.clone(), self.metrics.clone())
    }
}

impl<S: fmt::Debug> fmt::Debug for ErrorEnvelopeService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorEnvelopeService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for ErrorEnvelopeService<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>, Error: Into<BoxError>> + Clone,
    B: Body<Error: Into<BoxError>>,
    R: Body<Error: Into<BoxError>>,
{
    type Response = Response<ResponseBody<R, B>>;
    type Error = Infallible;
    type Future = ResponseFuture<S, S::Future, B, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.not_ready.is_none() {
            match catch(|| self.inner.poll_ready(cx).map_err(Into::into)) {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(Ok(()))) => {}
                Ok(Poll::Ready(Err(error))) => self.not_ready = Some(NotReady::Failed(error)),
                Err(panic) => self.not_ready = Some(NotReady::Panicked(panic)),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let started = Started::now();
        let (mut head, body) = request.into_parts();
        let (facts, _) = facts(&body);
        // This is taken even if a guard replies: the next request polls the service again.
        let not_ready = self.not_ready.take();
        let (mut session, step) = Session::begin(self.policy.config(), &mut head, facts, runtime::new_request_id);
        let timer = self.track(&session, &step, &head, started);
        let metrics = timer.as_ref().map(RequestTimer::metrics);
        let body = Unread::New(body, !facts.ended);
        if step.wait().is_none() {
            let state = carry_out(step, session, &mut self.inner, head, not_ready, body, metrics);
            return ResponseFuture { state, timer };
        }
        let state = match self.park(not_ready, head) {
            Ok(parked) => {
                let verifiers = self.verifiers.clone();
                Waiting { session, parked, verifiers, metrics }.go_on(step, body)
            }
            Err(panic) => State::sent(session.end(Ending::UnreadyPanicked(panic)).map(Box::new), Some(body.rest())),
        };
        ResponseFuture { state, timer }
    }
}

/// Logs what the session has noted about a response that passes.
#[inline(always)]
pub(super) fn log(follow: &Follow, note: Note) {
    match note {
        Note::Nothing => {}
        Note::Fields(fields) => log_fields(follow, fields),
        Note::Event(event) => runtime::log_event(event),
    }
}

#[cold]
fn log_fields(follow: &Follow, fields: Box<EventFields>) {
    if let Some(id) = follow.request_id() {
        runtime::log_notes(id, Some(fields));
    }
}

impl<S> ErrorEnvelopeService<S> {
    /// Starts to count a request if a recorder is installed, and notes its id and route if there is a slot.
    fn track(
        &self,
        session: &Session,
        step: &RequestStep,
        head: &Parts,
        started: Option<Started>,
    ) -> Option<RequestTimer> {
        if let Some(slot) = RequestSlot::find(&head.extensions) {
            slot.note(session, step);
        }
        let labels = || session.labels(step);
        started.map(|started| self.metrics.begin(started, KnownMethod::from(&head.method), labels))
    }
}

impl<S: Clone> ErrorEnvelopeService<S> {
    /// Keeps the ready service for a request that must wait; a fresh clone takes its place.
    fn park(&mut self, not_ready: Option<NotReady>, head: Parts) -> Result<Parked<S>, Box<str>> {
        match catch(|| self.inner.clone()) {
            Ok(fresh) => Ok(Parked { service: std::mem::replace(&mut self.inner, fresh), not_ready, head }),
            Err(panic) => {
                Parked { service: (), not_ready, head }.discard();
                Err(panic)
            }
        }
    }
}
