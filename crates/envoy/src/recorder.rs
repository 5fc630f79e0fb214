//! Records the library's counts in the counters of the stream whose hook runs (L2).

use std::cell::RefCell;
use std::sync::{Arc, Once, Weak};

use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::count::{Counters, Kind};
use crate::current;

pub(crate) fn install() {
    static ONCE: Once = Once::new();

    // This module has its own copy of the crate metrics, so no other code can have set a recorder.
    ONCE.call_once(|| drop(metrics::set_global_recorder(Envoys)));
}

/// A kind of counter, and a weak reference to its configuration's counters. The configuration may end while a thread
/// still holds a handle.
struct Handle(Arc<Kind>, Weak<Counters>);

impl CounterFn for Handle {
    fn increment(&self, value: u64) {
        self.0.add(value);
        if let Some(counters) = self.1.upgrade() {
            counters.wait();
        }
    }

    fn absolute(&self, _: u64) {}
}

thread_local! {
    /// The kinds that this thread counted most recently. Errors often come in large numbers, and are of few kinds.
    static KNOWN: RefCell<Vec<(Weak<Counters>, Key, Counter)>> = const { RefCell::new(Vec::new()) };
}

/// The maximum number of kinds that a thread keeps.
const MOST_KNOWN: usize = 64;

struct Envoys;

impl Recorder for Envoys {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let Some(counters) = current::counters().or_else(Counters::newest) else { return Counter::noop() };
        KNOWN.with_borrow_mut(|known| {
            let is_it = |(owner, its, _): &&(Weak<Counters>, Key, Counter)| {
                std::ptr::eq(owner.as_ptr(), Arc::as_ptr(&counters)) && is_same(its, key)
            };
            if let Some((.., counter)) = known.iter().find(is_it) {
                return counter.clone();
            }
            let Some(kind) = counters.kind(key) else { return Counter::noop() };
            let counter = Counter::from_arc(Arc::new(Handle(kind, Arc::downgrade(&counters))));
            if known.len() >= MOST_KNOWN {
                known.clear();
            }
            known.push((Arc::downgrade(&counters), key.clone(), counter.clone()));
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

/// Returns true if two keys are equal. A counter's labels always have the same order here, while `Key` compares them in
/// any order, which takes longer.
fn is_same(one: &Key, other: &Key) -> bool {
    one.get_hash() == other.get_hash() && one.name() == other.name() && one.labels().eq(other.labels())
}
