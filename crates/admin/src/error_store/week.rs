//! Counts of the last seven days.

use super::ring::Ring;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A day of UTC, by its number since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(u32);

/// How often something happened, today and on the six days before, one bucket a day.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Week(Ring<7>);

impl Day {
    pub(crate) fn from_millis(at_ms: u64) -> Self {
        Self(u32::try_from(at_ms / DAY_MS).unwrap_or(u32::MAX))
    }
}

impl Week {
    /// Counts one more. A clock that was set back counts for the last day.
    pub(crate) fn count(&mut self, day: Day) {
        self.0.add(day.0, 1);
    }

    /// Adds all counts of another one.
    pub(crate) fn take_over(&mut self, other: &Self) {
        self.0.take_over(&other.0);
    }

    /// The count as of that day.
    pub(crate) fn sum(&self, today: Day) -> u64 {
        self.0.sum(today.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Day, Week};

    fn day(number: u32) -> Day {
        Day(20_000 + number)
    }

    #[test]
    fn a_day_is_forgotten_after_seven() {
        let mut week = Week::default();
        for number in [0, 0, 1, 6] {
            week.count(day(number));
        }
        let sums = [6, 7, 8, 12, 13, 100].map(|today| week.sum(day(today)));
        assert_eq!(sums, [4, 2, 1, 1, 0, 0]);
        week.count(day(7));
        assert_eq!(week.sum(day(7)), 3);
        week.count(day(50));
        assert_eq!(week.sum(day(50)), 1);
    }

    #[test]
    fn a_clock_that_was_set_back_loses_nothing() {
        let mut week = Week::default();
        week.count(day(5));
        week.count(day(3));
        assert_eq!(week.sum(day(5)), 2);
    }

    #[test]
    fn one_takes_over_what_another_has_day_by_day() {
        let (mut old, mut new) = (Week::default(), Week::default());
        for (week, number) in [(&mut old, 0), (&mut new, 4)] {
            week.count(day(number));
            week.count(day(number + 4));
        }
        let mut both = old;
        both.take_over(&new);
        assert_eq!([8, 10, 11, 14].map(|today| both.sum(day(today))), [3, 3, 1, 1]);
        new.take_over(&old);
        assert_eq!([8, 10, 11, 14].map(|today| new.sum(day(today))), [3, 3, 1, 1]);
    }
}
