//! A point in time that a wait does not outlast.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::catch::catch;

/// Wakes at its time; without a tokio timer it is noticed as bytes arrive.
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
