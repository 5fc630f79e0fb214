//! Requests minute by minute, computed from the process's counters at the end of each minute. Nothing here counts
//! single requests.

use std::collections::HashMap;
use std::ops::Range;

use super::minutes::{Minutes, minute};
use super::place::{NO_ROUTE, Place};

/// The most routes, by scope, whose requests have their own row of minutes. Requests of further routes are counted only
/// in the sum.
const MOST_ROUTES: usize = 256;

/// Requests per minute.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// `None` before the counters are read for the first time: the first reading only gives their start values.
    all: Option<Row>,
    places: HashMap<Place, Row>,
    /// The requests that ended in 5xx.
    faults: HashMap<Place, Row>,
    /// When the counters were read last.
    looked_ms: u64,
}

/// The counters of a place, as they are now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RouteTotals {
    pub(crate) all: u64,
    pub(crate) faults: u64,
}

#[derive(Debug, Default)]
struct Row {
    total: u64,
    minutes: Minutes,
}

impl Row {
    fn beginning(total: u64) -> Self {
        Self { total, minutes: Minutes::default() }
    }

    /// Counts the requests since the last reading. A counter that is lower than before has restarted.
    fn look(&mut self, minute: u32, total: u64) {
        let more = if total < self.total { total } else { total - self.total };
        self.total = total;
        if more > 0 {
            self.minutes.add(minute, u32::try_from(more).unwrap_or(u32::MAX));
        }
    }
}

impl Requests {
    /// Reads the current counters of each place.
    pub(crate) fn look(&mut self, at_ms: u64, totals: &HashMap<Place, RouteTotals>) {
        // On a busy machine the reading at the end of a minute comes late: the requests that it counts came before.
        let minute = minute(at_ms.saturating_sub(at_ms.saturating_sub(self.looked_ms) / 2));
        self.looked_ms = at_ms;
        let sum = totals.values().fold(0, |sum: u64, total| sum.saturating_add(total.all));
        let is_first = self.all.is_none();
        self.all.get_or_insert_with(|| Row::beginning(sum)).look(minute, sum);
        for (place, total) in totals {
            look_at(&mut self.places, place, minute, total.all, is_first);
            look_at(&mut self.faults, place, minute, total.faults, is_first);
        }
    }

    /// One count for each of these minutes, of one route or of all; `None` if there are no counters.
    pub(crate) fn counts(&self, route: Option<&str>, minutes: Range<u32>) -> Option<Vec<u32>> {
        let all = self.all.as_ref()?;
        let Some(route) = route else { return Some(all.minutes.counts(minutes)) };
        let mut rows = of_route(&self.places, Some(route)).peekable();
        rows.peek()?;
        Some(sum(rows).counts(minutes))
    }

    /// As [`Requests::counts`], but only of requests that ended in 5xx.
    pub(crate) fn fault_counts(&self, route: Option<&str>, minutes: Range<u32>) -> Vec<u32> {
        sum(of_route(&self.faults, route)).counts(minutes)
    }

    /// Each place with requests in these minutes, and its counts; `None` if there are no counters.
    pub(crate) fn totals(&self, minutes: &Range<u32>) -> Option<Vec<(&Place, RouteTotals)>> {
        self.all.as_ref()?;
        let sum = |row: &Row| row.minutes.counts(minutes.clone()).into_iter().map(u64::from).sum();
        let faults = |place| self.faults.get(place).map_or(0, sum);
        let rows = self.places.iter().map(|(place, all)| (place, RouteTotals { all: sum(all), faults: faults(place) }));
        Some(rows.filter(|(_, totals)| totals.all > 0).collect())
    }
}

/// The rows of a route in every scope, or all rows. [`NO_ROUTE`] stands for requests without a route.
fn of_route<'r>(rows: &'r HashMap<Place, Row>, route: Option<&'r str>) -> impl Iterator<Item = &'r Row> {
    let fits = move |place: &Place| route.is_none_or(|route| place.route.as_deref().unwrap_or(NO_ROUTE) == route);
    rows.iter().filter(move |(place, _)| fits(place)).map(|(_, row)| row)
}

fn sum<'r>(rows: impl Iterator<Item = &'r Row>) -> Minutes {
    let mut sum = Minutes::default();
    rows.for_each(|row| sum.take_over(&row.minutes));
    sum
}

/// When the counters are read for the first time, it is unknown when their requests came. The counter of a place that
/// appears later began at 0.
fn look_at(rows: &mut HashMap<Place, Row>, place: &Place, minute: u32, total: u64, is_first: bool) {
    if rows.len() < MOST_ROUTES || rows.contains_key(place) {
        let begin = || Row::beginning(if is_first { total } else { 0 });
        rows.entry(place.clone()).or_insert_with(begin).look(minute, total);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{MOST_ROUTES, Place, Requests, RouteTotals};

    const TURN: u64 = 29_921_041 * 60_000;
    const MINUTE: u32 = 29_921_041;

    #[test]
    fn each_minute_has_what_the_counters_grew_by() {
        let mut requests = Requests::default();
        assert_eq!(requests.counts(None, MINUTE..MINUTE + 1), None, "nothing counts them");
        let mut look = |at: u64, totals: &[(&'static str, u64)]| {
            requests.look(
                at,
                &totals
                    .iter()
                    .map(|(route, total)| {
                        (Place::from_labels(route, None), RouteTotals { all: *total, faults: *total / 1_004 })
                    })
                    .collect(),
            )
        };
        look(TURN + 30_000, &[("/a", 1_000)]);
        look(TURN + 40_000, &[("/a", 1_003), ("none", 2)]);
        look(TURN + 60_005, &[("/a", 1_005), ("none", 2)]);
        // Late, on a busy machine.
        look(TURN + 124_005, &[("/a", 1_005), ("none", 7)]);
        // The recorder of the process was replaced.
        look(TURN + 180_005, &[("/a", 4), ("none", 7)]);
        let minutes = || MINUTE..MINUTE + 3;
        assert_eq!(requests.counts(Some("/a"), minutes()), Some(vec![5, 0, 4]));
        assert_eq!(requests.counts(Some("none"), minutes()), Some(vec![2, 5, 0]));
        assert_eq!(requests.counts(None, minutes()), Some(vec![7, 5, 11]), "the sum fell, too: it begins anew");
        assert_eq!(requests.counts(Some("/b"), minutes()), None);
        let of_a = |minutes| {
            requests.totals(&minutes).unwrap().into_iter().find(|(place, _)| place.route.as_deref() == Some("/a"))
        };
        let both = RouteTotals { all: 9, faults: 1 };
        assert_eq!(of_a(minutes()).map(|(_, it)| it), Some(both), "the share of 5xx is that of the same minutes");
        assert_eq!(of_a(MINUTE + 1..MINUTE + 2), None);
    }

    #[test]
    fn more_routes_than_rows_are_in_the_sum() {
        let mut requests = Requests::default();
        requests.look(TURN, &HashMap::new());
        requests.look(
            TURN + 30_000,
            &(0..MOST_ROUTES + 10)
                .map(|at| (Place::from_labels(&format!("/{at}"), None), RouteTotals { all: 1, faults: 0 }))
                .collect(),
        );
        assert_eq!(requests.places.len(), MOST_ROUTES);
        assert_eq!(requests.counts(None, MINUTE..MINUTE + 1), Some(vec![u32::try_from(MOST_ROUTES).unwrap() + 10]));
    }
}
