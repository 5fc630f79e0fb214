//! The minutes that a page of charts shows.

use std::ops::Range;
use std::time::UNIX_EPOCH;

use crate::error_store::clock;
use crate::error_store::minutes::{HOURS, begin_ms, kept, minute};
use crate::error_store::readiness::Span;

/// Minutes that are kept, or why none can be shown.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum HourQuery {
    /// All that are kept.
    All(Range<u32>),
    /// Those of one hour, as far as they are kept.
    Hour(Range<u32>),
    /// The hour is older than the kept minutes, or than the process.
    Gone,
    Future,
    /// Not an hour.
    Malformed,
}

impl HourQuery {
    /// `hour` is, for example, `2026-11-21T14`, in UTC.
    pub(super) fn new(hour: Option<&str>, span: Span) -> Self {
        let kept = kept(span.now);
        let Some(hour) = hour else { return Self::All(kept) };
        match begin_of(hour) {
            None => Self::Malformed,
            Some(begin) if begin >= kept.end => Self::Future,
            Some(begin) if begin + 60 <= kept.start.max(minute(span.since)) => Self::Gone,
            Some(begin) => Self::Hour(begin..begin + 60),
        }
    }
}

/// The hours that are kept, in full or in part, the oldest first.
pub(super) fn hours(span: Span) -> impl Iterator<Item = String> {
    let first = minute(span.since).max(kept(span.now).start) / 60;
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

    use super::{HourQuery, hours};
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
            (None, 50, HourQuery::All(MINUTE - 329..MINUTE + 31)),
            (Some("2026-11-21T12"), 50, HourQuery::Hour(MINUTE..MINUTE + 60)),
            (Some("2026-11-21T06"), 50, HourQuery::Hour(MINUTE - 360..MINUTE - 300)),
            (Some("2026-11-21T05"), 50, HourQuery::Gone),
            (Some("2026-11-21T10"), 2, HourQuery::Hour(MINUTE - 120..MINUTE - 60)),
            (Some("2026-11-21T09"), 2, HourQuery::Gone),
            (Some("1970-01-01T00"), 2, HourQuery::Gone),
            (Some("2026-11-21T13"), 50, HourQuery::Future),
            (Some("9999-12-31T23"), 50, HourQuery::Future),
            (Some("2026-11-31T13"), 50, HourQuery::Malformed),
            (Some("2026-11-21T24"), 50, HourQuery::Malformed),
            (Some("2026-11-21"), 50, HourQuery::Malformed),
            (Some("<script>"), 50, HourQuery::Malformed),
        ] {
            assert_eq!(HourQuery::new(hour, span(since)), request, "{hour:?}");
        }
    }

    #[test]
    fn each_hour_that_is_named_can_be_asked_for() {
        assert_eq!(hours(span(0)).collect::<Vec<_>>(), ["2026-11-21T12"]);
        for since in [1, 5, 6, 50] {
            let named: Vec<_> = hours(span(since)).collect();
            assert!(named.len() <= 7, "{named:?}");
            for hour in named {
                assert!(matches!(HourQuery::new(Some(&hour), span(since)), HourQuery::Hour(_)), "{hour}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_hour_or_none(hour in "\\PC{0,20}|[0-9T-]{13}") {
            let _ = HourQuery::new(Some(&hour), span(3));
        }
    }
}
