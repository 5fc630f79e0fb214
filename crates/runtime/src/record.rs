//! Closes the record of a request, and then logs it, counts it and passes it to the observer (rule L5).

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

/// The timer of a request, and the receivers of its record. If nobody wants the record, this value does not exist.
#[derive(Default)]
pub struct Watch {
    /// Measures the request, if a recorder is installed.
    pub timer: Option<RequestTimer>,
    /// The adapter around the layer, which gets the record before it is closed.
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

/// A record that is not closed yet. It contains the layer's decision, the timer, and what is known about the delivery.
pub struct OpenRecord {
    follow: Follow,
    timer: Option<RequestTimer>,
    /// What was observed of the response's delivery so far.
    pub delivery: Delivery,
}

impl Watch {
    /// Returns a `Watch` if the request is measured, observed or may be logged, or if its end is reported to an
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

/// Ends a request. If an adapter around the layer can observe more of the delivery, the record is passed to this
/// adapter. Otherwise the record is closed.
pub fn end(follow: Follow, watch: Watch, mut delivery: Delivery, now: fn() -> Instant) {
    let Watch { timer, exchange, received, is_observed } = watch;
    if let Some(received) = received {
        delivery.request_bytes = Some(received.0.load(Ordering::Relaxed));
    }
    // A complete success needs no record if only the log and a recorder want it, because all its values are known here.
    if let (None, false, End::Complete, Some(status)) = (&exchange, is_observed, delivery.end, follow.plain_status()) {
        return timer.into_iter().for_each(|timer| timer.count(&SentStatus::new(status), &delivery));
    }
    let record = OpenRecord { follow, timer, delivery };
    match exchange {
        Some(exchange) => exchange.ended(record),
        None => record.close(now, |_| ()),
    }
}

/// True once the process has created a [`Watch`] that measures, observes or reports a request.
static WATCHES: AtomicBool = AtomicBool::new(false);

/// Returns true if a log subscriber, a metrics recorder, an observer or an adapter around a layer may want records.
#[inline]
#[must_use]
pub fn wants_records() -> bool {
    // If another thread has set the flag, passing the request to this thread has made it visible here.
    Level::INFO <= LevelFilter::current() || WATCHES.load(Ordering::Relaxed)
}

impl OpenRecord {
    /// Returns the part of the record that follows the response. It contains the status of the response's head, if a
    /// head was decided.
    #[must_use]
    pub fn follow(&self) -> &Follow {
        &self.follow
    }

    /// Records that the service was not called, because the proxy has handed the request to no connection to it.
    pub fn note_not_called(&mut self) {
        self.follow.note_not_called();
    }

    /// Closes the record, counts it, and logs it. Then calls the adapter's own `view`, and passes the record to the
    /// observer. Finally the error's cause is dropped inside a catch, because its drop may be user code.
    pub fn close(mut self, now: fn() -> Instant, view: impl FnOnce(&ClosedRecord)) {
        let Some(record) = self.follow.close(self.delivery, now) else { return };
        if let Some(timer) = self.timer.take() {
            timer.close(&record);
        }
        write(record, view);
    }
}

/// Counts and logs a closed record, and passes it to the observer.
///
/// If a request passes through several layers of one process, the innermost layer that decided about its error logs and
/// counts the error. If the client leaves, the outermost layer logs and counts this. The observer of an outer layer
/// gets the record only if no observer of an inner layer got it (L1).
pub fn write(mut record: ClosedRecord, view: impl FnOnce(&ClosedRecord)) {
    // True if the outer layer of this process reports that the client left.
    let is_of_outer_layer = record.is_nested() && record.origin() == Some(Origin::Abandoned);
    // The log line needs the span that the adapter's `view` ends, so the line is written before `view` is called. The
    // observer comes last, because its first record takes long, and `view` writes the time of the end.
    if record.written_elsewhere().is_none() && !is_of_outer_layer {
        count::record_error(&record);
        log::write_record(&record);
    }
    view(&record);
    if record.written_elsewhere() != Some(true) && !is_of_outer_layer {
        log::observe(&record);
    }
    if let Some(cause) = record.take_cause() {
        let _ = catch(|| drop(cause));
    }
}

/// True once the process has created a slot. Before that, the extensions of requests are not searched for a slot.
static MADE: AtomicBool = AtomicBool::new(false);

/// Receives the reports of a layer about a request, for an adapter around the layer.
///
/// Put a [`RequestSlot`] with the exchange into the request's extensions. The outermost layer removes the slot.
pub trait Exchange: Send + Sync + 'static {
    /// Called when the id and the route of the request are known. The route is the framework's pattern, or else the
    /// pattern of the policy's route, but never a path.
    fn begun(&self, id: RequestId, route: Option<&Arc<str>>);

    /// Called when the layer has finished with the request. Close the record once the delivery has ended.
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

    /// Removes the slot from a request's extensions, and returns its exchange.
    #[inline]
    pub fn take(extensions: &mut Extensions) -> Option<Arc<dyn Exchange>> {
        // If another thread set the flag, passing the request to this thread has made it visible here.
        MADE.load(Ordering::Relaxed).then(|| extensions.remove::<Self>()).flatten().map(|slot| slot.0)
    }
}
