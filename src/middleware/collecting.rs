//! Reads an inner error's body, bounded in bytes and in time, and decides the outcome (rule R4).

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{HeaderMap, Response, response};
use http_body::Body;
use pin_project_lite::pin_project;
use tracing::Span;

use super::budget::{Budget, Deadline};
use super::read_bytes::ReadBytes;
use super::reason::remove_reason;
use super::request_body::panicked;
use super::span;
use error_envelope_core::exchange::{
    BodyContext, BoxError, Collected, CollectedAction, Event, Exchange, LocalReply, UnreadReason,
};
use error_envelope_runtime as runtime;
use error_envelope_runtime::catch;

pin_project! {
    /// An inner error whose body is being read, without being moved (R4). If all of it is available at once, no state
    /// is stored.
    pub(super) struct Collecting<R> {
        // `None` once it was read and cannot be sent any more.
        #[pin]
        body: Option<R>,
        waiting: Option<Box<CollectJob>>,
    }
}

impl<R> Collecting<R>
where
    R: Body<Error: Into<BoxError>>,
{
    /// Reads what is available; [`Collecting::poll`] waits for the rest.
    #[inline]
    #[allow(clippy::disallowed_methods, reason = "an adapter measures the wait")]
    pub(super) fn begin(
        self: Pin<&mut Self>,
        exchange: Exchange,
        head: response::Parts,
        mut reading: Reading,
        span: Option<&Span>,
        cx: &mut Context<'_>,
    ) -> Poll<BodyOutcome> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Pending };
        match reading.poll(body, cx) {
            Poll::Ready(end) => {
                reading.drop_body(&exchange, this.body);
                Poll::Ready(ended(exchange, head, reading, end))
            }
            Poll::Pending => {
                #[cfg(feature = "metrics")]
                {
                    reading.waits_since = Some(tokio::time::Instant::now());
                }
                *this.waiting = Some(Box::new(CollectJob { exchange, head, reading, span: span.cloned() }));
                Poll::Pending
            }
        }
    }

    /// Reads on until the outcome is decided. After that it stays pending.
    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BodyOutcome> {
        let mut this = self.project();
        let (Some(job), Some(body)) = (&mut *this.waiting, this.body.as_mut().as_pin_mut()) else {
            return Poll::Pending;
        };
        let end = ready!(job.reading.poll(body, cx));
        let Some(job) = this.waiting.take() else { return Poll::Pending };
        let CollectJob { exchange, head, mut reading, span } = *job;
        let _inside = span::enter(span.as_ref());
        reading.drop_body(&exchange, this.body);
        Poll::Ready(ended(exchange, head, reading, end))
    }
}

impl<R> Collecting<R> {
    pub(super) fn new(body: R) -> Self {
        Self { body: Some(body), waiting: None }
    }

    /// The rest of the body; `None` if it was dropped.
    pub(super) fn body(self: Pin<&mut Self>) -> Option<Pin<&mut R>> {
        self.project().body.as_pin_mut()
    }

    pub(super) fn body_ref(&self) -> Option<&R> {
        self.body.as_ref()
    }

    pub(super) fn abandoned(self: Pin<&mut Self>) -> Option<Event> {
        let CollectJob { exchange, head, .. } = *self.project().waiting.take()?;
        let _ = catch(|| drop(head));
        Some(exchange.abandoned())
    }
}

/// What else is needed to decide about an inner error while its body is read.
struct CollectJob {
    exchange: Exchange,
    head: response::Parts,
    reading: Reading,
    /// The span of the request.
    span: Option<Span>,
}

/// The part of a body that was read, and how much more may be read.
pub(super) struct Reading {
    read: ReadBytes,
    budget: Budget,
    /// The deadline that the client of an RPC call has set.
    deadline: Option<Deadline>,
    /// The text of the body's panic (F2).
    panic: Option<Box<str>>,
    /// When the wait began (L2): most bodies are available with their heads.
    #[cfg(feature = "metrics")]
    waits_since: Option<tokio::time::Instant>,
}

/// How reading ended.
enum End {
    Whole,
    /// The rest cannot be read, or the body failed with this error.
    Unread(UnreadReason, Option<BoxError>),
    /// The client's deadline has passed.
    OutOfTime,
}

impl Reading {
    #[inline]
    pub(super) fn new(max_bytes: u64, timeout: Duration, deadline: Option<Deadline>, panic: Option<Box<str>>) -> Self {
        let (read, budget) = (ReadBytes::default(), Budget::new(max_bytes, timeout));
        Self {
            read,
            budget,
            deadline,
            panic,
            #[cfg(feature = "metrics")]
            waits_since: None,
        }
    }

    #[inline]
    fn poll<R>(&mut self, mut body: Pin<&mut R>, cx: &mut Context<'_>) -> Poll<End>
    where
        R: Body<Error: Into<BoxError>>,
    {
        let Self { read, budget, deadline, panic, .. } = self;
        loop {
            let mut error = None;
            let frame = catch(|| poll_into(read, body.as_mut(), &mut error, cx));
            return Poll::Ready(match frame.unwrap_or_else(|panic| Poll::Ready(Frame::Panicked(panic))) {
                Poll::Pending if budget.is_late(cx) => End::Unread(UnreadReason::TooLate, None),
                Poll::Pending if deadline.as_mut().is_some_and(|deadline| deadline.has_passed(cx)) => End::OutOfTime,
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Frame::More(length)) => match budget.deduct(length, cx) {
                    Ok(()) => continue,
                    Err(why) => End::Unread(why, None),
                },
                Poll::Ready(Frame::Last(length)) => match budget.deduct(length, cx) {
                    Ok(()) => End::Whole,
                    Err(why) => End::Unread(why, None),
                },
                Poll::Ready(Frame::None) => End::Whole,
                Poll::Ready(Frame::Failed) => End::Unread(UnreadReason::BrokeOff, error),
                Poll::Ready(Frame::Panicked(text)) => {
                    *panic = Some(text.clone());
                    End::Unread(UnreadReason::BrokeOff, Some(panicked(text)))
                }
            });
        }
    }

    /// Drops a body that was read, unless its rest may have to be sent: a panic of the drop is logged with the error.
    #[inline]
    fn drop_body<R>(&mut self, exchange: &Exchange, mut body: Pin<&mut Option<R>>) {
        if !exchange.may_restore()
            && let Err(panic) = catch(|| body.set(None))
        {
            self.panic = Some(panic);
        }
    }
}

/// A frame of a body. Its bytes are already stored, because a frame is large to move.
enum Frame {
    /// This many bytes came, and more may follow.
    More(usize),
    /// This many bytes came, and the body reports its end.
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

#[inline(always)]
fn ended(exchange: Exchange, head: response::Parts, reading: Reading, end: End) -> BodyOutcome {
    #[cfg(feature = "metrics")]
    if let Some(since) = reading.waits_since {
        runtime::record_error_read(since.elapsed());
    }
    let rest = match end {
        End::Whole => None,
        End::Unread(why, error) => Some((why, error)),
        End::OutOfTime => {
            let _ = catch(|| drop(head));
            return replaced(exchange.timed_out());
        }
    };
    decided(exchange, head, reading, rest)
}

/// The outcome of an inner error whose body was read.
pub(super) enum BodyOutcome {
    Reply(Response<Bytes>),
    /// All of the body, unchanged.
    Replay(Response<Bytes>, Option<Box<HeaderMap>>),
    /// The part that was read, followed by the rest, or by the error that came instead.
    Resume(Response<Bytes>, Option<BoxError>, BodyContext),
}

/// Decides by the part that was read. `rest` is the reason why the rest was not read, with the error that came instead,
/// if any.
#[inline(always)]
fn decided(
    exchange: Exchange,
    mut head: response::Parts,
    Reading { read, panic, .. }: Reading,
    rest: Option<(UnreadReason, Option<BoxError>)>,
) -> BodyOutcome {
    let (body, trailers) = read.into_parts();
    let collected = if rest.is_none() { Collected::Whole(&body) } else { Collected::Unreadable(&body) };
    let mut action = exchange.response_body(&mut head, collected);
    action.event_mut().note_panic(panic);
    let error = rest.and_then(|(why, error)| {
        action.event_mut().note_unread(why);
        error
    });
    let resumes = matches!(collected, Collected::Unreadable(_)) && trailers.is_none();
    match action {
        // Nothing follows after trailers, however late they were.
        CollectedAction::Restore(tail, event) if resumes => {
            runtime::log_event(*event);
            BodyOutcome::Resume(Response::from_parts(head, body), error, tail)
        }
        CollectedAction::Restore(_, event) => {
            let _ = catch(|| drop(error));
            runtime::log_event(*event);
            BodyOutcome::Replay(Response::from_parts(head, body), trailers)
        }
        CollectedAction::Rewrite(mut written) => {
            remove_reason(&mut head);
            let _ = catch(|| drop(error));
            runtime::log_event(&mut written.event);
            BodyOutcome::Reply(Response::from_parts(head, written.body))
        }
        CollectedAction::Replace(answered) => {
            let _ = catch(|| drop(error));
            let _ = catch(|| drop(head));
            replaced(*answered)
        }
    }
}

fn replaced(mut answered: LocalReply) -> BodyOutcome {
    runtime::log_reply(&mut answered);
    BodyOutcome::Reply(answered.reply)
}
