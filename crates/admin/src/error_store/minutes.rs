//! Counts of the last hours, minute by minute.

use std::ops::Range;

use super::ring::Ring;

/// How many hours are kept. An operator who is alerted at night can still see how the problem began.
pub(crate) const HOURS: u32 = 6;
/// How many minutes are kept, including the current one.
pub(crate) const MINUTES: u32 = HOURS * 60;
pub(crate) const MINUTE_MS: u64 = 60_000;

/// How often something happened in each of the last minutes: always 1,444 bytes.
pub(crate) type Minutes = Box<Ring<{ MINUTES as usize }>>;

/// The minute of a time in milliseconds since the Unix epoch, by its number since then.
pub(crate) fn minute(at_ms: u64) -> u32 {
    u32::try_from(at_ms / MINUTE_MS).unwrap_or(u32::MAX)
}

/// When a minute begins, in milliseconds since the Unix epoch.
pub(crate) fn begin_ms(minute: u32) -> u64 {
    u64::from(minute) * MINUTE_MS
}

/// The minutes that are kept at this time; the last one is the current minute.
pub(crate) fn kept_minutes(now_ms: u64) -> Range<u32> {
    let end = minute(now_ms).saturating_add(1);
    end.saturating_sub(MINUTES)..end
}

#[cfg(test)]
mod tests {
    use super::{MINUTES, Minutes, begin_ms, kept_minutes, minute};

    #[test]
    fn six_hours_are_kept_and_no_more() {
        let now = 1_795_262_461_000;
        let range = kept_minutes(now);
        assert_eq!((range.len(), range.end - 1), (360, minute(now)));
        assert_eq!(begin_ms(minute(now)), now - 1_000);
        let mut counts = Minutes::default();
        counts.add(range.start, 7);
        counts.add(minute(now), 1);
        assert_eq!(counts.counts(range.clone()).iter().sum::<u32>(), 8);
        counts.add(minute(now) + 1, 1);
        assert_eq!(counts.counts(range.clone())[0], 0, "the first minute is gone");
        assert_eq!(counts.counts(0..3), [0; 3]);
        assert_eq!(kept_minutes(0), 0..1);
        assert_eq!(minute(u64::MAX), u32::MAX);
        assert_eq!(MINUTES % 60, 0);
    }
}
