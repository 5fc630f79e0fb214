//! Reading an inner error's body, bounded in bytes and in time (rule R4).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, response};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

use super::budget::{Budget, Deadline, GaveUp};
use super::catch::catch;
use super::future::{Answer, Reply};
use super::log;
use super::request_body::poll_bytes;
use super::response_body::ResponseBody;
use crate::exchange::{BoxError, Collected, Event, Exchange, Rewritten, Tail};

pin_project! {
    /// An inner error whose body is read (R4).
    pub(super) struct Collecting<R> {
        #[pin]
        body: R,
        read: Read,
        budget: Budget,
        // When the client of an RPC call waits no longer.
        deadline: Option<Box<Deadline>>,
        rest: Option<(Exchange, response::Parts)>,
    }
}

/// What was read so far: one chunk as it came, or all of them together.
#[derive(Default)]
pub(super) struct Read {
    first: Bytes,
    all: BytesMut,
    trailers: Option<Box<HeaderMap>>,
}

impl<R> Collecting<R> {
    pub(super) fn new(
        exchange: Exchange,
        head: response::Parts,
        body: R,
        budget: Budget,
        deadline: Option<Box<Deadline>>,
    ) -> Self {
        Self { body, read: Read::default(), budget, deadline, rest: Some((exchange, head)) }
    }

    /// The body behind what was read.
    pub(super) fn body(self: Pin<&mut Self>) -> Pin<&mut R> {
        self.project().body
    }

    pub(super) fn body_ref(&self) -> &R {
        &self.body
    }

    pub(super) fn abandoned(self: Pin<&mut Self>) -> Option<Event> {
        let (exchange, head) = self.project().rest.take()?;
        let _ = catch(|| drop(head));
        Some(exchange.abandoned())
    }
}

impl<R> Collecting<R>
where
    R: Body,
    R::Error: Into<BoxError>,
{
    /// `None` where the reply was given before.
    pub(super) fn poll<B>(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Decided<R, B>>> {
        let mut this = self.project();
        let rest = loop {
            let polled = this.budget.poll_frame(cx, |cx| poll_bytes(this.body.as_mut(), cx));
            if polled.is_pending() && this.deadline.as_mut().is_some_and(|deadline| deadline.has_passed(cx)) {
                return Poll::Ready(this.rest.take().map(timed_out));
            }
            match ready!(polled) {
                Ok(Some(frame)) => this.read.push(frame),
                Ok(None) => break None,
                Err(GaveUp::Spent(frame)) => {
                    this.read.push(frame);
                    break Some(None);
                }
                Err(GaveUp::Late) => break Some(None),
                Err(GaveUp::Failed(error)) => break Some(Some(error)),
            }
        };
        let read = std::mem::take(this.read);
        Poll::Ready(this.rest.take().map(|(exchange, head)| decided(exchange, head, read, rest)))
    }
}

/// What becomes of an inner error whose body was read.
pub(super) enum Decided<R, B> {
    Reply(Reply<R, B>),
    /// What was read, then what was not, or the error that came instead.
    Resume(response::Parts, Bytes, Option<BoxError>, Tail),
}

fn timed_out<R, B>((exchange, head): (Exchange, response::Parts)) -> Decided<R, B> {
    let _ = catch(|| drop(head));
    Decided::Reply(Answer::new(exchange.timed_out(), None).into_reply())
}

/// `rest` is what was not read, and the error that came instead.
fn decided<R, B>(
    exchange: Exchange,
    mut head: response::Parts,
    read: Read,
    rest: Option<Option<BoxError>>,
) -> Decided<R, B> {
    let (body, trailers) = read.into_parts();
    let collected = if rest.is_none() { Collected::Whole(&body) } else { Collected::Unreadable(&body) };
    let reply = match (exchange.response_body(&mut head, collected), rest) {
        // Behind trailers nothing comes, however late they were.
        (Rewritten::Restore(tail, event), Some(error)) if trailers.is_none() => {
            log::event(*event);
            return Decided::Resume(head, body, error, tail);
        }
        (Rewritten::Restore(_, event), rest) => {
            let _ = catch(|| drop(rest));
            log::event(*event);
            Response::from_parts(head, ResponseBody::replay(body, trailers))
        }
        (Rewritten::Rewrite(written), rest) => {
            let _ = catch(|| drop(rest));
            log::event(written.event);
            Response::from_parts(head, ResponseBody::reply(written.body))
        }
        (Rewritten::Replace(answered), rest) => {
            let _ = catch(|| drop(rest));
            let _ = catch(|| drop(head));
            Answer::new(*answered, None).into_reply()
        }
    };
    Decided::Reply(reply)
}

impl Read {
    fn push(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(data) => self.push_data(data),
            Err(frame) => self.trailers = frame.into_trailers().ok().map(Box::new),
        }
    }

    pub(super) fn push_data(&mut self, data: Bytes) {
        if self.first.is_empty() {
            self.first = data;
            return;
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&data);
    }

    pub(super) fn into_bytes(self) -> Bytes {
        self.into_parts().0
    }

    fn into_parts(self) -> (Bytes, Option<Box<HeaderMap>>) {
        let body = if self.all.is_empty() { self.first } else { self.all.freeze() };
        (body, self.trailers)
    }
}
