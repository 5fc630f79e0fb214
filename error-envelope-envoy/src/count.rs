//! The library's counters among Envoy's (L2): `error_envelope_errors_total` and `error_envelope_policy_reloads_total`.
//!
//! Envoy counts by a stream: what another thread counts, as reloads are, is put down with the next one.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};

use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::abi::{self, Defining};

const ERRORS: &str = "error_envelope_errors_total";
const ERROR_LABELS: [&str; 7] = ["code", "status", "would_be_status", "origin", "route", "mode", "dialect"];
const RELOADS: &str = "error_envelope_policy_reloads_total";
const RELOAD_LABELS: [&str; 1] = ["outcome"];

/// The numbers of a configuration's counters.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counters {
    errors: Option<usize>,
    reloads: Option<usize>,
}

impl Counters {
    pub(crate) fn define(defining: &Defining) -> Self {
        install();
        Self { errors: defining.counter(ERRORS, &ERROR_LABELS), reloads: defining.counter(RELOADS, &RELOAD_LABELS) }
    }

    fn of(self, name: &str) -> Option<usize> {
        match name {
            ERRORS => self.errors,
            RELOADS => self.reloads,
            _ => None,
        }
    }
}

fn install() {
    static ONCE: Once = Once::new();

    // This library has its own copy of metrics: nobody else can have set one.
    ONCE.call_once(|| drop(metrics::set_global_recorder(Envoys)));
}

/// What was counted where no stream was at hand.
static LATER: Mutex<Vec<(Arc<Labelled>, u64)>> = Mutex::new(Vec::new());
static HOW_MANY_LATER: AtomicU64 = AtomicU64::new(0);

/// As many as differ at once; there are two kinds of reload.
const MOST_LATER: usize = 64;

struct Envoys;

/// A counter with its labels.
struct Labelled {
    name: String,
    labels: Vec<SharedString>,
}

impl Labelled {
    fn add(&self, times: u64) -> bool {
        let labels: Vec<&str> = self.labels.iter().map(|label| &**label).collect();
        (0..times).all(|_| abi::count(|module| module.counters().of(&self.name), &labels))
    }
}

struct Handle(Arc<Labelled>);

impl CounterFn for Handle {
    fn increment(&self, value: u64) {
        if self.0.add(value) {
            put_down_later();
            return;
        }
        let mut later = LATER.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(other, _): &(Arc<Labelled>, u64)| other.name == self.0.name && other.labels == self.0.labels;
        match later.iter().position(same) {
            Some(at) => later[at].1 += value,
            None if later.len() < MOST_LATER => later.push((self.0.clone(), value)),
            None => return,
        }
        HOW_MANY_LATER.fetch_add(value, Ordering::Relaxed);
    }

    fn absolute(&self, _: u64) {}
}

/// Puts down what was counted without a stream, now that there is one.
pub(crate) fn put_down_later() {
    if HOW_MANY_LATER.load(Ordering::Relaxed) == 0 {
        return;
    }
    let later = std::mem::take(&mut *LATER.lock().unwrap_or_else(PoisonError::into_inner));
    HOW_MANY_LATER.store(0, Ordering::Relaxed);
    for (labelled, count) in &later {
        labelled.add(*count);
    }
}

thread_local! {
    /// Those that this thread has counted last: errors come in storms, and are of few kinds.
    static KNOWN: RefCell<HashMap<Key, Counter>> = RefCell::default();
}

/// Kinds that a thread keeps.
const MOST_KNOWN: usize = 256;

impl Recorder for Envoys {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        // What Envoy was not told of before cannot be counted there.
        if ![ERRORS, RELOADS].contains(&key.name()) {
            return Counter::noop();
        }
        KNOWN.with_borrow_mut(|known| {
            if let Some(counter) = known.get(key) {
                return counter.clone();
            }
            let labels = key.labels().map(|label| SharedString::from_owned(label.value().to_owned())).collect();
            let labelled = Labelled { name: key.name().to_owned(), labels };
            let counter = Counter::from_arc(Arc::new(Handle(Arc::new(labelled))));
            if known.len() >= MOST_KNOWN {
                known.clear();
            }
            known.insert(key.clone(), counter.clone());
            counter
        })
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
