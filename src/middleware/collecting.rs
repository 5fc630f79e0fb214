//! Reads an inner error's body until the session needs no more of it, the body ends, or the time limit has passed (rule
//! R4).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::caught::panicked;
use super::context::CallContext;
use super::deadline::{Deadline, now};
use error_envelope_core::session::{BoxError, Ending, Reading, RequestRecord, ResponseStep, Session, UnreadReason};
use error_envelope_runtime::{self as runtime, catch};

pin_project! {
    /// An inner error whose body is being read (R4). The body is read in place, because a polled body must not be
    /// moved. `waiting` is empty if the whole body is available at once.
    pub(super) struct Collecting<R> {
        // `None` once the body was dropped.
        #[pin]
        pub(super) body: Option<R>,
        waiting: Option<Box<CollectJob>>,
    }
}

impl<R: Body<Error: Into<BoxError>>> Collecting<R> {
    /// Reads the part of the body that is available at once. [`Collecting::poll`] waits for the rest.
    #[inline]
    #[allow(clippy::disallowed_methods, reason = "an adapter may read the clock")]
    pub(super) fn begin(self: Pin<&mut Self>, mut job: CollectJob, cx: &mut Context<'_>) -> Poll<Decided> {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else { return Poll::Pending };
        match job.poll(body, cx) {
            Poll::Ready(end) => {
                job.drop_body(this.body);
                Poll::Ready(job.ended(end))
            }
            Poll::Pending => {
                job.waits_since = Some(tokio::time::Instant::now());
                *this.waiting = Some(Box::new(job));
                Poll::Pending
            }
        }
    }

    /// Continues to read until the session has decided. Further polls return `Pending`.
    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Decided> {
        let mut this = self.project();
        let (Some(job), Some(body)) = (&mut *this.waiting, this.body.as_mut().as_pin_mut()) else {
            return Poll::Pending;
        };
        let end = ready!(job.poll(body, cx));
        let Some(mut job) = this.waiting.take() else { return Poll::Pending };
        job.drop_body(this.body);
        Poll::Ready(job.ended(end))
    }
}

impl<R> Collecting<R> {
    pub(super) fn new(body: R) -> Self {
        Self { body: Some(body), waiting: None }
    }

    /// Returns the rest of the body, or `None` if it was dropped.
    pub(super) fn body(self: Pin<&mut Self>) -> Option<Pin<&mut R>> {
        self.project().body.as_pin_mut()
    }

    pub(super) fn abandoned(self: Pin<&mut Self>) -> Option<RequestRecord> {
        let CollectJob { mut session, head, .. } = *self.project().waiting.take()?;
        let _ = catch(|| drop(head));
        session.abandon()
    }
}

/// The session, the head, and the state of reading the body of an inner error.
pub(super) struct CollectJob {
    session: Session,
    head: response::Parts,
    reading: Reading,
    /// Wakes the task when the time limit for reading the body has passed.
    timer: Option<Deadline>,
    /// The request's span, and the deadline that the client of an RPC call has set.
    context: Option<Box<CallContext>>,
    /// The text of a panic of the body (F2).
    panic: Option<Box<str>>,
    /// The time at which the wait for the body began (L2). Most bodies are available with their heads, and need no
    /// wait.
    waits_since: Option<tokio::time::Instant>,
}

/// The reason why the reading of a body ended.
enum End {
    Whole,
    /// The rest of the body was not read. If the body failed, the value contains its error.
    Unread(UnreadReason, Option<BoxError>),
    /// The client's deadline has passed.
    OutOfTime,
}

impl CollectJob {
    #[inline]
    pub(super) fn new(
        session: Session,
        head: response::Parts,
        reading: Reading,
        context: Option<Box<CallContext>>,
        panic: Option<Box<str>>,
    ) -> Self {
        Self { session, head, reading, timer: None, context, panic, waits_since: None }
    }

    #[inline]
    fn poll<R: Body<Error: Into<BoxError>>>(&mut self, mut body: Pin<&mut R>, cx: &mut Context<'_>) -> Poll<End> {
        let Self { reading, timer, context, panic, .. } = self;
        loop {
            let mut error = None;
            let polled = catch(|| poll_into(reading, body.as_mut(), &mut error, cx));
            return Poll::Ready(match polled {
                Err(text) => {
                    *panic = Some(text.clone());
                    End::Unread(UnreadReason::BrokeOff, Some(panicked(text)))
                }
                Ok(Poll::Pending) => {
                    let timer = timer.get_or_insert_with(|| Deadline::at(reading.waits(now)));
                    if timer.has_passed(cx) {
                        End::Unread(UnreadReason::TooLate, None)
                    } else if context.as_mut().is_some_and(|context| context.has_run_out(cx)) {
                        End::OutOfTime
                    } else {
                        return Poll::Pending;
                    }
                }
                Ok(Poll::Ready(Ok(false))) => continue,
                Ok(Poll::Ready(Ok(true))) => End::Whole,
                Ok(Poll::Ready(Err(why))) => End::Unread(why, error),
            });
        }
    }

    /// Drops a body that was read, unless its rest may still have to be sent. If the drop panics, the panic's text is
    /// logged with the inner error.
    #[inline]
    fn drop_body<R>(&mut self, mut body: Pin<&mut Option<R>>) {
        if !self.reading.keeps
            && let Err(panic) = catch(|| body.set(None))
        {
            self.panic = Some(panic);
        }
    }

    /// Lets the session decide from the part of the body that was read.
    #[inline(always)]
    fn ended(self, end: End) -> Decided {
        let Self { mut session, mut head, reading, panic, context, waits_since, .. } = self;
        if let Some(since) = waits_since {
            runtime::record_error_read(since.elapsed());
        }
        let (read, error) = match end {
            End::Whole => (reading.end(), None),
            End::Unread(why, error) => (reading.stop(why), error),
            End::OutOfTime => {
                let reply = session.end(Ending::TimedOut).map(Box::new);
                return Decided {
                    step: reply.map_or(ResponseStep::Broken, ResponseStep::Send),
                    head,
                    error: None,
                    context,
                };
            }
        };
        let mut step = session.decide(&mut head, read);
        step.note_panic(panic);
        Decided { step, head, error, context }
    }
}

/// The session's decision about an inner error whose body was read.
pub(super) struct Decided {
    pub(super) step: ResponseStep,
    pub(super) head: response::Parts,
    /// The error with which the body failed before its end.
    pub(super) error: Option<BoxError>,
    /// The request's span and deadline.
    pub(super) context: Option<Box<CallContext>>,
}

/// Reads one frame. Returns true if the body has ended.
#[inline]
fn poll_into<R>(
    reading: &mut Reading,
    mut body: Pin<&mut R>,
    failed: &mut Option<BoxError>,
    cx: &mut Context<'_>,
) -> Poll<Result<bool, UnreadReason>>
where
    R: Body<Error: Into<BoxError>>,
{
    Poll::Ready(match ready!(body.as_mut().poll_frame(cx)) {
        None => Ok(true),
        Some(Err(error)) => {
            *failed = Some(error.into());
            Err(UnreadReason::BrokeOff)
        }
        Some(Ok(frame)) => match frame.into_data() {
            Ok(mut data) => {
                let data = data.copy_to_bytes(data.remaining());
                reading.data(data, now).map(|()| body.is_end_stream())
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    reading.trailers(trailers);
                }
                Ok(body.is_end_stream())
            }
        },
    })
}
