//! What reading a body may cost, in bytes and in time (rules R4, G5), and how long a wait may last (G3).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Instant, Sleep, sleep};

use super::catch::catch;
use crate::exchange::BoxError;

/// What is left of the bytes and of the time that a body may take.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
    /// A body of nothing but empty frames would never be through.
    empty_frames: u16,
    timeout: Duration,
    /// Made at the first wait: most bodies have none.
    deadline: Option<Deadline>,
}

/// More than any server sends by itself.
const MAX_EMPTY_FRAMES: u16 = 1024;

/// Why no more is read.
pub(super) enum GaveUp {
    /// The budget is spent, on this frame.
    Spent(Frame<Bytes>),
    Late,
    Failed(BoxError),
}

impl GaveUp {
    /// An error's drop is the user's own, and may panic (F2).
    pub(super) fn discard(self) {
        let _ = catch(|| drop(self));
    }
}

impl Budget {
    pub(super) fn new(max_bytes: u64, timeout: Duration) -> Self {
        Self { left: max_bytes, empty_frames: MAX_EMPTY_FRAMES, timeout, deadline: None }
    }

    /// The body's next frame by `poll`, `None` at its end.
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>,
    ) -> Poll<Result<Option<Frame<Bytes>>, GaveUp>> {
        match poll(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let within = self.pay_for(&frame);
                let late = self.deadline.as_mut().is_some_and(|deadline| deadline.has_passed(cx));
                Poll::Ready(if within && !late { Ok(Some(frame)) } else { Err(GaveUp::Spent(frame)) })
            }
            Poll::Ready(None) => Poll::Ready(Ok(None)),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Err(GaveUp::Failed(error))),
            Poll::Pending => {
                let deadline = self.deadline.get_or_insert_with(|| Deadline::after(self.timeout));
                if deadline.has_passed(cx) { Poll::Ready(Err(GaveUp::Late)) } else { Poll::Pending }
            }
        }
    }

    fn pay_for(&mut self, frame: &Frame<Bytes>) -> bool {
        let length = frame.data_ref().map_or(0, Bytes::len) as u64;
        if length == 0 {
            return self.empty_frames.checked_sub(1).map(|left| self.empty_frames = left).is_some();
        }
        self.left.checked_sub(length).map(|left| self.left = left).is_some()
    }
}

/// A point in time that a wait does not outlast. It wakes at its time; without a tokio timer it is noticed as bytes arrive.
#[derive(Debug)]
pub(super) enum Deadline {
    Timer(Pin<Box<Sleep>>),
    Clock(Instant),
}

impl Deadline {
    pub(super) fn after(timeout: Duration) -> Self {
        // `sleep` panics outside a runtime, and in one without a timer: the hook need not see the common one.
        let timer = match tokio::runtime::Handle::try_current() {
            Ok(_) => catch(|| Box::pin(sleep(timeout))).ok(),
            Err(_) => None,
        };
        timer.map_or_else(|| Self::Clock(Instant::now() + timeout), Self::Timer)
    }

    pub(super) fn has_passed(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Timer(timer) => matches!(timer.as_mut().poll(cx), Poll::Ready(())),
            Self::Clock(at) => Instant::now() >= *at,
        }
    }
}
