//! Reading an inner error's body, bounded in bytes and in time (rule R4).

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Response, response};
use http_body::{Body, Frame};
use pin_project_lite::pin_project;

use super::deadline::Deadline;
use super::future::Reply;
use super::log;
use super::request_body::poll_bytes;
use super::response_body::ResponseBody;
use crate::exchange::{BoxError, Collected, Event, Exchange, Rewritten};

pin_project! {
    /// An inner error whose body is read (R4).
    pub(super) struct Collecting<R> {
        #[pin]
        body: R,
        frames: VecDeque<Frame<Bytes>>,
        left: u64,
        timeout: Duration,
        deadline: Option<Deadline>,
        rest: Option<(Exchange, response::Parts)>,
    }
}

impl<R> Collecting<R> {
    pub(super) fn new(exchange: Exchange, head: response::Parts, body: R, max_bytes: u64, timeout: Duration) -> Self {
        let rest = Some((exchange, head));
        Self { body, frames: VecDeque::new(), left: max_bytes, timeout, deadline: None, rest }
    }

    pub(super) fn abandoned(self: Pin<&mut Self>) -> Option<Event> {
        self.project().rest.take().map(|(exchange, _)| exchange.abandoned())
    }
}

impl<R> Collecting<R>
where
    R: Body,
    R::Error: Into<BoxError>,
{
    /// `None` where the reply was given before.
    pub(super) fn poll<B>(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Reply<R, B>>> {
        let mut this = self.project();
        let whole = loop {
            match poll_bytes(this.body.as_mut(), cx) {
                Poll::Ready(None) => break true,
                Poll::Ready(Some(Err(_))) => break false,
                Poll::Ready(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, Bytes::len) as u64;
                    let Some(left) = this.left.checked_sub(length) else { break false };
                    *this.left = left;
                    this.frames.push_back(frame);
                    if this.deadline.as_mut().is_some_and(|deadline| deadline.has_passed(cx)) {
                        break false;
                    }
                }
                Poll::Pending => {
                    let timeout = *this.timeout;
                    if !this.deadline.get_or_insert_with(|| Deadline::after(timeout)).has_passed(cx) {
                        return Poll::Pending;
                    }
                    break false;
                }
            }
        };
        Poll::Ready(
            this.rest.take().map(|(exchange, head)| decided(exchange, head, std::mem::take(this.frames), whole)),
        )
    }
}

/// Decides an inner error whose body was read.
fn decided<R, B>(
    exchange: Exchange,
    mut head: response::Parts,
    frames: VecDeque<Frame<Bytes>>,
    whole: bool,
) -> Reply<R, B> {
    let id = exchange.request_id();
    let body = if whole { joined(&frames) } else { Bytes::new() };
    let collected = if whole { Collected::Whole(&body) } else { Collected::Unreadable };
    match exchange.response_body(&mut head, collected) {
        Rewritten::Rewrite(written) => {
            log::event(written.event);
            Response::from_parts(head, ResponseBody::reply(written.body))
        }
        Rewritten::Restore(_, notes) => {
            log::notes(id, notes);
            Response::from_parts(head, ResponseBody::replay(frames))
        }
    }
}

fn joined(frames: &VecDeque<Frame<Bytes>>) -> Bytes {
    let mut chunks = frames.iter().filter_map(Frame::data_ref);
    match (chunks.next(), chunks.next()) {
        (None, _) => Bytes::new(),
        (Some(only), None) => only.clone(),
        (Some(first), Some(second)) => {
            let mut all = BytesMut::from(&first[..]);
            all.extend_from_slice(second);
            chunks.for_each(|chunk| all.extend_from_slice(chunk));
            all.freeze()
        }
    }
}
