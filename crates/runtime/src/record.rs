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

/// What measures a request, and who is told of its end. Requests that nobody watches have none.
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

/// The bytes of a request's body that were read. Clones share the count.
#[derive(Clone, Default)]
pub struct Received(Arc<AtomicU64>);

impl Received {
    /// Counts bytes that were read.
    #[inline]
    pub fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// A record that is about to be closed: what was decided, what measures the request, and the delivery as far as it was seen.
pub struct OpenRecord {
    follow: Follow,
    timer: Option<RequestTimer>,
    /// What became of the response, as far as it was seen.
    pub delivery: Delivery,
}

impl Watch {
    /// Returns the watch of a request that is measured, observed or may be logged, or whose end an adapter is told of,
    /// or `None` for any other.
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

    /// Notes that the head of the response is sent.
    #[inline]
    pub fn head(&mut self) {
        if let Some(timer) = &mut self.timer {
            timer.head();
        }
    }
}

/// Ends a request: its record is closed, or handed to the adapter around the layer, which sees more of the delivery.
pub fn end(follow: Follow, watch: Watch, mut delivery: Delivery, now: fn() -> Instant) {
    let Watch { timer, exchange, received, is_observed } = watch;
    if let Some(received) = received {
        delivery.request_bytes = Some(received.0.load(Ordering::Relaxed));
    }
    // A success that only the log and a recorder see has no record: nothing in it would be another.
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
    /// Returns the status in the head, if one was decided.
    #[must_use]
    pub fn follow(&self) -> &Follow {
        &self.follow
    }

    /// Closes the record, and writes every view of it; `view` writes the adapter's own. Drops the cause, which may call the
    /// user's own code.
    pub fn close(mut self, now: fn() -> Instant, view: impl FnOnce(&ClosedRecord)) {
        let Some(record) = self.follow.close(self.delivery, now) else { return };
        if let Some(timer) = self.timer.take() {
            timer.close(&record);
        }
        // A line of the log needs the span that the adapter's view ends.
        write_views(&record);
        view(&record);
        drop_cause(record);
    }
}

/// Writes the views of a closed record that every adapter has: counts, the line of the log, and the observer's.
///
/// If several layers of one process have a request, its error is logged and counted once, by the innermost layer that
/// decided about it, and a client that leaves by the outermost. An outer observer gets it only if no inner one did (L1).
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

/// True if the process has made a slot: before that, requests are not searched for one.
static MADE: AtomicBool = AtomicBool::new(false);

/// What an adapter around a layer is told about a request.
///
/// Put a [`RequestSlot`] with it into the request's extensions. The outermost layer takes it out.
pub trait Exchange: Send + Sync + 'static {
    /// The request has this id, and this route: the framework's pattern, else that of the policy's route, never a path.
    fn begun(&self, id: RequestId, route: Option<&Arc<str>>);

    /// The layer has seen all that it sees of the request. Close the record once the delivery has ended.
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
