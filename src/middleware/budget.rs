//! Caps for reading a body, in bytes and in time (rules R4, G5), and for a wait (G3).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use error_envelope_core::session::{BoxError, UnreadReason};
use error_envelope_runtime::catch;

/// The bytes and the time that a body may still take.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
    /// The remaining empty frames: without this limit, a body that has only empty frames would never end.
    empty_frames: u16,
    timeout: Duration,
    /// Set at the first wait: most bodies do not wait.
    deadline: Option<Deadline>,
}

/// The most empty frames to accept: more than any server sends by itself.
const MAX_EMPTY_FRAMES: u16 = 1024;

/// The reason to stop reading: the budget is spent, or the body failed.
pub(super) struct BudgetExhausted;

impl Budget {
    pub(super) fn new(max_bytes: u64, timeout: Duration) -> Self {
        Self { left: max_bytes, empty_frames: MAX_EMPTY_FRAMES, timeout, deadline: None }
    }

    /// Polls for the length of the body's next frame; `None` at the body's end.
    pub(super) fn poll_length(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<Option<Result<usize, BoxError>>>,
    ) -> Poll<Result<Option<usize>, BudgetExhausted>> {
        match poll(cx) {
            Poll::Ready(Some(Ok(length))) => {
                Poll::Ready(self.deduct(length, cx).map(|()| Some(length)).map_err(|_| BudgetExhausted))
            }
            Poll::Ready(None) => Poll::Ready(Ok(None)),
            Poll::Ready(Some(Err(error))) => {
                // Dropping the error runs user code, which may panic (F2).
                let _ = catch(|| drop(error));
                Poll::Ready(Err(BudgetExhausted))
            }
            Poll::Pending if self.is_late(cx) => Poll::Ready(Err(BudgetExhausted)),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Deducts a frame of this many bytes that came in time.
    pub(super) fn deduct(&mut self, length: usize, cx: &mut Context<'_>) -> Result<(), UnreadReason> {
        let left = if length == 0 {
            self.empty_frames.checked_sub(1).map(|left| self.empty_frames = left)
        } else {
            self.left.checked_sub(length as u64).map(|left| self.left = left)
        };
        if left.is_none() {
            Err(UnreadReason::TooLong)
        } else if self.deadline.as_mut().is_some_and(|deadline| deadline.has_passed(cx)) {
            Err(UnreadReason::TooLate)
        } else {
            Ok(())
        }
    }

    /// Whether the wait is too long. The first call starts the time of the wait.
    pub(super) fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        self.deadline.get_or_insert_with(|| Deadline::after(self.timeout)).has_passed(cx)
    }
}

/// The deadline of a wait. It wakes the task; without a tokio timer, it is noticed only when bytes arrive.
#[derive(Debug)]
pub(super) enum Deadline {
    Timer(Pin<Box<Sleep>>),
    Clock(Instant),
}

impl Deadline {
    pub(super) fn after(timeout: Duration) -> Self {
        // `sleep` panics outside a runtime, and in a runtime without a timer. The first case is common, and is checked
        // here so that it does not reach the panic hook.
        let timer = match tokio::runtime::Handle::try_current() {
            Ok(_) => catch(|| Box::pin(sleep(timeout))).ok(),
            Err(_) => None,
        };
        timer.map_or_else(|| Self::Clock(Instant::now() + timeout), Self::Timer)
    }

    pub(super) fn at(until: std::time::Instant) -> Self {
        Self::after(until.saturating_duration_since(Instant::now().into_std()))
    }

    pub(super) fn has_passed(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Timer(timer) => matches!(timer.as_mut().poll(cx), Poll::Ready(())),
            Self::Clock(at) => Instant::now() >= *at,
        }
    }
}
