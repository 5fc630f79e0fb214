//! Requests of the last hour, minute by minute, computed from the process's counters at the end of each minute. Nothing
//! here counts single requests.

use std::collections::HashMap;
use std::ops::Range;

use super::timeline::{ByClass, CLASSES, Place, minute};

/// The most routes, by scope, whose requests have their own minutes, 320 KiB in all. Requests of further routes are
/// counted only in the sum.
const MOST_ROUTES: usize = 256;

/// The requests of each class of status.
type Totals = [u64; CLASSES.len()];

/// Requests per minute.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    /// `None` before the counters are read for the first time: the first reading only gives their start values.
    all: Option<Row>,
    places: HashMap<Place, Row>,
    /// When the counters were read last.
    looked_ms: u64,
}

#[derive(Debug, Default)]
struct Row {
    totals: Totals,
    minutes: ByClass,
    since_policy: u64,
}

impl Row {
    fn beginning(totals: Totals) -> Self {
        Self { totals, ..Self::default() }
    }

    /// Counts the requests since the last reading. A counter that is lower than before has restarted.
    fn look(&mut self, minute: u32, totals: Totals) {
        for ((minutes, old), new) in self.minutes.iter_mut().zip(self.totals).zip(totals) {
            let more = new.checked_sub(old).unwrap_or(new);
            self.since_policy += more;
            if more > 0 {
                minutes.add(minute, u32::try_from(more).unwrap_or(u32::MAX));
            }
        }
        self.totals = totals;
    }
}

impl Requests {
    /// Reads the current counters of each place.
    pub(crate) fn look(&mut self, at_ms: u64, totals: &HashMap<Place, Totals>) {
        // On a busy machine the reading at the end of a minute comes late: the requests that it counts came before.
        let minute = minute(at_ms.saturating_sub(at_ms.saturating_sub(self.looked_ms) / 2));
        self.looked_ms = at_ms;
        let add = |sum: Totals, more: &Totals| std::array::from_fn(|class| sum[class].saturating_add(more[class]));
        let sum = totals.values().fold(Totals::default(), add);
        let is_first = self.all.is_none();
        self.all.get_or_insert_with(|| Row::beginning(sum)).look(minute, sum);
        for (place, totals) in totals {
            if self.places.len() < MOST_ROUTES || self.places.contains_key(place) {
                // When the counters are read for the first time, it is unknown when their requests came. The counter of
                // a place that appears later began at 0.
                let begin = || Row::beginning(if is_first { *totals } else { Totals::default() });
                self.places.entry(place.clone()).or_insert_with(begin).look(minute, *totals);
            }
        }
    }

    /// Goes on with these counts, because another policy applies, and returns the old ones.
    pub(crate) fn replace_counts(&mut self, mut counts: HashMap<Place, u64>) -> HashMap<Place, u64> {
        let replace = |row: &mut Row, count| std::mem::replace(&mut row.since_policy, count);
        let rows = self.places.iter_mut();
        rows.map(|(place, row)| (place.clone(), replace(row, counts.remove(place).unwrap_or_default()))).collect()
    }

    /// The requests of each place since the last policy; `None` if there are no counters.
    pub(crate) fn since_policy(&self) -> Option<HashMap<Place, u64>> {
        self.all.as_ref()?;
        Some(self.places.iter().map(|(place, row)| (place.clone(), row.since_policy)).collect())
    }

    /// For each class of status, one count for each of these minutes; `None` if there are no counters.
    pub(crate) fn by_class(&self, minutes: &Range<u32>) -> Option<[Vec<u32>; CLASSES.len()]> {
        Some(self.all.as_ref()?.minutes.each_ref().map(|counts| counts.counts(minutes.clone())))
    }

    /// The requests of each place in these minutes; `None` if there are no counters.
    pub(crate) fn totals(&self, minutes: &Range<u32>) -> Option<HashMap<Place, Totals>> {
        self.all.as_ref()?;
        let sums = |row: &Row| row.minutes.each_ref().map(|counts| counts.sum_of(minutes));
        Some(self.places.iter().map(|(place, row)| (place.clone(), sums(row))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: u64 = 29_921_041 * 60_000;
    const MINUTE: u32 = 29_921_041;

    #[test]
    fn each_minute_has_what_the_counters_grew_by() {
        let mut requests = Requests::default();
        assert_eq!(requests.by_class(&(MINUTE..MINUTE + 1)), None, "nothing counts them");
        let mut look = |at: u64, totals: &[(&'static str, [u64; 4])]| {
            let totals = totals.iter().map(|(route, totals)| (Place::from_labels(route, None), *totals));
            requests.look(at, &totals.collect());
        };
        look(TURN + 30_000, &[("/a", [1_000, 0, 0, 7])]);
        look(TURN + 40_000, &[("/a", [1_003, 0, 0, 8]), ("none", [0, 0, 2, 0])]);
        look(TURN + 60_005, &[("/a", [1_005, 0, 0, 8]), ("none", [0, 0, 2, 0])]);
        // Late, on a busy machine.
        look(TURN + 124_005, &[("/a", [1_005, 0, 0, 8]), ("none", [0, 0, 7, 0])]);
        // The recorder of the process was replaced.
        look(TURN + 180_005, &[("/a", [4, 0, 0, 0]), ("none", [0, 0, 7, 0])]);
        let classes = requests.by_class(&(MINUTE..MINUTE + 3)).unwrap();
        assert_eq!(classes, [vec![5, 0, 4], vec![0; 3], vec![2, 5, 0], vec![1, 0, 0]]);
        let totals = requests.totals(&(MINUTE..MINUTE + 3)).unwrap();
        assert_eq!(totals[&Place::from_labels("/a", None)], [9, 0, 0, 1]);
        assert_eq!(totals[&Place::from_labels("none", None)], [0, 0, 7, 0]);
    }

    #[test]
    fn more_routes_than_rows_are_in_the_sum() {
        let mut requests = Requests::default();
        requests.look(TURN, &HashMap::new());
        let many = (0..MOST_ROUTES + 10).map(|at| (Place::from_labels(&format!("/{at}"), None), [1, 0, 0, 0]));
        requests.look(TURN + 30_000, &many.collect());
        assert_eq!(requests.places.len(), MOST_ROUTES);
        let all = requests.by_class(&(MINUTE..MINUTE + 1)).unwrap();
        assert_eq!(all[0], [u32::try_from(MOST_ROUTES).unwrap() + 10]);
    }
}
