//! The time limit of a wait. The layer waits for an error's body (rule R4), for the rest of a request (G5), for a
//! request's first byte (G3), or for a verifier (G2).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use error_envelope_runtime::catch;

/// Returns the current time. Tests may stop this clock.
pub(super) fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// The deadline of a wait. A tokio timer wakes the task at the deadline. Without a tokio timer, a passed deadline is
/// noticed only when bytes arrive.
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
