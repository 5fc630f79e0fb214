//! Adds the library's counters to Envoy's (L2). The library counts errors, unread errors, broken bodies, reloads, and
//! changes of the kill switch.
//!
//! Envoy finds a counter by the texts of its labels, under a lock that all workers share. So each worker counts in this
//! module instead. If there are new counts, Envoy's main thread adds them to Envoy's counters four times a second.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use metrics::Key;

use crate::abi::{ConfigScheduler, Counting, Defining};
use crate::lock::locked;
use crate::timer;

/// The counters, each with its name and the names of its labels.
const COUNTERS: [(&str, &str); 5] = [
    (
        "error_envelope_errors_total",
        "code status grpc_status would_be_code would_be_status origin route scope mode dialect",
    ),
    ("error_envelope_unread_errors_total", "reason route scope"),
    ("error_envelope_broken_bodies_total", "route scope"),
    ("error_envelope_policy_reloads_total", "outcome"),
    ("error_envelope_kill_switch_total", "to"),
];

/// The time for which a count may wait. Readers of Envoy's stats poll every few seconds.
const WAIT: Duration = Duration::from_millis(250);

/// The counters of a configuration.
pub(crate) struct Counters {
    /// The ids, in the order of [`COUNTERS`]. The id of a counter that Envoy refused is `None`.
    numbers: [Option<usize>; COUNTERS.len()],
    /// The scheduler. The value is `None` once the configuration has ended, because Envoy's main thread may then also
    /// have ended.
    scheduler: Mutex<Option<ConfigScheduler>>,
    kinds: Mutex<Vec<Arc<Kind>>>,
    /// True if Envoy's main thread is already scheduled to record the counts.
    waits: AtomicBool,
}

/// The count of one set of labels.
pub(crate) struct Kind {
    counter: usize,
    labels: Vec<String>,
    count: AtomicU64,
}

/// The counters of all configurations that still exist. The newest configuration records counts without a stream, such
/// as reloads and the kill switch.
static LIVE: Mutex<Vec<Weak<Counters>>> = Mutex::new(Vec::new());

impl Counters {
    pub(crate) fn define(defining: &Defining) -> Arc<Self> {
        let counters = Arc::new(Self {
            numbers: COUNTERS.map(|(name, labels)| defining.counter(name, labels)),
            scheduler: Mutex::new(defining.scheduler()),
            kinds: Mutex::default(),
            waits: AtomicBool::new(false),
        });
        let mut live = locked(&LIVE);
        live.retain(|other| other.strong_count() > 0);
        live.push(Arc::downgrade(&counters));
        counters
    }

    /// Returns the counters of the newest configuration.
    pub(crate) fn newest() -> Option<Arc<Self>> {
        locked(&LIVE).iter().rev().find_map(Weak::upgrade)
    }

    pub(crate) fn kind(&self, key: &Key) -> Option<Arc<Kind>> {
        let counter = self.numbers[COUNTERS.iter().position(|(name, _)| *name == key.name())?]?;
        let mut kinds = locked(&self.kinds);
        let is = |kind: &&Arc<Kind>| kind.counter == counter && key.labels().map(|it| it.value()).eq(&kind.labels);
        Some(kinds.iter().find(is).cloned().unwrap_or_else(|| {
            let labels = key.labels().map(|label| label.value().to_owned()).collect();
            let kind = Arc::new(Kind { counter, labels, count: AtomicU64::new(0) });
            kinds.push(kind.clone());
            kind
        }))
    }

    /// Makes Envoy's main thread record the counts after [`WAIT`], unless that is already scheduled.
    pub(crate) fn wait(self: &Arc<Self>) {
        if !self.waits.load(Ordering::Relaxed) && !self.waits.swap(true, Ordering::AcqRel) {
            let counters = self.clone();
            timer::call_after(WAIT, move || counters.schedule());
        }
    }

    /// Makes Envoy's main thread call the hook that records the counts.
    fn schedule(&self) {
        match &*locked(&self.scheduler) {
            Some(scheduler) => scheduler.commit(),
            None => self.waits.store(false, Ordering::Release),
        }
    }

    /// Stops counting when the configuration ends. Counts since the last flush to Envoy are lost.
    pub(crate) fn end(&self) {
        drop(locked(&self.scheduler).take());
    }

    /// Adds the counts so far to Envoy's counters.
    pub(crate) fn flush_to_envoy(&self, envoy: &Counting) {
        // The flag is reset before the counts are read, so that a later count schedules another flush.
        self.waits.store(false, Ordering::Release);
        let kinds = locked(&self.kinds).clone();
        for kind in kinds {
            let count = kind.count.swap(0, Ordering::AcqRel);
            if count > 0 {
                let labels: Vec<&str> = kind.labels.iter().map(String::as_str).collect();
                envoy.count(kind.counter, &labels, count);
            }
        }
    }
}

impl Kind {
    pub(crate) fn add(&self, value: u64) {
        self.count.fetch_add(value, Ordering::AcqRel);
    }
}
