//! Answers that a client does not take.
//!
//! A client that reads its socket but opens no window of HTTP/2 keeps what is there for it, and hyper does not ask the body
//! again before there is room: only the data itself tells. So each piece that hyper gets notes when it is taken, and
//! [`Deliveries::stall_for`] looks after those that are not. (A socket that takes nothing at all is found by
//! [`linger`](super::linger).) Each answer that is cut off so is logged as abandoned, once (rule F2).

use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::header::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use super::access::{AccessRecord, Outcome};
use super::count::GaugeGuard;
use super::idle::ActiveRequest;
use super::in_flight::RequestTracker;

/// Those that are gone are forgotten when there are so many, and twice as many as there are.
const FEW: usize = 32;

/// The answers of a connection that are on their way.
#[derive(Clone)]
pub(crate) struct Deliveries(Arc<Shared>);

struct Shared {
    open: Mutex<Vec<DeliveredSoFar>>,
    /// The connection is closed for its client's standing still.
    stalled: AtomicBool,
    /// Is told of what is lost.
    tracker: Arc<RequestTracker>,
}

/// When an answer was seen to move.
struct DeliveredSoFar {
    delivery: Weak<ResponseProgress>,
    taken: u64,
    /// None before it is looked at first.
    moved: Option<Instant>,
}

/// An answer, until it is through or dropped.
pub(crate) struct ResponseProgress {
    given: AtomicU64,
    taken: AtomicU64,
    /// Not all of it was taken.
    lost: AtomicBool,
    deliveries: Deliveries,
    /// What it is logged by; none where the layer does that.
    id: Option<HeaderValue>,
    record: Option<AccessRecord>,
    /// Bytes that hyper has got and dropped.
    unsent: AtomicU64,
    /// The service broke it off.
    broken: AtomicBool,
    running: (ActiveRequest, GaugeGuard),
}

impl Deliveries {
    pub(super) fn new(tracker: Arc<RequestTracker>) -> Self {
        let (open, stalled) = Default::default();
        Self(Arc::new(Shared { open, stalled, tracker }))
    }

    /// An answer, logged by `id` if it is lost.
    pub(crate) fn begin(
        self,
        id: Option<HeaderValue>,
        running: (ActiveRequest, GaugeGuard),
        record: Option<AccessRecord>,
    ) -> Arc<ResponseProgress> {
        // Over HTTP/1 that is the one before: its room is the next one's.
        self.open().pop_if(|last| last.delivery.strong_count() == 0);
        let delivery = Arc::new(ResponseProgress {
            given: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            lost: AtomicBool::new(false),
            deliveries: self,
            id,
            record,
            unsent: AtomicU64::new(0),
            broken: AtomicBool::new(false),
            running,
        });
        let mut open = delivery.deliveries.open();
        if open.len() == open.capacity() && open.len() >= FEW {
            open.retain(|seen| seen.delivery.strong_count() > 0);
        }
        open.push(DeliveredSoFar { delivery: Arc::downgrade(&delivery), taken: 0, moved: None });
        drop(open);
        delivery
    }

    /// The connection is closed, since its client takes nothing.
    pub(crate) fn give_up(&self) {
        self.0.stalled.store(true, Ordering::Relaxed);
    }

    fn open(&self) -> MutexGuard<'_, Vec<DeliveredSoFar>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves once something was there for the client for `limit`, and at most half as long again, and nothing of that
    /// answer was taken.
    pub(crate) async fn stall_for(&self, limit: Duration) {
        loop {
            tokio::time::sleep(limit / 4).await;
            let now = Instant::now();
            let mut open = self.open();
            open.retain(|seen| seen.delivery.strong_count() > 0);
            if open.iter_mut().any(|seen| seen.stands_still(now) >= limit) {
                return;
            }
        }
    }
}

impl DeliveredSoFar {
    /// For how long it has stood still.
    fn stands_still(&mut self, now: Instant) -> Duration {
        let Some(delivery) = self.delivery.upgrade() else { return Duration::ZERO };
        let (given, taken) = (delivery.given.load(Ordering::Relaxed), delivery.taken.load(Ordering::Relaxed));
        if given <= taken || taken != self.taken {
            (self.taken, self.moved) = (taken, None);
        }
        now - *self.moved.get_or_insert(now)
    }
}

impl ResponseProgress {
    pub(crate) fn give(self: &Arc<Self>, data: Bytes) -> TrackedData {
        self.given.fetch_add(data.len() as u64, Ordering::Relaxed);
        TrackedData { data, delivery: Arc::clone(self) }
    }

    /// What ends the body may name its error.
    pub(crate) fn trailers(&self, trailers: &HeaderMap) {
        if let Some(record) = &self.record {
            record.coded(trailers);
        }
    }

    /// The service did not send the body to its end.
    pub(crate) fn broke_off(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// The body is dropped before its end.
    pub(crate) fn cut_off(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Whether what was given before waits for the client. hyper asks again once it is written.
    pub(crate) fn is_held_up(&self) -> bool {
        self.running.0.is_held_up()
    }

    fn took(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for ResponseProgress {
    fn drop(&mut self) {
        let given_up = *self.lost.get_mut() && self.deliveries.0.stalled.load(Ordering::Relaxed);
        if let (true, Some(id)) = (given_up, &self.id) {
            self.deliveries.0.tracker.untaken(id);
        }
        if let Some(record) = &self.record {
            let outcome = match (*self.lost.get_mut(), *self.broken.get_mut()) {
                (_, true) => Outcome::CutOff,
                (true, false) => Outcome::Abandoned,
                (false, false) => Outcome::Complete,
            };
            record.ended(outcome, self.taken.get_mut().saturating_sub(*self.unsent.get_mut()));
        }
    }
}

/// Data that hyper has got.
pub(crate) struct TrackedData {
    data: Bytes,
    delivery: Arc<ResponseProgress>,
}

impl Buf for TrackedData {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
        self.delivery.took(count);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.delivery.took(length);
        self.data.copy_to_bytes(length)
    }
}

impl Drop for TrackedData {
    fn drop(&mut self) {
        if self.data.has_remaining() {
            self.delivery.cut_off();
            self.delivery.unsent.fetch_add(self.data.len() as u64, Ordering::Relaxed);
            self.delivery.took(self.data.len());
        }
    }
}
