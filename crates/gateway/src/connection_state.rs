//! The shared state of a client's connection, and of the responses that are being sent over it.
//!
//! Over HTTP/2, a client may read its socket but never enlarge its flow-control window. The data of the response then
//! stays unsent. hyper polls the body again only when the window has room, so the body cannot detect the stall.
//! Therefore each piece of data counts its bytes when hyper sends them, and [`ConnectionState::stall_for`] finds
//! responses whose data is not sent. If the client's socket accepts no data at all, [`linger`](super::linger) detects
//! the stall. Over HTTP/1, this is the only possible stall. The record of each response that is cut off because of a
//! stall contains this reason (F2, L5).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use http::Version;
use http::request::Parts;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::access::AccessRecord;
use super::count::{Clients, Connection, Protocol};
use super::idle::Activity;
use super::last_body::{BodyNumber, LastBody};
use super::pool::{Binding, BoundConnections, authenticates_connection};
use super::reset::ResetOnBreak;

/// The smallest length of the list of tracked responses at which finished responses are removed. They are removed when
/// the list would have to grow.
const FEW: usize = 32;

/// The shared state of a client's connection.
pub(crate) struct ConnectionState {
    pub(crate) activity: Activity,
    pub(crate) reset: ResetOnBreak,
    counted: Connection,
    /// The connections to services that only this client may use, once the client has authenticated one of them (F7).
    bound: OnceLock<Arc<BoundConnections>>,
    /// The responses that are being sent, if the connection uses HTTP/2.
    open: Mutex<Vec<TrackedResponse>>,
    /// True if the connection is closed because the client stopped reading.
    stalled: AtomicBool,
    /// The body of the last request that has one. It is used only over HTTP/1.
    pub(crate) last_body: LastBody,
}

/// Counts a connection as open until this value is dropped.
pub(crate) struct OpenConnection(Arc<ConnectionState>);

/// Counts a request as in flight until this value is dropped.
pub(crate) struct ActiveRequest(Arc<ConnectionState>, Protocol);

/// Counts the body of an HTTP/1 request as unfinished until this value is dropped.
pub(crate) struct ActiveBody {
    state: Arc<ConnectionState>,
    number: BodyNumber,
    /// True if the client waits for `100 Continue`. Reading the body would make the client send it.
    expects_continue: bool,
}

/// A response that is checked for a stall, and the time since which it makes no progress.
struct TrackedResponse {
    progress: Weak<ResponseProgress>,
    taken: u64,
    /// The time of the first check that found the response without progress. It is `None` before that check.
    moved: Option<Instant>,
}

/// The progress of a response, until the client has received all of it or the response is dropped.
pub(crate) struct ResponseProgress {
    given: AtomicU64,
    taken: AtomicU64,
    /// True if the response was dropped before the client had received all of it.
    lost: AtomicBool,
    /// True if the response was lost before its head was sent.
    is_head_lost: AtomicBool,
    /// The number of writes to the client when hyper got the response.
    writes: u64,
    record: AccessRecord,
    /// The number of bytes that hyper got but dropped without sending them.
    unsent: AtomicU64,
    request: ActiveRequest,
}

impl ConnectionState {
    pub(super) fn new(clients: Arc<Clients>) -> Arc<Self> {
        let (reset, open, stalled, last_body, bound) = Default::default();
        let (activity, counted) = (Activity::new(), Connection::new(clients));
        Arc::new(Self { activity, reset, counted, bound, open, stalled, last_body })
    }

    /// Counts the connection until the guard is dropped.
    pub(crate) fn open(self: &Arc<Self>) -> OpenConnection {
        self.counted.opened();
        OpenConnection(Arc::clone(self))
    }

    pub(crate) fn begin(self: &Arc<Self>, version: Version) -> ActiveRequest {
        self.last_body.request_started();
        self.activity.request_started();
        ActiveRequest(Arc::clone(self), self.counted.request_started(version))
    }

    pub(crate) fn begin_body(self: &Arc<Self>, expects_continue: bool) -> ActiveBody {
        self.activity.body_started();
        ActiveBody { number: self.last_body.begin(), state: Arc::clone(self), expects_continue }
    }

    /// Stores in a request the connections to services that only its client may use.
    pub(crate) fn bind(&self, head: &mut Parts) {
        let authenticates = authenticates_connection(&head.headers);
        if authenticates || self.bound.get().is_some() {
            Binding::insert(self.bound.get_or_init(Arc::default), authenticates, &mut head.extensions);
        }
    }

    /// Returns true if requests came over HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.counted.is_http2()
    }

    /// Marks the client as stalled, so that its connection is closed with a reset. Without a reset, the kernel would
    /// keep the unread data in memory.
    pub(crate) fn give_up(&self) {
        self.stalled.store(true, Ordering::Relaxed);
        self.reset.reset();
    }

    fn responses(&self) -> MutexGuard<'_, Vec<TrackedResponse>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to check the progress of a response.
    fn track(&self, progress: &Arc<ResponseProgress>) {
        let mut open = self.responses();
        if open.len() == open.capacity() && open.len() >= FEW {
            open.retain(|seen| seen.progress.strong_count() > 0);
        }
        open.push(TrackedResponse { progress: Arc::downgrade(progress), taken: 0, moved: None });
    }

    /// Removes the last response from the list if it has ended. If a client sends one request after the other, the list
    /// therefore never grows.
    fn forget_last(&self) {
        let mut open = self.responses();
        if open.last().is_some_and(|last| last.progress.strong_count() == 0) {
            open.pop();
        }
    }

    /// Resolves once the data of a response has waited for `limit` while the client read nothing of that response. A
    /// stall may be detected only after one and a half times `limit`.
    pub(crate) async fn stall_for(&self, limit: Duration) {
        loop {
            tokio::time::sleep(limit / 4).await;
            let now = Instant::now();
            let mut open = self.responses();
            open.retain(|seen| seen.progress.strong_count() > 0);
            if open.iter_mut().any(|seen| seen.stands_still(now) >= limit) {
                return;
            }
        }
    }
}

impl OpenConnection {
    pub(crate) fn state(&self) -> &ConnectionState {
        &self.0
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.counted.closed();
    }
}

impl ActiveRequest {
    pub(crate) fn connection(&self) -> &ConnectionState {
        &self.0
    }

    /// Begins the response to this request.
    pub(crate) fn begin_response(self, record: AccessRecord) -> Arc<ResponseProgress> {
        self.0.last_body.response_started();
        let is_tracked = self.1.is_http2();
        if is_tracked {
            self.0.forget_last();
        }
        let (given, taken, lost, is_head_lost, unsent) = Default::default();
        let writes = self.0.activity.writes();
        let progress =
            Arc::new(ResponseProgress { given, taken, lost, is_head_lost, writes, record, unsent, request: self });
        if is_tracked {
            progress.connection().track(&progress);
        }
        progress
    }
}

impl ActiveBody {
    /// Records that the body was read to its end.
    pub(crate) fn was_read(&self) {
        self.state.last_body.was_read(self.number);
    }

    /// Keeps the rest of the body when the body's reader is dropped.
    pub(crate) fn leave(&self, rest: Incoming) {
        self.state.last_body.leave(self.number, rest, !self.expects_continue);
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.activity.request_ended();
        self.0.counted.request_ended(self.1);
    }
}

impl Drop for ActiveBody {
    fn drop(&mut self) {
        self.state.activity.body_ended();
    }
}

impl TrackedResponse {
    /// Returns the time for which the response has made no progress.
    fn stands_still(&mut self, now: Instant) -> Duration {
        let Some(progress) = self.progress.upgrade() else { return Duration::ZERO };
        let (given, taken) = (progress.given.load(Ordering::Relaxed), progress.taken.load(Ordering::Relaxed));
        if given <= taken || taken != self.taken {
            (self.taken, self.moved) = (taken, None);
        }
        now - *self.moved.get_or_insert(now)
    }
}

impl ResponseProgress {
    /// Records that hyper got this many bytes of the response.
    pub(crate) fn gave(&self, bytes: usize) {
        self.given.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Records that hyper wrote this many bytes of the response to the client.
    pub(crate) fn took(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Records that hyper dropped this many bytes of the response without sending them.
    pub(crate) fn lost(&self, bytes: usize) {
        self.cut_off();
        self.unsent.fetch_add(bytes as u64, Ordering::Relaxed);
        self.took(bytes);
    }

    /// Records that the response body is dropped before its end.
    pub(crate) fn cut_off(&self) {
        self.lost.store(true, Ordering::Relaxed);
        if self.connection().activity.writes() == self.writes {
            self.is_head_lost.store(true, Ordering::Relaxed);
        }
    }

    /// Records that the body is dropped before hyper has polled it. Over HTTP/2, the stream was then reset at once. If
    /// the client did not read, the head was sent nevertheless.
    pub(crate) fn was_not_polled(&self) {
        if self.request.1.is_http2() && !self.connection().stalled.load(Ordering::Relaxed) {
            self.is_head_lost.store(true, Ordering::Relaxed);
        }
    }

    /// Returns true if earlier data still waits for the client. Once that data is written, hyper polls the body again.
    /// Over HTTP/2 the result is always false, because another task writes.
    pub(crate) fn is_held_up(&self) -> bool {
        !self.request.1.is_http2() && self.connection().activity.has_waiting_write()
    }

    /// Records that the response body was cut off, after all earlier data had been sent to the client.
    pub(crate) fn ends_broken(&self) {
        self.connection().reset.body_broke_off();
    }

    fn connection(&self) -> &ConnectionState {
        self.request.connection()
    }
}

impl Drop for ResponseProgress {
    fn drop(&mut self) {
        if *self.lost.get_mut() {
            let is_stalled = self.connection().stalled.load(Ordering::Relaxed);
            self.record.lost(is_stalled, *self.is_head_lost.get_mut());
        } else {
            self.record.release();
        }
        self.record.sent(self.taken.get_mut().saturating_sub(*self.unsent.get_mut()));
    }
}
