//! Times as people read them, in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const WEEK_MS: u64 = 7 * 24 * 60 * 60 * 1000;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Milliseconds since the Unix epoch.
pub(crate) fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `2026-11-21T14:02:33.120Z`, whatever the clock was set to.
pub(crate) fn time(at: SystemTime) -> String {
    rfc3339(milliseconds(at))
}

/// `2026-11-21T14:02:33.120Z`.
pub(crate) fn rfc3339(at_ms: u64) -> String {
    // The last millisecond of the year 9999: later dates do not fit this format.
    const LAST: u64 = 253_402_300_799_999;

    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at_ms.min(LAST))).to_string()
}

/// `20 Nov 14:02:33`.
pub(crate) fn short(at_ms: u64) -> String {
    let at = rfc3339(at_ms);
    format!("{}{}", on_day(&at), &at[16..19])
}

/// `20 Nov 14:02`.
pub(crate) fn day_minute(at_ms: u64) -> String {
    on_day(&rfc3339(at_ms))
}

/// `in 7 days`; if the process has counted for less time, that time.
pub(crate) fn period(since_ms: u64, now_ms: u64) -> String {
    if now_ms.saturating_sub(since_ms) >= WEEK_MS {
        return "in 7 days".to_owned();
    }
    format!("since {} UTC", day_minute(since_ms))
}

fn on_day(at: &str) -> String {
    let month = at[5..7].parse::<usize>().ok().and_then(|month| MONTHS.get(month.checked_sub(1)?));
    format!("{} {} {}", at[8..10].trim_start_matches('0'), month.unwrap_or(&"?"), &at[11..16])
}

#[cfg(test)]
mod tests {
    use super::{day_minute, period, rfc3339, short};

    const NOON: u64 = 1_795_262_400_000;

    #[test]
    fn times_are_as_long_as_they_need() {
        const HOUR: u64 = 3_600_000;
        assert_eq!(rfc3339(NOON), "2026-11-21T12:00:00.000Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(day_minute(NOON + HOUR), "21 Nov 13:00");
        assert_eq!(short(NOON), "21 Nov 12:00:00");
        assert_eq!(short(NOON - 13 * HOUR), "20 Nov 23:00:00");
        assert_eq!(period(NOON, NOON + HOUR), "since 21 Nov 12:00 UTC");
        assert_eq!(period(NOON, NOON + 24 * HOUR), "since 21 Nov 12:00 UTC");
        assert_eq!(period(NOON, NOON + 7 * 24 * HOUR), "in 7 days");
    }
}
