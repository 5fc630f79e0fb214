//! Carries out what the session decides about a request: at once, or after a wait for the first byte (rule G3) or for a
//! verifier's result (rule G2).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response, request};
use http_body::Body;
use tower_service::Service;

use super::caught::inspected;
use super::draining::RemainingRequest;
use super::parked::{First, NotReady, Parked, Peeking, Verifying, Waiting, poll_first, unready};
use super::request_body::RequestBody;
use super::state::{Call, State};
use error_envelope_core::session::{BodyMeter, BoxError, Ending, FirstByte, RequestStep, Session, Wait};
use error_envelope_runtime::{RouteMetrics, catch};

type StateOf<S, B, R> = State<S, <S as Service<Request<RequestBody<B>>>>::Future, B, R>;

/// The request's body: before a peek it may be moved.
pub(super) enum Unread<B> {
    /// `true` means that `is_end_stream` was checked, and was false.
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
            First::Data => (FirstByte::Data, None),
            First::End(trailers) => (FirstByte::End, trailers),
            First::TooSlow => (FirstByte::TooSlow, None),
            First::Failed(error) => match inspected(error, |error| waiting.session.classify(error)) {
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
    pub(super) fn rest(self) -> RemainingRequest<B> {
        match self {
            Self::New(body, _) => body.into(),
            Self::Peeked(body, _) => RemainingRequest::Pinned { body },
        }
    }

    /// The body for the inner service.
    #[inline(always)]
    fn forwarded(self, meter: Option<BodyMeter>, metrics: Option<RouteMetrics>) -> RequestBody<B> {
        match self {
            Self::New(body, has_more) => RequestBody::new(body, has_more, meter, metrics),
            Self::Peeked(peeked, body) => {
                let _ = catch(|| drop(peeked));
                body
            }
        }
    }
}

impl<S> Waiting<S> {
    /// Waits, or goes on with what the session decided after a wait.
    pub(super) fn go_on<B, R>(self, step: RequestStep, body: Unread<B>) -> StateOf<S, B, R>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        match (step.wait(), body) {
            (Some(Wait::Verifier(time)), Unread::New(body, _)) => State::verify(time, self, body),
            (Some(Wait::FirstByte(time)), Unread::New(body, _)) => State::peek(time, self, Box::pin(body)),
            (_, body) => {
                let Self { session, parked: Parked { mut service, not_ready, head }, metrics, .. } = self;
                let state = carry_out(step, session, &mut service, head, not_ready, body, metrics);
                let _ = catch(|| drop(service));
                state
            }
        }
    }
}

/// Carries out a decision that needs no wait: calls the inner service, or replies.
#[inline(always)]
pub(super) fn carry_out<S, B, R>(
    step: RequestStep,
    mut session: Session,
    service: &mut S,
    head: request::Parts,
    not_ready: Option<NotReady>,
    body: Unread<B>,
    metrics: Option<RouteMetrics>,
) -> StateOf<S, B, R>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
{
    let reply = match step {
        RequestStep::Forward(meter) => {
            let body = body.forwarded(meter, metrics);
            if let Some(not_ready) = not_ready {
                let _ = catch(|| drop(head));
                let reply = unready(not_ready, &mut session);
                return State::sent(reply, body.into_inner().map(RemainingRequest::from));
            }
            let mut request = Some(Request::from_parts(head, body));
            let mut future = None;
            return match Call::begin(service, &mut request, &mut future, &mut session) {
                Ok(context) => State::Calling { future, call: Some(Call { session, context }) },
                Err(reply) => State::replying(reply),
            };
        }
        RequestStep::Send(reply) => Some(reply),
        RequestStep::Verify(_) | RequestStep::Peek(_) | RequestStep::Broken => {
            session.end(Ending::UnreadyPanicked("a wait after the peek".into())).map(Box::new)
        }
    };
    let _ = catch(|| drop(not_ready));
    let _ = catch(|| drop(head));
    State::sent(reply, Some(body.rest()))
}
