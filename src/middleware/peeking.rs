//! Waits for the first byte of a request's body (rule G3).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderMap;
use http_body::Body;

use super::budget::Deadline;
use super::parked::Waiting;
use super::request_body::poll_bytes;
use error_envelope_core::session::{BoxError, Event};
use error_envelope_runtime::catch;

/// A request that waits for its first body byte (G3).
pub(super) struct Peeking<S, B> {
    pub(super) deadline: Deadline,
    pub(super) rest: Option<(Waiting<S>, Pin<Box<B>>)>,
}

impl<S, B> Peeking<S, B> {
    pub(super) fn new(timeout: Duration, rest: Waiting<S>, body: Pin<Box<B>>) -> Self {
        Self { deadline: Deadline::after(timeout), rest: Some((rest, body)) }
    }

    pub(super) fn abandoned(&mut self) -> Option<Event> {
        let (Waiting { mut session, parked, .. }, body) = self.rest.take()?;
        parked.discard();
        let _ = catch(|| drop(body));
        session.abandon()
    }
}

/// The first frame, or the reason why there is none.
pub(super) enum First {
    Data,
    End(Option<Box<HeaderMap>>),
    TooSlow,
    Failed(BoxError),
}

pub(super) fn poll_first<B>(body: Pin<&mut B>, deadline: &mut Deadline, cx: &mut Context<'_>) -> Poll<First>
where
    B: Body<Error: Into<BoxError>>,
{
    Poll::Ready(match poll_bytes(body, cx) {
        Poll::Ready(None) => First::End(None),
        Poll::Ready(Some(Err(error))) => First::Failed(error),
        Poll::Ready(Some(Ok(frame))) => match frame.data_ref() {
            // An empty DATA frame does not count as a body. The task yields, so that many empty frames do not block the
            // thread.
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
