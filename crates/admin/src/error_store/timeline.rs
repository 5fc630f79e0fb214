//! Errors minute by minute: all of them, and by route, scope and code.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::error_record::{Code, Kind, Severity};
use super::minutes::Minutes;
use super::place::Place;
use super::query::{Filter, route_word};

/// The most combinations of route, scope and code with their own row of minutes, 360 KiB in all. Beyond this number,
/// the combination with the longest time since its last error loses its row: its counts go to the sum of the others.
pub(crate) const MOST_SERIES: usize = 256;

/// Errors per minute.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    all: Minutes,
    series: HashMap<Series, Minutes>,
    /// The errors of all combinations that have lost their row.
    others: Minutes,
}

/// The key of a row of minutes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Series {
    place: Place,
    code: Code,
    severity: Severity,
}

/// The counts of each pattern or code, minute by minute.
pub(crate) type Rows = BTreeMap<String, Vec<u32>>;

impl Timeline {
    /// Counts one more error.
    pub(crate) fn count(&mut self, minute: u32, place: &Place, kind: &Kind) {
        self.all.add(minute, 1);
        let series = Series { place: place.clone(), code: kind.code.clone(), severity: kind.severity() };
        if self.series.len() == MOST_SERIES && !self.series.contains_key(&series) {
            self.forget_quietest();
        }
        self.series.entry(series).or_default().add(minute, 1);
    }

    #[cold]
    fn forget_quietest(&mut self) {
        let quietest = self.series.iter().min_by_key(|(_, counts)| counts.last()).map(|(series, _)| series.clone());
        if let Some(counts) = quietest.and_then(|series| self.series.remove(&series)) {
            self.others.take_over(&counts);
        }
    }

    /// One count for each of these minutes, of the errors that match.
    pub(crate) fn counts(&self, filter: &Filter, minutes: Range<u32>) -> Vec<u32> {
        if filter.matches_all() {
            return self.all.counts(minutes);
        }
        let mut sum = Minutes::default();
        self.matching(filter).for_each(|(_, counts)| sum.take_over(counts));
        sum.counts(minutes)
    }

    /// The counts of each route, only of the errors that match.
    pub(crate) fn by_route(&self, filter: &Filter, minutes: &Range<u32>) -> Rows {
        self.rows(filter, minutes, |series| route_word(series.place.route.as_deref()))
    }

    /// The counts of each code, only of the errors that match. Errors without a code have an empty name.
    pub(crate) fn by_code(&self, filter: &Filter, minutes: &Range<u32>) -> Rows {
        self.rows(filter, minutes, |series| series.code.as_str())
    }

    /// The counts of each minute, of the errors of this severity.
    pub(crate) fn counts_of(&self, severity: Severity, minutes: Range<u32>) -> Vec<u32> {
        let mut sum = Minutes::default();
        self.with_severity(severity).for_each(|(_, counts)| sum.take_over(counts));
        sum.counts(minutes)
    }

    /// The count of each place and code in these minutes, of the errors of this severity.
    pub(crate) fn totals_of(&self, severity: Severity, minutes: &Range<u32>) -> Vec<(Place, Code, u64)> {
        let total = |counts: &Minutes| counts.counts(minutes.clone()).into_iter().map(u64::from).sum();
        let totals = self
            .with_severity(severity)
            .map(|(series, counts)| (series.place.clone(), series.code.clone(), total(counts)));
        totals.filter(|(_, _, total)| *total > 0).collect()
    }

    fn with_severity(&self, severity: Severity) -> impl Iterator<Item = (&Series, &Minutes)> {
        self.series.iter().filter(move |(series, _)| series.severity == severity)
    }

    /// The counts of errors whose route and code are no longer kept.
    pub(crate) fn others(&self, minutes: Range<u32>) -> u64 {
        self.others.counts(minutes).into_iter().map(u64::from).sum()
    }

    fn rows(&self, filter: &Filter, minutes: &Range<u32>, name: fn(&Series) -> &str) -> Rows {
        let mut rows: BTreeMap<&str, Minutes> = BTreeMap::new();
        for (series, counts) in self.matching(filter) {
            rows.entry(name(series)).or_default().take_over(counts);
        }
        let rows = rows.into_iter().map(|(name, counts)| (name.to_owned(), counts.counts(minutes.clone())));
        rows.filter(|(_, counts)| counts.iter().any(|count| *count > 0)).collect()
    }

    fn matching(&self, filter: &Filter) -> impl Iterator<Item = (&Series, &Minutes)> {
        self.series.iter().filter(|(series, _)| filter.fits(series.place.route.as_deref(), series.code.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use error_envelope_core::exchange::Origin;

    use super::super::error_record::{Code, Kind};
    use super::super::query::Filter;
    use super::{MOST_SERIES, Place, Timeline};

    fn kind(code: Code) -> Kind {
        let (origin, sent) = (Origin::Inner, Some(404));
        Kind { origin, code, sent, would_be: None, grpc: None, dialect: None, by: None, unknown: None }
    }

    fn at_route(route: &Arc<str>) -> Place {
        Place { route: Some(route.clone()), scope: None }
    }

    fn sum(counts: &[u32]) -> u64 {
        counts.iter().copied().map(u64::from).sum()
    }

    #[test]
    fn a_million_errors_in_one_minute_are_a_million_in_the_same_room() {
        let mut timeline = Timeline::default();
        let routes: Vec<Arc<str>> = (0..1_000).map(|at| format!("/{at}").into()).collect();
        for at in 0..1_000_000_usize {
            // Now and then a rarely requested route.
            let route = if at % 1_000 == 0 { 200 + at / 1_000 % 800 } else { at % 200 };
            timeline.count(77, &at_route(&routes[route]), &kind(Code::None));
        }
        assert_eq!(timeline.counts(&Filter::default(), 77..78), [1_000_000]);
        assert_eq!(timeline.series.len(), MOST_SERIES);
        let known: u64 = timeline.by_route(&Filter::default(), &(77..78)).values().map(|row| sum(row)).sum();
        assert_eq!(known + timeline.others(77..78), 1_000_000, "none is lost, whoever had it");
        assert_eq!(timeline.counts(&Filter::default(), 78..79), [0]);
    }

    #[test]
    fn a_filter_counts_what_fits_and_the_quietest_gives_way() {
        let mut timeline = Timeline::default();
        let [a, b]: [Arc<str>; 2] = ["/a".into(), "/b".into()];
        let not_found = Code::Any("not_found".into());
        timeline.count(1, &at_route(&a), &kind(not_found.clone()));
        timeline.count(2, &at_route(&b), &kind(not_found.clone()));
        timeline.count(2, &at_route(&b), &kind(Code::None));
        timeline.count(3, &Place::default(), &kind(Code::None));
        let by = |query: &str| timeline.counts(&Filter::parse(Some(query)), 1..4);
        assert_eq!(by("route=/b"), [0, 2, 0]);
        assert_eq!(by("code=not_found"), [1, 1, 0]);
        assert_eq!(by("route=/b&code=not_found"), [0, 1, 0]);
        assert_eq!(by("route=-"), [0, 0, 1]);
        let rows = timeline.by_code(&Filter::by_route(Some("/b")), &(1..4));
        assert_eq!(
            rows.into_iter().collect::<Vec<_>>(),
            [(String::new(), vec![0, 1, 0]), ("not_found".to_owned(), vec![0, 1, 0])]
        );
        for at in 4..u32::try_from(MOST_SERIES).unwrap() + 4 {
            timeline.count(at, &at_route(&format!("/{at}").into()), &kind(Code::None));
        }
        assert_eq!(sum(&timeline.counts(&Filter::by_route(Some("/a")), 0..300)), 0, "it was quiet the longest");
        assert_eq!(timeline.others(0..300), 4);
    }
}
