//! A row of the table, and when it fails.

use std::time::Duration;

use crate::front::Tally;

/// The most memory that the gateway may use. It is the memory of the smallest containers.
pub(crate) const MOST_KIB: u64 = 128 << 10;
const MOST_TIMES: f64 = 1.5;

pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) done: &'static str,
    /// The number of frames that get no response.
    pub(crate) sent: u64,
    pub(crate) limit: &'static str,
    pub(crate) answered: Tally,
    pub(crate) peak_kib: u64,
    pub(crate) descriptors: Descriptors,
    pub(crate) threads: u64,
    /// The number of good requests that got a response.
    pub(crate) good: usize,
    /// `None` in a quick run.
    pub(crate) p99: Option<P99>,
    /// The errors that the figures do not show.
    pub(crate) wrong: Vec<String>,
}

#[derive(Clone, Copy)]
pub(crate) struct Descriptors {
    pub(crate) before: usize,
    pub(crate) most: usize,
    pub(crate) after: usize,
}

/// The times of good requests without and during the attack, as medians over the pairs.
#[derive(Clone, Copy)]
pub(crate) struct P99 {
    pub(crate) quiet: Duration,
    pub(crate) beside: Duration,
    pub(crate) times: f64,
    pub(crate) pairs: usize,
}

impl P99 {
    /// The factor is the median over the pairs, because other work of the machine affects both halves of a pair.
    pub(crate) fn from_pairs(pairs: &[(Duration, Duration)]) -> Self {
        let median = |mut all: Vec<f64>| {
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
        };
        let seconds = |of: fn(&(Duration, Duration)) -> Duration| {
            Duration::from_secs_f64(median(pairs.iter().map(|pair| of(pair).as_secs_f64()).collect()))
        };
        Self {
            quiet: seconds(|pair| pair.0),
            beside: seconds(|pair| pair.1),
            pairs: pairs.len(),
            times: median(pairs.iter().map(|(quiet, beside)| beside.as_secs_f64() / quiet.as_secs_f64()).collect()),
        }
    }

    pub(crate) fn is_slow(&self) -> bool {
        self.times > MOST_TIMES
    }
}

impl Row {
    /// Returns the reasons for a failure, one per line.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = self.wrong.clone();
        if self.peak_kib > MOST_KIB {
            failures.push(format!("{} KiB held, and {MOST_KIB} at most", self.peak_kib));
        }
        let Descriptors { before, after, .. } = self.descriptors;
        if after > before {
            failures.push(format!("{after} descriptors after it, and {before} before"));
        }
        if let Some(p99) = self.p99.filter(P99::is_slow) {
            failures.push(format!("good requests took {:.2} times as long", p99.times));
        }
        if self.good == 0 {
            failures.push("no good request was answered".to_owned());
        }
        failures.into_iter().map(|failure| format!("{}: {failure}", self.name)).collect()
    }
}
