//! Waiting for the first byte of a request's body (rule G3).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, Request, Response, request};
use http_body::Body;
use tower_service::Service;

use super::deadline::Deadline;
use super::future::State;
use super::request_body::{RequestBody, poll_bytes};
use super::service::{Held, unready};
use crate::exchange::{Admission, BoxError, Classifier, Event, FirstByte, Pending};

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
    pub(super) classifier: Option<Arc<Classifier>>,
    pub(super) pending: Pending,
    pub(super) head: request::Parts,
}

impl<S, B> Peeking<S, B> {
    pub(super) fn new(body: B, timeout: Duration, rest: Waiting<S>) -> Self {
        Self { body: Some(Box::pin(body)), deadline: Deadline::after(timeout), rest: Some(Box::new(rest)) }
    }

    pub(super) fn abandoned(&mut self) -> Option<Event> {
        self.rest.take().map(|rest| rest.pending.abandoned())
    }
}

impl<S, B> Peeking<S, B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    /// The state that follows from the first byte; `None` where it was given before.
    pub(super) fn poll<R>(&mut self, cx: &mut Context<'_>) -> Poll<Option<State<S, S::Future, B, R>>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let (first, trailers) = ready!(poll_first(body.as_mut(), &mut self.deadline, cx));
        let (Some(body), Some(rest)) = (self.body.take(), self.rest.take()) else { return Poll::Ready(None) };
        Poll::Ready(Some(rest.decide(first, trailers, body)))
    }
}

fn poll_first<B>(
    mut body: Pin<&mut B>,
    deadline: &mut Deadline,
    cx: &mut Context<'_>,
) -> Poll<(FirstByte, Option<Box<HeaderMap>>)>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    loop {
        match poll_bytes(body.as_mut(), cx) {
            Poll::Ready(None) => return Poll::Ready((FirstByte::End, None)),
            Poll::Ready(Some(Err(error))) => return Poll::Ready((FirstByte::Failed(error), None)),
            Poll::Ready(Some(Ok(frame))) => match frame.data_ref() {
                // An empty DATA frame is not yet a body.
                Some(data) if data.is_empty() => {}
                Some(_) => return Poll::Ready((FirstByte::Data, None)),
                None => return Poll::Ready((FirstByte::End, frame.into_trailers().ok().map(Box::new))),
            },
            Poll::Pending if deadline.has_passed(cx) => return Poll::Ready((FirstByte::TooSlow, None)),
            Poll::Pending => return Poll::Pending,
        }
    }
}

impl<S> Waiting<S> {
    fn decide<B, R>(
        self: Box<Self>,
        first: FirstByte,
        trailers: Option<Box<HeaderMap>>,
        body: Pin<Box<B>>,
    ) -> State<S, S::Future, B, R>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let Self { mut service, held, classifier, pending, head } = *self;
        match pending.first_byte(first) {
            Admission::Forward(exchange, meter) => match held {
                None => {
                    let request = Request::from_parts(head, RequestBody::peeked(body, trailers, meter));
                    State::call(&mut service, request, exchange, classifier)
                }
                Some(held) => State::answered(unready(held, exchange, classifier.as_deref()), None),
            },
            Admission::Answer(answered) => State::answered(answered, Some(body)),
            // One peek decides: the exchange asks for no second.
            Admission::Peek(pending, _) => State::answered(pending.panicked("a second peek".into()), Some(body)),
        }
    }
}
