//! The time limits of a stream.

use std::time::Duration;

use tokio::time::Instant;

/// What a time limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Verify,
    Peek,
    Collect,
    /// The whole call (P1).
    Deadline,
}

/// The ends of the waits: one of the waiting state, one of the whole call.
#[derive(Default)]
pub(super) struct Timers {
    state: Option<(Instant, Wait)>,
    call: Option<Instant>,
}

/// Longer waits are cut to this: clocks end.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Timers {
    pub(super) fn start(&mut self, wait: Wait, time: Duration) {
        self.state = Some((Instant::now() + time.min(LONGEST), wait));
    }

    pub(super) fn start_call(&mut self, time: Duration) {
        self.call = Some(Instant::now() + time.min(LONGEST));
    }

    /// The state waits no longer.
    pub(super) fn stop(&mut self) {
        self.state = None;
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn next(&self) -> Option<(Instant, Wait)> {
        let call = self.call.map(|at| (at, Wait::Deadline));
        self.state.into_iter().chain(call).min_by_key(|(at, _)| *at)
    }
}

impl Timers {
    pub(super) fn elapsed(&mut self, wait: Wait) {
        match wait {
            Wait::Deadline => self.call = None,
            Wait::Verify | Wait::Peek | Wait::Collect => self.state = None,
        }
    }
}
