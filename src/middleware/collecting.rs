//! Reading an inner error's body, bounded in bytes and in time (rule R4).

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Response, response};
use http_body::Body;
use pin_project_lite::pin_project;

use super::budget::{Budget, Deadline};
use super::catch::catch;
use super::count::Waits;
use super::future::{Reply, reply_of};
use super::log;
use super::request_body::panicked;
use super::response_body::ResponseBody;
use crate::exchange::{BoxError, Collected, Event, Exchange, Rewritten, Tail, Unread};

pin_project! {
    /// An inner error whose body is read (R4): where it is, and where all of it is there at once nothing is put aside.
    pub(super) struct Collecting<R> {
        #[pin]
        body: R,
        waiting: Option<Box<Job>>,
    }
}

/// An inner error, and what was read of it so far.
pub(super) struct Job {
    exchange: Exchange,
    head: response::Parts,
    read: Read,
    budget: Budget,
    /// When the client of an RPC call waits no longer.
    deadline: Option<Deadline>,
    waits: Waits,
}

/// What was read so far: one chunk as it came, or all of them together.
#[derive(Default)]
pub(super) struct Read {
    first: Bytes,
    all: BytesMut,
    trailers: Option<Box<HeaderMap>>,
}

/// How reading ended.
enum End {
    Whole,
    /// No more is read, or the error came instead.
    Unread(Unread, Option<BoxError>),
    /// The client waits no longer.
    OutOfTime,
}

impl Job {
    #[inline]
    pub(super) fn new(
        exchange: Exchange,
        head: response::Parts,
        max_bytes: u64,
        timeout: Duration,
        deadline: Option<Deadline>,
    ) -> Self {
        let (read, budget) = (Read::default(), Budget::new(max_bytes, timeout));
        Self { exchange, head, read, budget, deadline, waits: Waits::default() }
    }

    #[inline]
    fn poll<R>(&mut self, mut body: Pin<&mut R>, cx: &mut Context<'_>) -> Poll<End>
    where
        R: Body,
        R::Error: Into<BoxError>,
    {
        let Self { read, budget, deadline, .. } = self;
        loop {
            let mut error = None;
            let frame = catch(|| poll_into(read, body.as_mut(), &mut error, cx));
            return Poll::Ready(match frame.unwrap_or_else(|panic| Poll::Ready(Frame::Panicked(panic))) {
                Poll::Pending if budget.is_late(cx) => End::Unread(Unread::TooLate, None),
                Poll::Pending if deadline.as_mut().is_some_and(|deadline| deadline.has_passed(cx)) => End::OutOfTime,
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Frame::More(length)) => match budget.takes(length, cx) {
                    Ok(()) => continue,
                    Err(why) => End::Unread(why, None),
                },
                Poll::Ready(Frame::Last(length)) => match budget.takes(length, cx) {
                    Ok(()) => End::Whole,
                    Err(why) => End::Unread(why, None),
                },
                Poll::Ready(Frame::None) => End::Whole,
                Poll::Ready(Frame::Failed) => End::Unread(Unread::BrokeOff, error),
                Poll::Ready(Frame::Panicked(panic)) => End::Unread(Unread::BrokeOff, Some(panicked(panic))),
            });
        }
    }

    #[inline]
    fn end<R, B>(self, end: End) -> Decided<R, B> {
        let Self { exchange, head, read, waits, .. } = self;
        waits.ended();
        match end {
            End::Whole => decided(exchange, head, read, None),
            End::Unread(why, error) => decided(exchange, head, read, Some((why, error))),
            End::OutOfTime => {
                let _ = catch(|| drop(head));
                Decided::Reply(reply_of(exchange.timed_out()))
            }
        }
    }
}

/// What a body gave. Its bytes are where they are to be: a frame is large to hand on.
enum Frame {
    /// So many bytes.
    More(usize),
    /// And the body says that nothing follows.
    Last(usize),
    None,
    Failed,
    Panicked(Box<str>),
}

#[inline]
fn poll_into<R>(
    read: &mut Read,
    mut body: Pin<&mut R>,
    failed: &mut Option<BoxError>,
    cx: &mut Context<'_>,
) -> Poll<Frame>
where
    R: Body,
    R::Error: Into<BoxError>,
{
    let length = match ready!(body.as_mut().poll_frame(cx)) {
        None => return Poll::Ready(Frame::None),
        Some(Err(error)) => {
            *failed = Some(error.into());
            return Poll::Ready(Frame::Failed);
        }
        Some(Ok(frame)) => match frame.into_data() {
            Ok(mut data) => {
                let data = data.copy_to_bytes(data.remaining());
                let length = data.len();
                read.push_data(data);
                length
            }
            Err(frame) => {
                read.trailers = frame.into_trailers().ok().map(Box::new);
                0
            }
        },
    };
    Poll::Ready(if body.is_end_stream() { Frame::Last(length) } else { Frame::More(length) })
}

impl<R> Collecting<R> {
    pub(super) fn new(body: R) -> Self {
        Self { body, waiting: None }
    }

    /// The body behind what was read.
    pub(super) fn body(self: Pin<&mut Self>) -> Pin<&mut R> {
        self.project().body
    }

    pub(super) fn body_ref(&self) -> &R {
        &self.body
    }

    pub(super) fn abandoned(self: Pin<&mut Self>) -> Option<Event> {
        let Job { exchange, head, .. } = *self.project().waiting.take()?;
        let _ = catch(|| drop(head));
        Some(exchange.abandoned())
    }
}

impl<R> Collecting<R>
where
    R: Body,
    R::Error: Into<BoxError>,
{
    /// Reads what is there; what is not is awaited by [`Collecting::poll`].
    #[inline]
    pub(super) fn begin<B>(self: Pin<&mut Self>, mut job: Job, cx: &mut Context<'_>) -> Poll<Decided<R, B>> {
        let this = self.project();
        match job.poll(this.body, cx) {
            Poll::Ready(end) => Poll::Ready(job.end(end)),
            Poll::Pending => {
                job.waits.begin();
                *this.waiting = Some(Box::new(job));
                Poll::Pending
            }
        }
    }

    /// `None` where the reply was given before.
    pub(super) fn poll<B>(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Decided<R, B>>> {
        let this = self.project();
        let Some(job) = this.waiting else { return Poll::Ready(None) };
        let end = ready!(job.poll(this.body, cx));
        Poll::Ready(this.waiting.take().map(|job| job.end(end)))
    }
}

/// What becomes of an inner error whose body was read.
pub(super) enum Decided<R, B> {
    Reply(Reply<R, B>),
    /// What was read, then what was not, or the error that came instead.
    Resume(response::Parts, Bytes, Option<BoxError>, Tail),
}

/// `rest` is why something was not read, and the error that came instead.
#[inline]
fn decided<R, B>(
    exchange: Exchange,
    mut head: response::Parts,
    read: Read,
    rest: Option<(Unread, Option<BoxError>)>,
) -> Decided<R, B> {
    let (body, trailers) = read.into_parts();
    let collected = if rest.is_none() { Collected::Whole(&body) } else { Collected::Unreadable(&body) };
    let mut rewritten = exchange.response_body(&mut head, collected);
    if let Some((why, _)) = &rest {
        rewritten.event_mut().note_unread(*why);
    }
    let reply = match (rewritten, rest) {
        // Behind trailers nothing comes, however late they were.
        (Rewritten::Restore(tail, event), Some((_, error))) if trailers.is_none() => {
            log::event(*event);
            return Decided::Resume(head, body, error, tail);
        }
        (Rewritten::Restore(_, event), rest) => {
            let _ = catch(|| drop(rest));
            log::event(*event);
            Response::from_parts(head, ResponseBody::replay(body, trailers))
        }
        (Rewritten::Rewrite(mut written), rest) => {
            let _ = catch(|| drop(rest));
            log::tell(&mut written.event);
            Response::from_parts(head, ResponseBody::reply(written.body))
        }
        (Rewritten::Replace(answered), rest) => {
            let _ = catch(|| drop(rest));
            let _ = catch(|| drop(head));
            reply_of(*answered)
        }
    };
    Decided::Reply(reply)
}

impl Read {
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
