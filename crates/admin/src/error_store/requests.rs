//! Requests minute by minute, from the process' counters at the end of each minute: no request is counted here.

use std::collections::HashMap;
use std::ops::Range;

use super::minutes::{Minutes, minute};

/// Routes whose requests have their own row of minutes; those of further routes are only in the sum.
const MOST_ROUTES: usize = 256;

/// A look at the counters comes a little after the end of its minute.
const LOOK_AFTER_MS: u64 = 1_000;

/// Requests per minute.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// `None` before the first look, which only reads the start values of the counters.
    all: Option<Row>,
    routes: HashMap<Box<str>, Row>,
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

    /// A counter that is lower than before has restarted.
    fn look(&mut self, minute: u32, total: u64) {
        let more = if total < self.total { total } else { total - self.total };
        self.total = total;
        if more > 0 {
            self.minutes.add(minute, u32::try_from(more).unwrap_or(u32::MAX));
        }
    }
}

impl Requests {
    /// Reads the current counters of each route; `none` is the name of no route.
    pub(crate) fn look(&mut self, at_ms: u64, totals: &HashMap<String, u64>) {
        let minute = minute(at_ms.saturating_sub(LOOK_AFTER_MS));
        let sum = totals.values().fold(0, |sum: u64, total| sum.saturating_add(*total));
        let is_first = self.all.is_none();
        self.all.get_or_insert_with(|| Row::beginning(sum)).look(minute, sum);
        for (route, total) in totals {
            if self.routes.len() < MOST_ROUTES || self.routes.contains_key(&**route) {
                // At the first look it is unknown when a route's requests came; a route that appears later began at 0.
                let begin = || Row::beginning(if is_first { *total } else { 0 });
                self.routes.entry(route.as_str().into()).or_insert_with(begin).look(minute, *total);
            }
        }
    }

    /// One count for each of these minutes, of one route or of all; `None` if there are no counters.
    pub(crate) fn counts(&self, route: Option<&str>, minutes: Range<u32>) -> Option<Vec<u32>> {
        let all = self.all.as_ref()?;
        let row = route.map_or(Some(all), |route| self.routes.get(route));
        row.map(|row| row.minutes.counts(minutes))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::{MOST_ROUTES, Requests};

    const TURN: u64 = 29_921_041 * 60_000;
    const MINUTE: u32 = 29_921_041;

    #[test]
    fn each_minute_has_what_the_counters_grew_by() {
        let mut requests = Requests::default();
        assert_eq!(requests.counts(None, MINUTE..MINUTE + 1), None, "nothing counts them");
        let mut look = |at: u64, totals: &[(&'static str, u64)]| {
            requests.look(at, &totals.iter().map(|(route, total)| ((*route).to_owned(), *total)).collect())
        };
        look(TURN + 30_000, &[("/a", 1_000)]);
        look(TURN + 40_000, &[("/a", 1_003), ("none", 2)]);
        look(TURN + 60_005, &[("/a", 1_005), ("none", 2)]);
        look(TURN + 120_005, &[("/a", 1_005), ("none", 7)]);
        // The recorder of the process was replaced.
        look(TURN + 180_005, &[("/a", 4), ("none", 7)]);
        let minutes = || MINUTE..MINUTE + 3;
        assert_eq!(requests.counts(Some("/a"), minutes()), Some(vec![5, 0, 4]));
        assert_eq!(requests.counts(Some("none"), minutes()), Some(vec![2, 5, 0]));
        assert_eq!(requests.counts(None, minutes()), Some(vec![7, 5, 11]), "the sum fell, too: it begins anew");
        assert_eq!(requests.counts(Some("/b"), minutes()), None);
    }

    #[test]
    fn more_routes_than_rows_are_in_the_sum() {
        let mut requests = Requests::default();
        requests.look(TURN, &HashMap::new());
        requests.look(TURN + 30_000, &(0..MOST_ROUTES + 10).map(|at| (format!("/{at}"), 1)).collect());
        assert_eq!(requests.routes.len(), MOST_ROUTES);
        assert_eq!(requests.counts(None, MINUTE..MINUTE + 1), Some(vec![u32::try_from(MOST_ROUTES).unwrap() + 10]));
    }
}
