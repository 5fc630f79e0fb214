//! Counts failures and refusals of the last hour, minute by minute, by route, scope and code.

use std::collections::HashMap;
use std::ops::Range;

use error_envelope_core::code::ErrorCode;
use error_envelope_core::session::Outcome;

use super::error_record::{Kind, Severity};
use super::place::Place;

/// The most combinations of route, scope and code with their own row of minutes. The rows use at most 512 KiB. At this
/// number, a new combination replaces the combination whose last error is oldest.
pub(crate) const MOST_SERIES: usize = 2048;

/// Counts failures and refusals per minute, for each combination of route, scope and code.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    series: HashMap<Series, Minutes>,
}

/// The key of a row of minutes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Series {
    place: Place,
    /// The code of the error, or the codes of all guards that only observed but would have refused the request.
    codes: Vec<ErrorCode>,
    severity: Severity,
}

impl Timeline {
    /// Counts a record if it is a failure of a server, a refusal of a guard, or a request that a guard would have
    /// refused.
    pub(crate) fn count(&mut self, minute: u32, place: &Place, kind: &Kind) {
        if let Some(severity) = kind.severity() {
            let code = kind.sent.as_ref().and_then(|sent| sent.code.clone());
            self.add(minute, Series { place: place.clone(), codes: code.into_iter().collect(), severity });
        }
        if kind.passed_unrefused() {
            let (place, codes) = (place.clone(), kind.would_refuse.clone());
            self.add(minute, Series { place, codes, severity: Severity::WouldRefuse });
        }
    }

    fn add(&mut self, minute: u32, series: Series) {
        if self.series.len() == MOST_SERIES && !self.series.contains_key(&series) {
            self.forget_quietest();
        }
        self.series.entry(series).or_default().add(minute, 1);
    }

    #[cold]
    fn forget_quietest(&mut self) {
        let quietest = self.series.iter().min_by_key(|(_, counts)| counts.last).map(|(series, _)| series.clone());
        quietest.and_then(|series| self.series.remove(&series));
    }

    /// Returns for each place and code the number of errors of this severity in these minutes. If an error has several
    /// codes, they are joined into one text.
    pub(crate) fn totals_of(&self, severity: Severity, minutes: &Range<u32>) -> Vec<(Place, String, u64)> {
        let of_it = self.series.iter().filter(|(series, _)| series.severity == severity);
        let totals = of_it.map(|(Series { place, codes, .. }, counts)| {
            let codes: Vec<_> = codes.iter().map(ErrorCode::as_str).collect();
            (place.clone(), codes.join(", "), counts.sum_of(minutes))
        });
        totals.filter(|(_, _, total)| *total > 0).collect()
    }
}

pub(crate) const MINUTE_MS: u64 = 60_000;
/// The number of minutes that are kept, including the current minute.
pub(crate) const MINUTES: u32 = 60;

/// A count for each of the last minutes.
pub(crate) type Minutes = Ring<{ MINUTES as usize }>;
/// A count for each of the last minutes, by outcome.
pub(crate) type ByOutcome = [Minutes; Outcome::VALUES.len()];

/// Returns the number of the minute that contains a time in milliseconds. Minutes are numbered from the Unix epoch.
pub(crate) fn minute(at_ms: u64) -> u32 {
    u32::try_from(at_ms / MINUTE_MS).unwrap_or(u32::MAX)
}

/// Returns the numbers of the last `count` minutes, including the current minute.
pub(crate) fn last_minutes(now_ms: u64, count: u32) -> Range<u32> {
    let end = minute(now_ms).saturating_add(1);
    end.saturating_sub(count)..end
}

/// A count for each of the last `N` spans of time. Spans are numbered from the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<const N: usize> {
    pub(crate) last: u32,
    counts: [u32; N],
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self { last: 0, counts: [0; N] }
    }
}

impl<const N: usize> Ring<N> {
    /// The number of spans that are kept.
    const LENGTH: u32 = N as u32;

    /// Adds `more` to the count of a span. If the clock was set back, adds it to the last span instead. A count never
    /// exceeds the largest `u32`.
    pub(crate) fn add(&mut self, span: u32, more: u32) {
        self.advance_to(span);
        let count = &mut self.counts[bucket::<N>(self.last)];
        *count = count.saturating_add(more);
    }

    /// Returns the count of one span. Returns 0 for a span that is no longer kept, or that is in the future.
    fn count_in(&self, span: u32) -> u32 {
        if self.has(span) { self.counts[bucket::<N>(span)] } else { 0 }
    }

    /// Returns the count of each of these spans.
    pub(crate) fn counts(&self, spans: Range<u32>) -> Vec<u32> {
        spans.map(|span| self.count_in(span)).collect()
    }

    /// Returns the sum over these spans.
    pub(crate) fn sum_of(&self, spans: &Range<u32>) -> u64 {
        spans.clone().map(|span| u64::from(self.count_in(span))).sum()
    }

    fn has(&self, span: u32) -> bool {
        span <= self.last && self.last - span < Self::LENGTH
    }

    fn advance_to(&mut self, span: u32) {
        for before in self.last..span.min(self.last.saturating_add(Self::LENGTH)) {
            self.counts[bucket::<N>(before + 1)] = 0;
        }
        self.last = self.last.max(span);
    }
}

const fn bucket<const N: usize>(span: u32) -> usize {
    span as usize % N
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use error_envelope_core::session::Origin;
    use proptest::prelude::*;

    use super::{MOST_SERIES, Place, Ring, Timeline};
    use crate::error_store::error_record::{Kind, Severity};

    fn kind(status: u16) -> Kind {
        Kind::of(Origin::Inner, status)
    }

    fn at_route(route: &str) -> Place {
        Place { route: Some(route.into()), scope: None }
    }

    #[test]
    fn a_million_errors_in_one_minute_are_a_million_in_the_same_room() {
        let mut timeline = Timeline::default();
        let routes: Vec<Arc<str>> = (0..8_000).map(|at| format!("/{at}").into()).collect();
        for at in 0..1_000_000_usize {
            // Every hundredth error has a rarely requested route.
            let route = if at % 100 == 0 { 200 + at / 100 % 7_800 } else { at % 200 };
            timeline.count(77, &Place { route: Some(routes[route].clone()), scope: None }, &kind(502));
        }
        assert_eq!(timeline.series.len(), MOST_SERIES);
        let often = timeline.totals_of(Severity::ServerError, &(77..78)).into_iter().map(|(_, _, total)| total).max();
        assert_eq!(often, Some(5_000));
        assert_eq!(timeline.totals_of(Severity::ServerError, &(78..79)), []);
    }

    #[test]
    fn the_quietest_gives_way() {
        let mut timeline = Timeline::default();
        timeline.count(1, &at_route("/a"), &kind(500));
        timeline.count(2, &at_route("/b"), &kind(502));
        timeline.count(2, &at_route("/c"), &kind(404));
        let totals = |timeline: &Timeline| {
            let mut totals = timeline.totals_of(Severity::ServerError, &(0..60));
            totals.sort_by_key(|(place, _, _)| place.clone());
            totals.into_iter().map(|(place, _, total)| (place, total)).collect::<Vec<_>>()
        };
        assert_eq!(totals(&timeline), [(at_route("/a"), 1), (at_route("/b"), 1)]);
        for at in 0..MOST_SERIES - 1 {
            timeline.count(3, &at_route(&format!("/{at}")), &Kind { origin: Some(Origin::Guard), ..kind(404) });
        }
        assert_eq!(totals(&timeline), [(at_route("/b"), 1)], "/a was quiet the longest");
    }

    proptest! {
        /// Checks that a ring contains the counts of its last spans, even if the clock is set back or forward.
        #[test]
        fn a_ring_has_what_was_added_to_its_last_spans(added in prop::collection::vec((0_u32..40, 0_u32..5), 0..60)) {
            let (mut ring, mut all, mut last) = (Ring::<8>::default(), vec![0_u32; 40], 0_u32);
            for (span, more) in added {
                last = last.max(span);
                all[last as usize] += more;
                ring.add(span, more);
            }
            for span in 0..40_u32 {
                let kept = span <= last && span + 8 > last;
                prop_assert_eq!(ring.count_in(span), if kept { all[span as usize] } else { 0 });
            }
            let kept = (0..=last).filter(|span| span + 8 > last).map(|span| u64::from(all[span as usize])).sum::<u64>();
            prop_assert_eq!(ring.sum_of(&(0..40)), kept);
        }
    }

    #[test]
    fn a_count_stops_at_its_largest_number() {
        let mut ring = Ring::<8>::default();
        ring.add(u32::MAX, u32::MAX);
        ring.add(u32::MAX, 1);
        assert_eq!((ring.count_in(u32::MAX), ring.count_in(0)), (u32::MAX, 0));
    }
}
