//! Waits with an end: for the rest of a body within its budget (rules R4, G5), and for a first byte (G3).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use error_envelope_core::session::{self, BoxError};
use error_envelope_runtime::catch;

/// The budget of a body that is read and dropped, with the timer that wakes the task.
#[derive(Debug)]
pub(super) struct Budget {
    budget: session::Budget,
    /// Set at the first wait: most bodies do not wait.
    deadline: Option<Deadline>,
}

/// The reason to stop reading: the budget is spent, or the body failed.
pub(super) struct BudgetExhausted;

impl Budget {
    pub(super) fn new(max_bytes: u64, timeout: Duration) -> Self {
        Self { budget: session::Budget::new(max_bytes, timeout), deadline: None }
    }

    /// Polls for the length of the body's next frame; `None` at the body's end.
    pub(super) fn poll_length(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<Option<Result<usize, BoxError>>>,
    ) -> Poll<Result<Option<usize>, BudgetExhausted>> {
        match poll(cx) {
            Poll::Ready(Some(Ok(length))) => {
                Poll::Ready(self.budget.deduct(length, now).map(|()| Some(length)).map_err(|_| BudgetExhausted))
            }
            Poll::Ready(None) => Poll::Ready(Ok(None)),
            Poll::Ready(Some(Err(error))) => {
                // Dropping the error runs user code, which may panic (F2).
                let _ = catch(|| drop(error));
                Poll::Ready(Err(BudgetExhausted))
            }
            Poll::Pending => {
                let Self { budget, deadline } = self;
                let deadline = deadline.get_or_insert_with(|| Deadline::at(budget.waits(now)));
                if deadline.has_passed(cx) { Poll::Ready(Err(BudgetExhausted)) } else { Poll::Pending }
            }
        }
    }

    /// Polls up to the end. Returns `false` if the budget was used up before.
    pub(super) fn poll_to_end(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<usize, BoxError>>>,
    ) -> Poll<bool> {
        loop {
            match ready!(self.poll_length(cx, &mut poll)) {
                Ok(Some(_)) => {}
                Ok(None) => return Poll::Ready(true),
                Err(BudgetExhausted) => return Poll::Ready(false),
            }
        }
    }
}

/// The time, which tests may stop.
pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
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
        Self::after(until.saturating_duration_since(now()))
    }

    pub(super) fn has_passed(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Timer(timer) => matches!(timer.as_mut().poll(cx), Poll::Ready(())),
            Self::Clock(at) => Instant::now() >= *at,
        }
    }
}
