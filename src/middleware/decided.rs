//! What becomes of an inner error whose body was read (rule R4).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Response, response};
use http_body::Body;

use super::collecting::{CollectJob, Collecting, End};
use super::read_bytes::ReadBytes;
use super::response_body::{Reply, ResponseBody, reply_of};
use error_envelope_core::exchange::{BodyContext, BoxError, Collected, CollectedAction, Exchange, UnreadReason};
use error_envelope_runtime as runtime;
use error_envelope_runtime::catch;

impl CollectJob {
    #[inline]
    fn end<R, B>(self, end: End) -> BodyOutcome<R, B> {
        let Self { exchange, head, read, waits, .. } = self;
        waits.ended();
        match end {
            End::Whole => decided(exchange, head, read, None),
            End::Unread(why, error) => decided(exchange, head, read, Some((why, error))),
            End::OutOfTime => {
                let _ = catch(|| drop(head));
                BodyOutcome::Reply(reply_of(exchange.timed_out()))
            }
        }
    }
}

impl<R> Collecting<R>
where
    R: Body<Error: Into<BoxError>>,
{
    /// Reads what is there; what is not is awaited by [`Collecting::poll`].
    #[inline]
    pub(super) fn begin<B>(self: Pin<&mut Self>, mut job: CollectJob, cx: &mut Context<'_>) -> Poll<BodyOutcome<R, B>> {
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
    pub(super) fn poll<B>(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<BodyOutcome<R, B>>> {
        let this = self.project();
        let Some(job) = this.waiting else { return Poll::Ready(None) };
        let end = ready!(job.poll(this.body, cx));
        Poll::Ready(this.waiting.take().map(|job| job.end(end)))
    }
}

/// What becomes of an inner error whose body was read.
pub(super) enum BodyOutcome<R, B> {
    Reply(Reply<R, B>),
    /// What was read, then what was not, or the error that came instead.
    Resume(response::Parts, Bytes, Option<BoxError>, BodyContext),
}

/// `rest` is why something was not read, and the error that came instead.
#[inline]
fn decided<R, B>(
    exchange: Exchange,
    mut head: response::Parts,
    read: ReadBytes,
    rest: Option<(UnreadReason, Option<BoxError>)>,
) -> BodyOutcome<R, B> {
    let (body, trailers) = read.into_parts();
    let collected = if rest.is_none() { Collected::Whole(&body) } else { Collected::Unreadable(&body) };
    let mut rewritten = exchange.response_body(&mut head, collected);
    if let Some((why, _)) = &rest {
        rewritten.event_mut().note_unread(*why);
    }
    let reply = match (rewritten, rest) {
        // Behind trailers nothing comes, however late they were.
        (CollectedAction::Restore(tail, event), Some((_, error))) if trailers.is_none() => {
            runtime::log_event(*event);
            return BodyOutcome::Resume(head, body, error, tail);
        }
        (CollectedAction::Restore(_, event), rest) => {
            let _ = catch(|| drop(rest));
            runtime::log_event(*event);
            Response::from_parts(head, ResponseBody::replay(body, trailers))
        }
        (CollectedAction::Rewrite(mut written), rest) => {
            let _ = catch(|| drop(rest));
            runtime::log_event(&mut written.event);
            Response::from_parts(head, ResponseBody::reply(written.body))
        }
        (CollectedAction::Replace(answered), rest) => {
            let _ = catch(|| drop(rest));
            let _ = catch(|| drop(head));
            reply_of(*answered)
        }
    };
    BodyOutcome::Reply(reply)
}
