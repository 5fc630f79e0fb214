//! The minutes that a page of charts shows.

use std::ops::Range;
use std::time::UNIX_EPOCH;

use crate::error_store::clock;
use crate::error_store::minutes::{HOURS, begin_ms, kept_minutes, minute};
use crate::error_store::query::value;
use crate::error_store::readiness::Span;

/// Why no minutes can be shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HourError {
    /// The hour is over for longer than minutes are kept, or was before the process started.
    Gone,
    Future,
    /// The query's text is not an hour.
    Malformed,
}

/// How much time a page shows: the last minutes, hour or hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Period {
    Quarter,
    Hour,
    SixHours,
}

impl Period {
    pub(super) const ALL: [Self; 3] = [Self::Quarter, Self::Hour, Self::SixHours];

    /// `?last=15m`; `None` for any other text.
    pub(super) fn parse(query: Option<&str>) -> Option<Self> {
        let word = value(query, "last")?;
        Self::ALL.into_iter().find(|it| it.word() == word)
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Quarter => "15m",
            Self::Hour => "1h",
            Self::SixHours => "6h",
        }
    }

    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Quarter => "15 minutes",
            Self::Hour => "1 hour",
            Self::SixHours => "6 hours",
        }
    }

    pub(super) fn minutes(self, now: u64) -> Range<u32> {
        let kept = kept_minutes(now);
        let length = match self {
            Self::Quarter => 15,
            Self::Hour => 60,
            Self::SixHours => HOURS * 60,
        };
        kept.end.saturating_sub(length)..kept.end
    }
}

/// The minutes of one hour, for example `2026-11-21T14`, in UTC; if no hour is named, the minutes of the period.
pub(super) fn minutes_of(hour: Option<&str>, period: Period, span: Span) -> Result<Range<u32>, HourError> {
    let kept = kept_minutes(span.now);
    let Some(hour) = hour else { return Ok(period.minutes(span.now)) };
    match begin_of(hour) {
        None => Err(HourError::Malformed),
        Some(begin) if begin >= kept.end => Err(HourError::Future),
        Some(begin) if begin + 60 <= kept.start.max(minute(span.since)) => Err(HourError::Gone),
        Some(begin) => Ok(begin..begin + 60),
    }
}

/// The hours of which at least one minute is kept, the oldest first.
pub(super) fn hours(span: Span) -> impl Iterator<Item = String> {
    let first = minute(span.since).max(kept_minutes(span.now).start) / 60;
    let last = minute(span.now) / 60;
    (last.saturating_sub(HOURS).max(first)..=last).map(|hour| name(hour * 60))
}

/// `2026-11-21T14`.
fn name(minute: u32) -> String {
    clock::rfc3339(begin_ms(minute))[..13].to_owned()
}

fn begin_of(hour: &str) -> Option<u32> {
    let is_formed = hour.len() == 13 && hour.bytes().all(|byte| byte.is_ascii_digit() || b"-T".contains(&byte));
    let at = humantime::parse_rfc3339(&format!("{hour}:00:00Z")).ok().filter(|_| is_formed)?;
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    u32::try_from(since.as_secs() / 60).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{HourError, Period, hours, minutes_of};
    use crate::error_store::readiness::Span;

    const NOON: u64 = 1_795_262_400_000;
    const MINUTE: u32 = 29_921_040;
    const HALF_AN_HOUR: u64 = 30 * 60_000;

    fn span(hours: u64) -> Span {
        Span { since: NOON - hours * 3_600_000, now: NOON + HALF_AN_HOUR }
    }

    #[test]
    fn an_hour_is_there_is_gone_or_is_yet_to_come() {
        for (hour, since, request) in [
            (None, 50, Ok(MINUTE - 329..MINUTE + 31)),
            (Some("2026-11-21T12"), 50, Ok(MINUTE..MINUTE + 60)),
            (Some("2026-11-21T06"), 50, Ok(MINUTE - 360..MINUTE - 300)),
            (Some("2026-11-21T05"), 50, Err(HourError::Gone)),
            (Some("2026-11-21T10"), 2, Ok(MINUTE - 120..MINUTE - 60)),
            (Some("2026-11-21T09"), 2, Err(HourError::Gone)),
            (Some("1970-01-01T00"), 2, Err(HourError::Gone)),
            (Some("2026-11-21T13"), 50, Err(HourError::Future)),
            (Some("9999-12-31T23"), 50, Err(HourError::Future)),
            (Some("2026-11-31T13"), 50, Err(HourError::Malformed)),
            (Some("2026-11-21T24"), 50, Err(HourError::Malformed)),
            (Some("2026-11-21"), 50, Err(HourError::Malformed)),
            (Some("<script>"), 50, Err(HourError::Malformed)),
        ] {
            assert_eq!(minutes_of(hour, Period::SixHours, span(since)), request, "{hour:?}");
        }
    }

    #[test]
    fn each_hour_that_is_named_can_be_asked_for() {
        assert_eq!(hours(span(0)).collect::<Vec<_>>(), ["2026-11-21T12"]);
        for since in [1, 5, 6, 50] {
            let named: Vec<_> = hours(span(since)).collect();
            assert!(named.len() <= 7, "{named:?}");
            for hour in named {
                assert!(minutes_of(Some(&hour), Period::Hour, span(since)).is_ok(), "{hour}");
            }
        }
    }

    #[test]
    fn a_period_ends_with_the_current_minute() {
        for (query, length) in [("last=15m", 15), ("last=1h", 60), ("last=6h", 360)] {
            let period = Period::parse(Some(query)).expect("a period");
            assert_eq!(period.minutes(NOON), MINUTE + 1 - length..MINUTE + 1, "{query}");
        }
        assert_eq!(Period::parse(Some("last=1d")), None);
    }

    proptest! {
        #[test]
        fn any_text_is_an_hour_or_none(hour in "\\PC{0,20}|[0-9T-]{13}") {
            let _ = minutes_of(Some(&hour), Period::Hour, span(3));
        }
    }
}
