//! Waiting for the first byte of a request's body (rule G3).

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, Request, Response, request};
use http_body::Body;
use tower_service::Service;

use super::budget::Deadline;
use super::catch::catch;
use super::draining::Rest;
use super::future::State;
use super::log;
use super::request_body::{RequestBody, poll_bytes};
use super::service::{Held, unready};
use crate::exchange::{Admission, BoxError, Event, FirstByte, Pending};

/// A request whose first body byte is awaited (G3).
pub(super) struct Peeking<S, B> {
    body: Option<Pin<Box<B>>>,
    deadline: Deadline,
    rest: Option<Box<Waiting<S>>>,
}

/// What goes on once the first byte has come.
pub(super) struct Waiting<S> {
    pub(super) service: S,
    pub(super) held: Option<Held>,
    pub(super) pending: Pending,
    pub(super) head: request::Parts,
}

type StateOf<S, B, R> = State<S, <S as Service<Request<RequestBody<B>>>>::Future, B, R>;

impl<S, B> Peeking<S, B> {
    pub(super) fn new(body: Pin<Box<B>>, timeout: Duration, rest: Waiting<S>) -> Self {
        Self { body: Some(body), deadline: Deadline::after(timeout), rest: Some(Box::new(rest)) }
    }

    pub(super) fn abandoned(&mut self) -> Option<Event> {
        let Waiting { service, held, pending, head, .. } = *self.rest.take()?;
        let _ = catch(|| drop(service));
        let _ = catch(|| drop(held));
        let _ = catch(|| drop(head));
        Some(pending.abandoned())
    }
}

impl<S, B> Peeking<S, B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// The state that follows from the first byte; `None` where it was given before.
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

/// What came first.
enum First {
    Data,
    End(Option<Box<HeaderMap>>),
    TooSlow,
    Failed(BoxError),
}

fn poll_first<B>(body: Pin<&mut B>, deadline: &mut Deadline, cx: &mut Context<'_>) -> Poll<First>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    Poll::Ready(match poll_bytes(body, cx) {
        Poll::Ready(None) => First::End(None),
        Poll::Ready(Some(Err(error))) => First::Failed(error),
        Poll::Ready(Some(Ok(frame))) => match frame.data_ref() {
            // An empty DATA frame is not yet a body, and no reason to hold the thread.
            Some(data) if data.is_empty() && !deadline.has_passed(cx) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(data) if data.is_empty() => First::TooSlow,
            Some(_) => First::Data,
            None => First::End(frame.into_trailers().ok().map(Box::new)),
        },
        Poll::Pending if deadline.has_passed(cx) => First::TooSlow,
        Poll::Pending => return Poll::Pending,
    })
}

impl<S> Waiting<S> {
    fn decide<B, R>(self, first: First, body: Pin<Box<B>>) -> StateOf<S, B, R>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Self { mut service, held, pending, head } = self;
        let (admission, trailers) = match first {
            First::Data => (pending.first_byte(FirstByte::Data), None),
            First::End(trailers) => (pending.first_byte(FirstByte::End), trailers),
            First::TooSlow => (pending.first_byte(FirstByte::TooSlow), None),
            First::Failed(error) => match catch(|| pending.failure_of(&*error)) {
                Ok(failure) => (pending.first_byte(FirstByte::Failed(failure, error)), None),
                Err(panic) => (Admission::Answer(pending.panicked(panic)), None),
            },
        };
        let (state, unused) = match (admission, held) {
            (Admission::Forward(exchange, _, unenforced), None) => {
                log::unenforced(unenforced);
                let _ = catch(|| drop(body));
                let request = Request::from_parts(head, RequestBody::ended(trailers));
                (State::call(&mut service, &mut Some(request), exchange), None)
            }
            (Admission::Forward(exchange, _, unenforced), Some(held)) => {
                log::unenforced(unenforced);
                let answered = unready(held, exchange);
                let _ = catch(|| drop(body));
                (State::answered(answered, None), Some((None, head)))
            }
            (Admission::Answer(answered), held) => {
                (State::answered(answered, Some(Rest::Pinned { body })), Some((held, head)))
            }
            // One peek decides, and comes last: the exchange asks for nothing more.
            (Admission::Peek(pending, _), held) => {
                let answered = pending.panicked("a second peek".into());
                (State::answered(answered, Some(Rest::Pinned { body })), Some((held, head)))
            }
            (Admission::Verify(unverified, _), held) => {
                let answered = unverified.panicked("a verifier after the peek".into());
                (State::answered(answered, Some(Rest::Pinned { body })), Some((held, head)))
            }
        };
        if let Some((held, head)) = unused {
            let _ = catch(|| drop(held));
            let _ = catch(|| drop(head));
        }
        let _ = catch(|| drop(service));
        state
    }
}
