//! The time limits of a stream.

use std::time::Duration;

use tokio::time::Instant;

/// The purpose of a time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Verify,
    Peek,
    Collect,
    /// The whole call (P1).
    Deadline,
}

/// The times at which the waits end. At most one wait is for the current phase, and one is for the whole call.
#[derive(Default)]
pub(super) struct Timers(Vec<(Instant, Wait)>);

/// The longest wait. Longer waits are shortened to this time, since the clock's range is limited.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Timers {
    pub(super) fn start(&mut self, wait: Wait, time: Duration) {
        self.0.push((Instant::now() + time.min(LONGEST), wait));
    }

    /// Ends the wait of the current phase.
    pub(super) fn stop(&mut self) {
        self.0.retain(|(_, wait)| *wait == Wait::Deadline);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn next(&self) -> Option<(Instant, Wait)> {
        self.0.iter().copied().min_by_key(|(at, _)| *at)
    }

    pub(super) fn elapsed(&mut self, ended: Wait) {
        self.0.retain(|(_, wait)| *wait != ended);
    }
}
