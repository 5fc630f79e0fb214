//! Computes how long to wait before each retry, without I/O.

use std::time::Duration;

/// The limits for the attempts and waits of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// The most attempts, including the first one.
    pub(super) attempts: u32,
    /// The upper bound of the random wait before the second attempt; it doubles with each attempt.
    pub(super) base: Duration,
    /// The largest upper bound of a random wait.
    pub(super) most: Duration,
    /// The longest sum of all waits.
    pub(super) total: Duration,
}

/// The repetitions and waits of one request so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The number of repetitions so far.
    pub(super) again: u32,
    /// The sum of the waits so far.
    pub(super) waited: Duration,
}

impl Schedule {
    /// The default bounds: four attempts, with random waits of at most 100 ms that double up to 10 s, and at most 60 s
    /// of waits in all.
    pub(super) const DEFAULT: Self = Self {
        attempts: 4,
        base: Duration::from_millis(100),
        most: Duration::from_secs(10),
        total: Duration::from_secs(60),
    };

    /// Returns the wait before the next attempt. This is the wait that the server requested, or else a `share` (0–1) of
    /// the exponential bound ("full jitter"). Returns `None` if there is no further attempt. If the server requests a
    /// longer wait than `total` still allows, there is no further attempt, because an earlier retry would not help.
    pub(super) fn next(&self, progress: &mut Progress, requested: Option<Duration>, share: f64) -> Option<Duration> {
        if progress.again.saturating_add(1) >= self.attempts {
            return None;
        }
        let doubled = || self.base.saturating_mul(2_u32.saturating_pow(progress.again)).min(self.most);
        let wait = requested.unwrap_or_else(|| doubled().mul_f64(share.clamp(0.0, 1.0)));
        let waited = progress.waited.checked_add(wait).filter(|waited| *waited <= self.total)?;
        *progress = Progress { again: progress.again + 1, waited };
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule = Schedule { attempts: 6, ..Schedule::DEFAULT };

    fn waits(schedule: &Schedule, requested: &[Option<u64>], share: f64) -> Vec<u128> {
        let mut progress = Progress::default();
        let next = |requested: &Option<u64>| schedule.next(&mut progress, requested.map(Duration::from_millis), share);
        requested.iter().map_while(next).map(|wait| wait.as_millis()).collect()
    }

    #[test]
    fn waits_double_up_to_the_most_and_end_with_the_attempts() {
        let schedule = Schedule { most: Duration::from_millis(500), ..SCHEDULE };
        assert_eq!(waits(&schedule, &[None; 9], 1.0), [100, 200, 400, 500, 500]);
        assert_eq!(waits(&schedule, &[None; 9], 0.5), [50, 100, 200, 250, 250]);
        assert_eq!(waits(&schedule, &[None; 9], 0.0), [0; 5]);
        assert!(waits(&Schedule { attempts: 1, ..SCHEDULE }, &[None], 1.0).is_empty());
        assert!(waits(&Schedule { attempts: 0, ..SCHEDULE }, &[None], 1.0).is_empty());
    }

    #[test]
    fn what_the_server_asks_for_is_waited_or_nothing() {
        assert_eq!(waits(&SCHEDULE, &[Some(0), Some(20_000), None], 1.0), [0, 20_000, 400]);
        assert!(waits(&SCHEDULE, &[Some(60_001)], 1.0).is_empty());
        assert_eq!(waits(&SCHEDULE, &[Some(40_000), Some(20_001)], 1.0), [40_000]);
        assert_eq!(waits(&SCHEDULE, &[Some(40_000), Some(20_000), Some(1)], 1.0), [40_000, 20_000]);
        assert!(waits(&SCHEDULE, &[Some(u64::MAX)], 1.0).is_empty());
    }

    #[test]
    fn no_number_of_attempts_overflows() {
        let schedule = Schedule { attempts: u32::MAX, most: Duration::MAX, total: Duration::MAX, ..SCHEDULE };
        let mut progress = Progress { again: 4_000, waited: Duration::ZERO };
        assert!(schedule.next(&mut progress, None, 0.0).is_some());
    }
}
