//! Closes the record of a request, and writes its views (rule L5).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{ClosedRecord, Delivery, End, Follow, Origin, SentStatus};
use http::Extensions;
use tracing::Level;
use tracing::level_filters::LevelFilter;

use crate::catch::catch;
use crate::count::{self, RequestTimer};
use crate::log;

/// The timer and the receivers of a request's record. A request that nobody watches has no such value.
#[derive(Default)]
pub struct Watch {
    /// Measures the request, if a recorder is installed.
    pub timer: Option<RequestTimer>,
    /// The adapter around the layer.
    pub exchange: Option<Arc<dyn Exchange>>,
    /// True if an observer gets the record.
    pub is_observed: bool,
    /// Counts the request's body, if there is one.
    pub received: Option<Received>,
}

/// The number of bytes of a request's body that were read. Clones share the count.
#[derive(Clone, Default)]
pub struct Received(Arc<AtomicU64>);

impl Received {
    /// Counts bytes that were read.
    #[inline]
    pub fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A record that is about to be closed. It has the decision, the timer, and the known part of the delivery.
pub struct OpenRecord {
    follow: Follow,
    timer: Option<RequestTimer>,
    /// The part of the response's delivery that was observed.
    pub delivery: Delivery,
}

impl Watch {
    /// Returns the watch of a request that is measured, observed or may be logged, or whose end is reported to an
    /// adapter. Returns `None` for any other request.
    #[inline]
    pub fn new(
        timer: Option<RequestTimer>,
        exchange: Option<Arc<dyn Exchange>>,
        is_observed: bool,
        received: impl FnOnce() -> Option<Received>,
    ) -> Option<Self> {
        let is_watched = timer.is_some() || exchange.is_some() || is_observed;
        if !is_watched && Level::INFO > LevelFilter::current() {
            return None;
        }
        if is_watched {
            WATCHES.store(true, Ordering::Relaxed);
        }
        Some(Self { timer, exchange, is_observed, received: received() })
    }

    /// Records that the head of the response is sent.
    #[inline]
    pub fn head(&mut self) {
        if let Some(timer) = &mut self.timer {
            timer.head();
        }
    }
}

/// Ends a request. Its record is closed, or passed to the adapter around the layer, which sees more of the delivery.
pub fn end(follow: Follow, watch: Watch, mut delivery: Delivery, now: fn() -> Instant) {
    let Watch { timer, exchange, received, is_observed } = watch;
    if let Some(received) = received {
        delivery.request_bytes = Some(received.0.load(Ordering::Relaxed));
    }
    // A success that only the log and a recorder see needs no record, because all its values are known here.
    if let (None, false, End::Complete, Some(status)) = (&exchange, is_observed, delivery.end, follow.plain_status()) {
        return timer.into_iter().for_each(|timer| timer.count(&SentStatus::new(status), &delivery));
    }
    let record = OpenRecord { follow, timer, delivery };
    match exchange {
        Some(exchange) => exchange.ended(record),
        None => record.close(now, |_| ()),
    }
}

/// True if the process has watched a request.
static WATCHES: AtomicBool = AtomicBool::new(false);

/// Returns true if anyone may want records: a subscriber of the log, a recorder of metrics, an observer, or an adapter
/// around a layer.
#[inline]
#[must_use]
pub fn wants_records() -> bool {
    // If another thread has set the flag, passing the request to this thread has made it visible here.
    Level::INFO <= LevelFilter::current() || WATCHES.load(Ordering::Relaxed)
}

impl OpenRecord {
    /// Returns the part of the record that follows the response. It has the status of the head, if one was decided.
    #[must_use]
    pub fn follow(&self) -> &Follow {
        &self.follow
    }

    /// Notes that the client left before the proxy had a connection to the service for its request.
    pub fn note_not_called(&mut self) {
        self.follow.note_not_called();
    }

    /// Closes the record, and writes every view of it. `view` writes the adapter's own. The cause is dropped, which may
    /// call the user's own code.
    pub fn close(mut self, now: fn() -> Instant, view: impl FnOnce(&ClosedRecord)) {
        let Some(record) = self.follow.close(self.delivery, now) else { return };
        if let Some(timer) = self.timer.take() {
            timer.close(&record);
        }
        // The line of the log needs the span that the adapter's view ends, so it is written first.
        write_views(&record);
        view(&record);
        drop_cause(record);
    }
}

/// Writes the views of a closed record that every adapter has: the counts, the line of the log, and the observer's
/// record.
///
/// If a request passes several layers of one process, the innermost layer that decided about its error logs and counts
/// the error. The outermost layer logs and counts a client that leaves. An outer observer gets the record only if no
/// inner observer did (L1).
pub fn write(record: ClosedRecord) {
    write_views(&record);
    drop_cause(record);
}

fn write_views(record: &ClosedRecord) {
    let is_outers = record.is_nested() && record.origin() == Some(Origin::Abandoned);
    if record.written_within().is_none() && !is_outers {
        count::record_error(record);
        log::write_record(record);
    }
    if record.written_within() != Some(true) && !is_outers {
        log::observe(record);
    }
}

fn drop_cause(mut record: ClosedRecord) {
    if let Some(cause) = record.take_cause() {
        let _ = catch(|| drop(cause));
    }
}

/// True if the process has made a slot. Before that, requests are not searched for one.
static MADE: AtomicBool = AtomicBool::new(false);

/// Receives what a layer reports about a request to an adapter around it.
///
/// Put a [`RequestSlot`] with the exchange into the request's extensions. The outermost layer takes the slot out.
pub trait Exchange: Send + Sync + 'static {
    /// Called when the request has its id and its route. The route is the framework's pattern, or otherwise that of the
    /// policy's route, never a path.
    fn begun(&self, id: RequestId, route: Option<&Arc<str>>);

    /// Called when the layer will see no more of the request. Close the record once the delivery has ended.
    fn ended(&self, record: OpenRecord);
}

/// An [`Exchange`] in the extensions of a request.
#[derive(Clone)]
pub struct RequestSlot(Arc<dyn Exchange>);

impl RequestSlot {
    /// Creates a slot for the request of this exchange.
    #[must_use]
    pub fn new(exchange: Arc<dyn Exchange>) -> Self {
        MADE.store(true, Ordering::Relaxed);
        Self(exchange)
    }

    /// Takes the slot of a request.
    #[inline]
    pub fn take(extensions: &mut Extensions) -> Option<Arc<dyn Exchange>> {
        // If another thread set the flag, passing the request to this thread has made it visible here.
        MADE.load(Ordering::Relaxed).then(|| extensions.remove::<Self>()).flatten().map(|slot| slot.0)
    }
}
