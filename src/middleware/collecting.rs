//! Reading an inner error's body, bounded in bytes and in time (rule R4).

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Buf;
use http::response;
use http_body::Body;
use pin_project_lite::pin_project;
use tracing::Span;

use super::budget::{Budget, Deadline};
use super::read_bytes::ReadBytes;
use super::request_body::panicked;
use super::waits::Waits;
use error_envelope_core::exchange::{BoxError, Event, Exchange, UnreadReason};
use error_envelope_runtime::catch;

pin_project! {
    /// An inner error whose body is read in place (R4). If all of it is available at once, no state is stored.
    pub(super) struct Collecting<R> {
        #[pin]
        pub(super) body: R,
        pub(super) waiting: Option<Box<CollectJob>>,
    }
}

/// An inner error whose body is awaited.
pub(super) struct CollectJob {
    pub(super) exchange: Exchange,
    pub(super) head: response::Parts,
    pub(super) reading: Reading,
}

/// The part of a body that was read, and how much more may be.
pub(super) struct Reading {
    pub(super) read: ReadBytes,
    budget: Budget,
    /// When the time of an RPC call's client runs out.
    deadline: Option<Deadline>,
    /// The span of the request.
    pub(super) span: Option<Span>,
    pub(super) waits: Waits,
}

/// How reading ended.
pub(super) enum End {
    Whole,
    /// Nothing more is read, or the body failed with an error.
    Unread(UnreadReason, Option<BoxError>),
    /// The client's time is out.
    OutOfTime,
}

impl Reading {
    #[inline]
    pub(super) fn new(max_bytes: u64, timeout: Duration, deadline: Option<Deadline>, span: Option<Span>) -> Self {
        let (read, budget) = (ReadBytes::default(), Budget::new(max_bytes, timeout));
        Self { read, budget, deadline, span, waits: Waits::default() }
    }

    #[inline]
    pub(super) fn poll<R>(&mut self, mut body: Pin<&mut R>, cx: &mut Context<'_>) -> Poll<End>
    where
        R: Body<Error: Into<BoxError>>,
    {
        let Self { read, budget, deadline, .. } = self;
        loop {
            let mut error = None;
            let frame = catch(|| poll_into(read, body.as_mut(), &mut error, cx));
            return Poll::Ready(match frame.unwrap_or_else(|panic| Poll::Ready(Frame::Panicked(panic))) {
                Poll::Pending if budget.is_late(cx) => End::Unread(UnreadReason::TooLate, None),
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
                Poll::Ready(Frame::Failed) => End::Unread(UnreadReason::BrokeOff, error),
                Poll::Ready(Frame::Panicked(panic)) => End::Unread(UnreadReason::BrokeOff, Some(panicked(panic))),
            });
        }
    }
}

/// A frame of a body. Its bytes are in place already: a frame is large to move.
enum Frame {
    /// This many bytes.
    More(usize),
    /// The same, and the body reports its end.
    Last(usize),
    None,
    Failed,
    Panicked(Box<str>),
}

#[inline]
fn poll_into<R>(
    read: &mut ReadBytes,
    mut body: Pin<&mut R>,
    failed: &mut Option<BoxError>,
    cx: &mut Context<'_>,
) -> Poll<Frame>
where
    R: Body<Error: Into<BoxError>>,
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

    /// The rest of the body.
    pub(super) fn body(self: Pin<&mut Self>) -> Pin<&mut R> {
        self.project().body
    }

    pub(super) fn body_ref(&self) -> &R {
        &self.body
    }

    pub(super) fn abandoned(self: Pin<&mut Self>) -> Option<Event> {
        let CollectJob { exchange, head, .. } = *self.project().waiting.take()?;
        let _ = catch(|| drop(head));
        Some(exchange.abandoned())
    }
}
