//! Decides the outcome of an inner error whose body was read (rule R4).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Response, response};
use http_body::Body;

use super::collecting::{CollectJob, Collecting, End, Reading};
use super::read_bytes::ReadBytes;
use super::reason::remove_reason;
use super::span;
use error_envelope_core::exchange::{
    BodyContext, BoxError, Collected, CollectedAction, Exchange, LocalReply, UnreadReason,
};
use error_envelope_runtime as runtime;
use error_envelope_runtime::catch;

impl<R> Collecting<R>
where
    R: Body<Error: Into<BoxError>>,
{
    /// Reads what is available; [`Collecting::poll`] waits for the rest.
    #[inline]
    pub(super) fn begin(
        self: Pin<&mut Self>,
        exchange: Exchange,
        head: response::Parts,
        mut reading: Reading,
        cx: &mut Context<'_>,
    ) -> Poll<BodyOutcome> {
        let this = self.project();
        match reading.poll(this.body, cx) {
            Poll::Ready(end) => Poll::Ready(ended(exchange, head, reading, end)),
            Poll::Pending => {
                reading.waits.begin();
                *this.waiting = Some(Box::new(CollectJob { exchange, head, reading }));
                Poll::Pending
            }
        }
    }

    /// Pending for ever once the reply was returned.
    pub(super) fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BodyOutcome> {
        let this = self.project();
        let Some(job) = this.waiting else { return Poll::Pending };
        let end = ready!(job.reading.poll(this.body, cx));
        let Some(job) = this.waiting.take() else { return Poll::Pending };
        let CollectJob { exchange, head, reading } = *job;
        let span = reading.span.clone();
        let _inside = span::enter(span.as_ref());
        Poll::Ready(ended(exchange, head, reading, end))
    }
}

#[inline]
fn ended(exchange: Exchange, head: response::Parts, reading: Reading, end: End) -> BodyOutcome {
    let Reading { read, waits, .. } = reading;
    waits.ended();
    match end {
        End::Whole => decided(exchange, head, read, None),
        End::Unread(why, error) => decided(exchange, head, read, Some((why, error))),
        End::OutOfTime => {
            let _ = catch(|| drop(head));
            replaced(exchange.timed_out())
        }
    }
}

/// The outcome of an inner error whose body was read.
pub(super) enum BodyOutcome {
    Reply(Response<Bytes>),
    /// All of it, unchanged.
    Replay(Response<Bytes>, Option<Box<HeaderMap>>),
    /// The part that was read, then the rest or the error that came instead.
    Resume(Response<Bytes>, Option<BoxError>, BodyContext),
}

/// `rest` is why a part was not read, and the error that came instead.
#[inline]
fn decided(
    exchange: Exchange,
    mut head: response::Parts,
    read: ReadBytes,
    rest: Option<(UnreadReason, Option<BoxError>)>,
) -> BodyOutcome {
    let (body, trailers) = read.into_parts();
    let collected = if rest.is_none() { Collected::Whole(&body) } else { Collected::Unreadable(&body) };
    let mut action = exchange.response_body(&mut head, collected);
    let error = rest.and_then(|(why, error)| {
        action.event_mut().note_unread(why);
        error
    });
    let resumes = matches!(collected, Collected::Unreadable(_)) && trailers.is_none();
    match action {
        // Nothing comes behind trailers, however late they were.
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
