//! Times, in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn a_time_fits_its_format() {
        assert_eq!(rfc3339(1_795_262_400_000), "2026-11-21T12:00:00.000Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
