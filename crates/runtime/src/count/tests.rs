//! Checks that no counts are lost if a recorder drops series, or if a recorder no longer exists.

#![allow(clippy::disallowed_methods, reason = "handles are kept for a real time")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use error_envelope_core::policy::Policy;
use error_envelope_core::session::{BodyFacts, Delivery, End, KnownMethod, Session, SessionConfig};
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, NoopRecorder, Recorder, SharedString, Unit,
};

use super::errors::{record_at, record_error};
use super::installed;
use super::kept::{KEPT_FOR, keep_counters};
use super::requests::{DURATION, HEAD, REQUESTS, RequestMetrics, Started};
use crate::clock;

const ERRORS: &str = "error_envelope_errors_total";

/// A recorder that drops series, like an exporter with an idle time-out.
#[derive(Default)]
struct Forgetful {
    series: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    lookups: AtomicUsize,
}

/// A histogram that counts how often a value was recorded.
struct Times(Arc<AtomicU64>);

impl HistogramFn for Times {
    fn record(&self, _: f64) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Forgetful {
    fn value(&self, key: &Key) -> Arc<AtomicU64> {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.series.lock().unwrap().entry(key.name().to_owned()).or_default().clone()
    }

    fn forget(&self) {
        self.series.lock().unwrap().clear();
    }

    fn count_of(&self, name: &str) -> u64 {
        self.series.lock().unwrap().get(name).map_or(0, |value| value.load(Ordering::Relaxed))
    }
}

impl Recorder for Forgetful {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.value(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Times(self.value(key))))
    }
}

fn record() -> error_envelope_core::session::ClosedRecord {
    let config = Arc::new(SessionConfig::new(Policy::default(), clock::now));
    let (head, ()) = http::Request::new(()).into_parts();
    let mut session = Session::unread(config, &head, BodyFacts::default(), clock::new_request_id);
    let delivery = Delivery { head_sent: false, request_bytes: None, response_bytes: None, end: End::ClientLeft };
    session.abandon().unwrap().close(delivery)
}

#[test]
fn l2_an_errors_counter_is_kept_for_a_while_and_then_registered_anew() {
    let recorder = Forgetful::default();
    let count = || {
        let (record, now) = (record(), Instant::now());
        (0..100).for_each(|_| record_at(&record, Some(now)));
        assert_eq!((recorder.count_of(ERRORS), recorder.lookups.load(Ordering::Relaxed)), (100, 1));
        recorder.forget();
        record_at(&record, Some(now + KEPT_FOR));
        assert_eq!(recorder.count_of(ERRORS), 1);
    };
    // When a thread ends, its kept handles are dropped.
    thread::scope(|scope| scope.spawn(|| metrics::with_local_recorder(&recorder, count)).join()).unwrap();
}

#[test]
fn l2_handles_are_kept_of_the_processs_recorder_alone_once_somebody_vouches_for_it() {
    let record = record();
    let process: &Forgetful = Box::leak(Box::default());
    assert!(Started::now().is_none());
    l2_a_recorder_without_a_size_is_one();
    metrics::set_global_recorder(process).map_err(drop).unwrap();
    assert!(Started::now().is_some());
    let lookups = || {
        (0..10).for_each(|_| record_error(&record));
        process.lookups.swap(0, Ordering::Relaxed)
    };
    assert_eq!(lookups(), 10);
    {
        // `keep_counters` is called on a thread with another recorder.
        let _other = metrics::set_default_local_recorder(Box::leak(Box::<Forgetful>::default()));
        keep_counters();
    }
    assert_eq!((lookups(), lookups(), process.count_of(ERRORS)), (1, 0, 30));

    // These recorders are created one after another at the same address.
    let mut addresses = [0; 2];
    for address in &mut addresses {
        let recorder = Forgetful::default();
        *address = std::ptr::from_ref(&recorder).addr();
        metrics::with_local_recorder(&recorder, || (0..10).for_each(|_| record_error(&record)));
        assert_eq!((recorder.count_of(ERRORS), recorder.lookups.load(Ordering::Relaxed)), (10, 10));
    }
    assert_eq!(addresses[0], addresses[1]);
    assert_eq!((lookups(), process.count_of(ERRORS)), (0, 40));
}

/// Envoy's recorder also has size zero.
fn l2_a_recorder_without_a_size_is_one() {
    static SIZELESS: NoopRecorder = NoopRecorder;

    metrics::with_local_recorder(&SIZELESS, || assert!(Started::now().is_some()));
    assert_eq!(installed::address_in_program(&*Box::new(NoopRecorder)), 0);
    assert!(Started::now().is_none());
}

#[test]
fn l2_the_handles_of_requests_are_registered_anew_after_a_while_also_for_one_that_takes_longer() {
    let recorder = Forgetful::default();
    metrics::with_local_recorder(&recorder, || {
        let (metrics, now) = (RequestMetrics::default(), Instant::now());
        let ask = |at: Instant| {
            let started = Started { at, ..Started::now().unwrap() };
            let mut timer = metrics.begin(started, KnownMethod::from(&http::Method::GET), || (None, None));
            timer.head();
            timer
        };
        // The clients left before the head, so no head has a time.
        let counted = || [REQUESTS, HEAD, DURATION].map(|name| recorder.count_of(name));
        (0..100).for_each(|_| ask(now).close(&record()));
        // The handles need five lookups: two for the counts of bytes, and three for the status class.
        assert_eq!((counted(), recorder.lookups.swap(0, Ordering::Relaxed)), ([100, 0, 100], 5));
        recorder.forget();
        ask(now + KEPT_FOR).close(&record());
        assert_eq!(counted(), [1, 0, 1]);

        let timer = ask(now.checked_sub(KEPT_FOR).unwrap());
        recorder.forget();
        timer.close(&record());
        assert_eq!(counted(), [1, 0, 1]);
    });
}
