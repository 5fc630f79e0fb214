//! What follows a wait: for the first byte (rule G3), or for a verifier's result (rule G2).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::caught::inspected;
use super::draining::RemainingRequest;
use super::parked::{Parked, unready};
use super::peeking::{First, Peeking, poll_first};
use super::request_body::RequestBody;
use super::state::{Call, State};
use super::verify::Verifiers;
use super::verifying::Verifying;
use error_envelope_core::session::{BoxError, FirstByte};
use error_envelope_core::session::{Ending, RequestStep, Session};
use error_envelope_runtime::{RouteMetrics, catch};

type StateOf<S, B, R> = State<S, <S as Service<Request<RequestBody<B>>>>::Future, B, R>;

/// What a request keeps while it waits, apart from its body.
pub(super) struct Waiting<S> {
    pub(super) session: Session,
    pub(super) parked: Parked<S>,
    pub(super) verifiers: Verifiers,
    pub(super) metrics: Option<RouteMetrics>,
}

/// The request's body: before a peek it may be moved.
pub(super) enum Unread<B> {
    New(B),
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
            First::Data => (FirstByte::Data, None),
            First::End(trailers) => (FirstByte::End, trailers),
            First::TooSlow => (FirstByte::TooSlow, None),
            First::Failed(error) => match inspected(error, |error| waiting.session.classify(error)) {
                Ok((failure, error)) => (FirstByte::Failed(failure, error), None),
                Err(panic) => {
                    waiting.parked.discard();
                    let reply = waiting.session.end(Ending::Panicked(panic));
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
        Poll::Ready(waiting.go_on(step, Unread::New(body)))
    }
}

impl<B> Unread<B> {
    fn rest(self) -> RemainingRequest<B> {
        match self {
            Self::New(body) => body.into(),
            Self::Peeked(body, _) => RemainingRequest::Pinned { body },
        }
    }
}

impl<S> Waiting<S> {
    /// Carries out what the session decides about the request.
    pub(super) fn go_on<B, R>(self, step: RequestStep, body: Unread<B>) -> StateOf<S, B, R>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        match (step, body) {
            (RequestStep::Verify(time), Unread::New(body)) => State::verify(time, self, body),
            (RequestStep::Peek(time), Unread::New(body)) => State::peek(time, self, Box::pin(body)),
            (RequestStep::Forward(meter), body) => {
                let Self { mut session, parked: Parked { mut service, not_ready, head }, metrics, .. } = self;
                let body = match body {
                    Unread::New(body) => RequestBody::new(body, false, meter, metrics),
                    Unread::Peeked(peeked, body) => {
                        let _ = catch(|| drop(peeked));
                        body
                    }
                };
                let state = match not_ready {
                    None => {
                        let (mut request, mut future) = (Some(Request::from_parts(head, body)), None);
                        match Call::begin(&mut service, &mut request, &mut future, session) {
                            Ok(call) => State::Calling { future, call: Some(call) },
                            Err(reply) => State::replying(reply),
                        }
                    }
                    Some(not_ready) => {
                        let reply = unready(not_ready, &mut session);
                        let _ = catch(|| drop(head));
                        State::sent(reply, body.into_inner().map(RemainingRequest::from))
                    }
                };
                let _ = catch(|| drop(service));
                state
            }
            (RequestStep::Send(reply), body) => {
                self.parked.discard();
                State::sent(Some(reply), Some(body.rest()))
            }
            (_, body) => {
                let Self { mut session, parked, .. } = self;
                parked.discard();
                State::sent(session.end(Ending::Panicked("a wait after the peek".into())), Some(body.rest()))
            }
        }
    }
}
