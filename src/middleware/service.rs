//! The service passes each request to a session, and carries out what the session decides. Some decisions first require
//! the first byte of the body (rule G3) or a verifier's result (rule G2).

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::request::Parts;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::caught::{facts, inspected};
use super::draining::RemainingRequest;
use super::future::{Call, ResponseFuture, State};
use super::parked::{NotReady, Parked, Peeking, Verifying, Waiting, poll_first, unready};
use super::request_body::RequestBody;
use super::response_body::ResponseBody;
use super::verify::Verifiers;
use super::watched::Watched;
use error_envelope_core::session::{BodyMeter, BoxError, Ending, FirstByte, KnownMethod, RequestStep, Session};
use error_envelope_runtime::{
    self as runtime, PolicyHandle, Received, RequestMetrics, RequestSlot, Started, Watch, catch,
};

/// The service that [`ErrorEnvelopeLayer`](crate::ErrorEnvelopeLayer) makes. It never returns an error, because every
/// error becomes a response.
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

    /// Returns the inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Unwraps the inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone> Clone for ErrorEnvelopeService<S> {
    /// Clones the service, but not a stored failure of the inner service's `poll_ready`. The clone polls its own inner
    /// service again.
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
        let (head, body) = request.into_parts();
        let mut head = Some(head);
        let (facts, _) = facts(&body);
        // The stored failure of `poll_ready` is removed even if a guard replies, because the next request polls the
        // service again.
        let not_ready = self.not_ready.take();
        let config = self.policy.config();
        let is_observed = config.observer().is_some();
        let Some(parts) = &mut head else { return ResponseFuture { state: State::Done, watched: None } };
        // The session stays in its place, because it is expensive to move.
        let (session, step) = &mut Session::begin(config, parts, facts, runtime::new_request_id);
        let step = std::mem::replace(step, RequestStep::Broken);
        let watched = self.watch(session, &step, parts, (!facts.ended, is_observed), started);
        let received = watched.as_ref().and_then(|watched| watched.watch.received.clone());
        let body = Unread::New(body, !facts.ended);
        if !matches!(step, RequestStep::Verify(_) | RequestStep::Peek(_)) {
            return carry_out(step, session, &mut self.inner, (&mut head, body, received), not_ready, watched);
        }
        let Some(head) = head else { return ResponseFuture { state: State::Done, watched } };
        let state = match self.park(not_ready, head) {
            Ok(parked) => {
                let (session, verifiers) = (std::mem::take(session), self.verifiers.clone());
                Waiting { session, parked, verifiers, received }.go_on(step, body)
            }
            Err(panic) => State::sent(session.end(Ending::UnreadyPanicked(panic)).map(Box::new), Some(body.rest())),
        };
        ResponseFuture { state, watched }
    }
}

impl<S> ErrorEnvelopeService<S> {
    /// Begins the metrics of a request if a metrics recorder is installed. Reports the request's id and scope to an
    /// adapter around the layer, such as the gateway.
    #[inline]
    fn watch(
        &self,
        session: &Session,
        step: &RequestStep,
        head: &mut Parts,
        (has_body, is_observed): (bool, bool),
        started: Option<Started>,
    ) -> Option<Box<Watched>> {
        let exchange = RequestSlot::take(&mut head.extensions);
        if let (Some(exchange), Some(id)) = (&exchange, session.request_id(step)) {
            exchange.begun(id, session.labels(step).1);
        }
        let labels = || session.labels(step);
        let timer = started.map(|started| self.metrics.begin(started, KnownMethod::from(&head.method), labels));
        let watch = Watch::new(timer, exchange, is_observed, || has_body.then(Received::default));
        watch.map(|watch| Box::new(Watched::new(watch)))
    }
}

impl<S: Clone> ErrorEnvelopeService<S> {
    /// Keeps the service that is ready for a request that must wait. The next request gets a fresh clone.
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

type StateOf<S, B, R> = State<S, <S as Service<Request<RequestBody<B>>>>::Future, B, R>;

/// The body of a request that was not forwarded yet. The body may be moved until its first byte is polled.
enum Unread<B> {
    /// `true` means that `is_end_stream` was checked and returned false.
    New(B, bool),
    Peeked(Pin<Box<B>>, RequestBody<B>),
}

impl<S, B: Body<Error: Into<BoxError>>> Peeking<S, B> {
    pub(super) fn poll<R>(&mut self, cx: &mut Context<'_>) -> Poll<StateOf<S, B, R>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Some((_, body)) = &mut self.rest else { return Poll::Pending };
        let first = ready!(poll_first(body.as_mut(), &mut self.deadline, cx));
        let Some((mut waiting, body)) = self.rest.take() else { return Poll::Pending };
        let (first, trailers) = match first {
            Ok(first) => first,
            Err(error) => match inspected(error, |error| waiting.session.classify(error)) {
                Ok((failure, error)) => (FirstByte::Failed(failure, error), None),
                Err(panic) => {
                    waiting.parked.discard();
                    let reply = waiting.session.end(Ending::UnreadyPanicked(panic)).map(Box::new);
                    return Poll::Ready(State::sent(reply, Some(RemainingRequest::Pinned { body })));
                }
            },
        };
        let step = waiting.session.first_byte(first);
        Poll::Ready(waiting.go_on(step, Unread::Peeked(body, RequestBody::ended(trailers))))
    }
}

impl<S, B: Body<Error: Into<BoxError>>> Verifying<S, B> {
    pub(super) fn poll<R>(&mut self, cx: &mut Context<'_>) -> Poll<StateOf<S, B, R>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        if self.rest.is_none() {
            return Poll::Pending;
        }
        let outcome = ready!(self.poll_verdict(cx));
        let Some((mut waiting, body)) = self.rest.take() else { return Poll::Pending };
        let step = waiting.session.verified(&mut waiting.parked.head, outcome);
        Poll::Ready(waiting.go_on(step, Unread::New(body, false)))
    }
}

impl<B> Unread<B> {
    fn rest(self) -> RemainingRequest<B> {
        match self {
            Self::New(body, _) => RemainingRequest::New { body },
            Self::Peeked(body, _) => RemainingRequest::Pinned { body },
        }
    }

    /// Makes the body for the inner service.
    #[inline(always)]
    fn forwarded(self, meter: Option<BodyMeter>, received: Option<Received>) -> RequestBody<B> {
        match self {
            Self::New(body, has_more) => RequestBody::new(body, has_more, meter, received),
            Self::Peeked(peeked, body) => {
                let _ = catch(|| drop(peeked));
                body
            }
        }
    }
}

impl<S> Waiting<S> {
    /// Carries out what the session decided after a wait. The decision can be another wait.
    fn go_on<B, R>(self, step: RequestStep, body: Unread<B>) -> StateOf<S, B, R>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        match (step, body) {
            (RequestStep::Verify(time), Unread::New(body, _)) => {
                State::Verifying { verifying: Box::new(Verifying::new(time, self, body)) }
            }
            (RequestStep::Peek(time), Unread::New(body, _)) => {
                State::Peeking { peeking: Box::new(Peeking::new(time, self, Box::pin(body))) }
            }
            (step, body) => {
                let Self { mut session, parked: Parked { mut service, not_ready, head }, received, .. } = self;
                let request = (&mut Some(head), body, received);
                let mut future = carry_out(step, &mut session, &mut service, request, not_ready, None);
                let _ = catch(|| drop(service));
                std::mem::replace(&mut future.state, State::Done)
            }
        }
    }
}

/// Carries out a decision that needs no wait: calls the inner service, or replies. The session and the head are
/// borrowed, and each future is made where it is returned, because they are expensive to move.
#[inline(always)]
fn carry_out<S, B, R>(
    step: RequestStep,
    session: &mut Session,
    service: &mut S,
    (head, body, received): (&mut Option<Parts>, Unread<B>, Option<Received>),
    not_ready: Option<NotReady>,
    watched: Option<Box<Watched>>,
) -> ResponseFuture<S, S::Future, B, R>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
{
    let reply = match step {
        RequestStep::Forward(meter) => {
            let body = body.forwarded(meter, received);
            if let Some(not_ready) = not_ready {
                let _ = catch(|| *head = None);
                let reply = unready(not_ready, session);
                let state = State::sent(reply, body.into_inner().map(|body| RemainingRequest::New { body }));
                return ResponseFuture { state, watched };
            }
            let mut future = None;
            return match Call::begin(service, head, &mut Some(body), &mut future, session) {
                Ok(context) => {
                    let call = Some(Call { session: std::mem::take(session), context });
                    ResponseFuture { state: State::Calling { future, call }, watched }
                }
                Err(reply) => ResponseFuture { state: State::sent(reply, None), watched },
            };
        }
        RequestStep::Send(reply) => Some(reply),
        RequestStep::Verify(_) | RequestStep::Peek(_) | RequestStep::Broken => {
            session.end(Ending::UnreadyPanicked("a wait after the peek".into())).map(Box::new)
        }
    };
    let _ = catch(|| drop(not_ready));
    let _ = catch(|| *head = None);
    ResponseFuture { state: State::sent(reply, Some(body.rest())), watched }
}
