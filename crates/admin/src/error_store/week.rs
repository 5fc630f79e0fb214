//! Counts of the last seven days.

use super::ring::Ring;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How often something happened, today and on the six days before, one bucket a day.
pub(crate) type Week = Ring<7>;

/// The day of a time in milliseconds since the Unix epoch, by its number since then.
pub(crate) fn day(at_ms: u64) -> u32 {
    u32::try_from(at_ms / DAY_MS).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::Week;

    fn day(number: u32) -> u32 {
        20_000 + number
    }

    #[test]
    fn a_day_is_forgotten_after_seven() {
        let mut week = Week::default();
        for number in [0, 0, 1, 6] {
            week.add(day(number), 1);
        }
        let sums = [6, 7, 8, 12, 13, 100].map(|today| week.sum(day(today)));
        assert_eq!(sums, [4, 2, 1, 1, 0, 0]);
        week.add(day(7), 1);
        assert_eq!(week.sum(day(7)), 3);
        week.add(day(50), 1);
        assert_eq!(week.sum(day(50)), 1);
    }

    #[test]
    fn a_clock_that_was_set_back_loses_nothing() {
        let mut week = Week::default();
        week.add(day(5), 1);
        week.add(day(3), 1);
        assert_eq!(week.sum(day(5)), 2);
    }

    #[test]
    fn one_takes_over_what_another_has_day_by_day() {
        let (mut old, mut new) = (Week::default(), Week::default());
        for (week, number) in [(&mut old, 0), (&mut new, 4)] {
            week.add(day(number), 1);
            week.add(day(number + 4), 1);
        }
        let mut both = old;
        both.take_over(&new);
        assert_eq!([8, 10, 11, 14].map(|today| both.sum(day(today))), [3, 3, 1, 1]);
        new.take_over(&old);
        assert_eq!([8, 10, 11, 14].map(|today| new.sum(day(today))), [3, 3, 1, 1]);
    }
}
