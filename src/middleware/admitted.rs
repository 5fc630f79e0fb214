//! The state that follows a wait: for the first byte (rule G3), or for a verifier's result (rule G2).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::draining::RemainingRequest;
use super::not_ready::unready;
use super::peeking::{AfterPeek, First, Peeking, poll_first};
use super::request_body::RequestBody;
use super::state::State;
use super::verifying::{AfterVerification, Verifying};
use error_envelope_core::exchange::{Admission, BoxError, FirstByte};
use error_envelope_core::guard::auth::Verified;
use error_envelope_runtime as runtime;
use error_envelope_runtime::catch;

type StateOf<S, B, R> = State<S, <S as Service<Request<RequestBody<B>>>>::Future, B, R>;

impl<S, B> Peeking<S, B>
where
    B: Body<Error: Into<BoxError>>,
{
    /// The state that follows the first byte; `None` if it was returned before.
    pub(super) fn poll<R>(&mut self, cx: &mut Context<'_>) -> Poll<Option<StateOf<S, B, R>>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let first = ready!(poll_first(body.as_mut(), &mut self.deadline, cx));
        let (Some(body), Some(rest)) = (self.body.take(), self.rest.take()) else { return Poll::Ready(None) };
        Poll::Ready(Some(rest.decide(first, body)))
    }
}

impl<S> AfterPeek<S> {
    fn decide<B, R>(self, first: First, body: Pin<Box<B>>) -> StateOf<S, B, R>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Self { mut service, not_ready, pending, head } = self;
        let (admission, trailers) = match first {
            First::Data => (pending.first_byte(FirstByte::Data), None),
            First::End(trailers) => (pending.first_byte(FirstByte::End), trailers),
            First::TooSlow => (pending.first_byte(FirstByte::TooSlow), None),
            First::Failed(error) => match catch(|| pending.failure_of(&*error)) {
                Ok(failure) => (pending.first_byte(FirstByte::Failed(failure, error)), None),
                Err(panic) => (Admission::Answer(Box::new(pending.panicked(panic))), None),
            },
        };
        let (state, unused) = match (admission, not_ready) {
            (Admission::Forward(exchange, _, unenforced), None) => {
                runtime::log_unenforced(unenforced);
                let _ = catch(|| drop(body));
                let request = Request::from_parts(head, RequestBody::ended(trailers));
                (State::call(&mut service, &mut Some(request), exchange), None)
            }
            (Admission::Forward(exchange, _, unenforced), Some(not_ready)) => {
                runtime::log_unenforced(unenforced);
                let answered = unready(not_ready, exchange);
                let _ = catch(|| drop(body));
                (State::answered(answered, None), Some((None, head)))
            }
            (Admission::Answer(answered), not_ready) => {
                (State::answered(answered, Some(RemainingRequest::Pinned { body })), Some((not_ready, head)))
            }
            // One peek decides, and comes last: the exchange requires nothing more.
            (Admission::Peek(pending, _), not_ready) => {
                let answered = pending.panicked("a second peek".into());
                (State::answered(answered, Some(RemainingRequest::Pinned { body })), Some((not_ready, head)))
            }
            (Admission::Verify(unverified, _), not_ready) => {
                let answered = unverified.panicked("a verifier after the peek".into());
                (State::answered(answered, Some(RemainingRequest::Pinned { body })), Some((not_ready, head)))
            }
        };
        if let Some((not_ready, head)) = unused {
            let _ = catch(|| drop(not_ready));
            let _ = catch(|| drop(head));
        }
        let _ = catch(|| drop(service));
        state
    }
}

impl<S, B> Verifying<S, B>
where
    B: Body<Error: Into<BoxError>>,
{
    /// The state that follows the verifier's result; `None` if it was returned before.
    pub(super) fn poll<R>(&mut self, cx: &mut Context<'_>) -> Poll<Option<StateOf<S, B, R>>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        if self.rest.is_none() {
            return Poll::Ready(None);
        }
        let outcome = ready!(self.poll_verdict(cx));
        Poll::Ready(self.rest.take().map(|rest| rest.decide(outcome)))
    }
}

impl<S, B> AfterVerification<S, B> {
    fn decide<R>(self, outcome: Result<Verified, BoxError>) -> StateOf<S, B, R>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Self { mut service, not_ready, verifiers, unverified, mut head, body, metrics } = self;
        match (unverified.verified(&mut head, outcome), not_ready) {
            (Admission::Verify(unverified, timeout), not_ready) => {
                let rest = Self { service, not_ready, verifiers, unverified, head, body, metrics };
                State::Verifying { verifying: Box::new(Verifying::new(timeout, rest)) }
            }
            (Admission::Peek(pending, timeout), not_ready) => {
                let rest = AfterPeek { service, not_ready, pending, head };
                State::Peeking { peeking: Peeking::new(Box::pin(body), timeout, rest) }
            }
            (Admission::Forward(exchange, meter, unenforced), None) => {
                runtime::log_unenforced(unenforced);
                let request = Request::from_parts(head, RequestBody::new(body, false, meter, metrics));
                let state = State::call(&mut service, &mut Some(request), exchange);
                let _ = catch(|| drop(service));
                state
            }
            (Admission::Forward(exchange, _, unenforced), Some(not_ready)) => {
                runtime::log_unenforced(unenforced);
                let answered = unready(not_ready, exchange);
                let _ = catch(|| drop(service));
                let _ = catch(|| drop(head));
                State::answered(answered, Some(body.into()))
            }
            (Admission::Answer(answered), not_ready) => {
                let _ = catch(|| drop(service));
                let _ = catch(|| drop(not_ready));
                let _ = catch(|| drop(head));
                State::answered(answered, Some(body.into()))
            }
        }
    }
}
