//! The state that follows a wait: for the first byte (rule G3), or for a verifier's result (rule G2).

use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::caught::inspected;
use super::draining::RemainingRequest;
use super::parked::{Parked, unready};
use super::peeking::{AfterPeek, First, Peeking, poll_first};
use super::request_body::RequestBody;
use super::state::{Call, State};
use super::verifying::{AfterVerification, Verifying};
use error_envelope_core::exchange::{Admission, BoxError, Event, Exchange, FirstByte, LocalReply};
use error_envelope_core::guard::auth::Verified;
use error_envelope_runtime as runtime;
use error_envelope_runtime::catch;

type StateOf<S, B, R> = State<S, <S as Service<Request<RequestBody<B>>>>::Future, B, R>;

impl<S, B> Peeking<S, B>
where
    B: Body<Error: Into<BoxError>>,
{
    /// Polls for the first byte; returns the state that follows it.
    pub(super) fn poll<R>(&mut self, cx: &mut Context<'_>) -> Poll<StateOf<S, B, R>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Some(rest) = &mut self.rest else { return Poll::Pending };
        let first = ready!(poll_first(rest.body.as_mut(), &mut self.deadline, cx));
        self.rest.take().map_or(Poll::Pending, |rest| Poll::Ready(rest.decide(first)))
    }
}

impl<S, B> AfterPeek<S, B> {
    fn decide<R>(self, first: First) -> StateOf<S, B, R>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Self { body, pending, parked } = self;
        let mut trailers = None;
        let admission = match first {
            First::Data => pending.first_byte(FirstByte::Data),
            First::End(last) => {
                trailers = last;
                pending.first_byte(FirstByte::End)
            }
            First::TooSlow => pending.first_byte(FirstByte::TooSlow),
            First::Failed(error) => match inspected(error, |error| pending.failure_of(error)) {
                Ok((failure, error)) => pending.first_byte(FirstByte::Failed(failure, error)),
                Err(panic) => Admission::Answer(Box::new(pending.panicked(panic))),
            },
        };
        let answered = match admission {
            Admission::Forward(exchange, _, unenforced) => {
                let _ = catch(|| drop(body));
                return parked.forward(exchange, unenforced, RequestBody::ended(trailers));
            }
            Admission::Answer(answered) => answered,
            // The peek is the last step: after it, the exchange requests neither another peek nor a verifier.
            Admission::Peek(pending, _) => Box::new(pending.panicked("a second peek".into())),
            Admission::Verify(unverified, _) => Box::new(unverified.panicked("a verifier after the peek".into())),
        };
        parked.answer(answered, RemainingRequest::Pinned { body })
    }
}

impl<S, B> Verifying<S, B>
where
    B: Body<Error: Into<BoxError>>,
{
    /// Polls for the verifier's result; returns the state that follows it.
    pub(super) fn poll<R>(&mut self, cx: &mut Context<'_>) -> Poll<StateOf<S, B, R>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        if self.rest.is_none() {
            return Poll::Pending;
        }
        let outcome = ready!(self.poll_verdict(cx));
        self.rest.take().map_or(Poll::Pending, |rest| Poll::Ready(rest.decide(outcome)))
    }
}

impl<S, B> AfterVerification<S, B> {
    fn decide<R>(self, outcome: Result<Verified, BoxError>) -> StateOf<S, B, R>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Self { mut parked, verifiers, unverified, body, metrics } = self;
        match unverified.verified(&mut parked.head, outcome) {
            Admission::Verify(unverified, timeout) => {
                State::verify(timeout, Self { parked, verifiers, unverified, body, metrics })
            }
            Admission::Peek(pending, timeout) => {
                State::peek(timeout, AfterPeek { body: Box::pin(body), pending, parked })
            }
            Admission::Forward(exchange, meter, unenforced) => {
                parked.forward(exchange, unenforced, RequestBody::new(body, false, meter, metrics))
            }
            Admission::Answer(answered) => parked.answer(answered, body.into()),
        }
    }
}

impl<S> Parked<S> {
    /// Calls the service, or replies that it was not ready.
    fn forward<B, R>(self, exchange: Exchange, unenforced: Option<Box<Event>>, body: RequestBody<B>) -> StateOf<S, B, R>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Self { mut service, not_ready, head } = self;
        runtime::log_unenforced(unenforced);
        let state = match not_ready {
            None => {
                let (mut request, mut future) = (Some(Request::from_parts(head, body)), None);
                match Call::begin(&mut service, &mut request, &mut future, exchange) {
                    Ok(call) => State::Calling { future, call: Some(call) },
                    Err(reply) => State::replying(reply),
                }
            }
            Some(not_ready) => {
                let answered = unready(not_ready, exchange);
                let _ = catch(|| drop(head));
                State::answered(answered, body.into_inner().map(RemainingRequest::from))
            }
        };
        let _ = catch(|| drop(service));
        state
    }

    fn answer<F, B, R>(self, answered: Box<LocalReply>, body: RemainingRequest<B>) -> State<S, F, B, R> {
        self.discard();
        State::answered(answered, Some(body))
    }
}
