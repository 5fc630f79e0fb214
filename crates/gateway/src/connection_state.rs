//! The shared state of a client's connection, and the answers on their way over it.
//!
//! All of it is in one allocation: with many connections, the cost of a request is the uncached memory that it touches.
//!
//! A client that reads its socket but opens no HTTP/2 window leaves its data unsent, and hyper polls the body again
//! only once there is room: only the data itself reveals the stall. So each piece that hyper gets notes when it is
//! taken, and [`ConnectionState::stall_for`] finds those that are not. (A socket that takes nothing at all is found by
//! [`linger`](super::linger): over HTTP/1 there is nothing else to find.) Each answer that is cut off this way is
//! logged as abandoned, once (rule F2).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use http::Version;
use http::header::{HeaderMap, HeaderValue};
use http::request::Parts;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::access::{AccessRecord, Outcome};
use super::count::{Clients, Connection, Protocol};
use super::idle::Activity;
use super::in_flight::RequestTracker;
use super::last_body::{BodyNumber, LastBody};
use super::pool::{Binding, BoundConnections, authenticates_connection};
use super::reset::ResetOnBreak;

/// Finished ones are removed when there are this many, and twice as many as are live.
const FEW: usize = 32;

/// A client's connection.
pub(crate) struct ConnectionState {
    pub(crate) activity: Activity,
    pub(crate) reset: ResetOnBreak,
    counted: Connection,
    /// Its own connections to services, once it has authenticated one (F7).
    bound: OnceLock<Arc<BoundConnections>>,
    /// The responses that are being sent over HTTP/2.
    open: Mutex<Vec<TrackedResponse>>,
    /// The connection is closed because its client stands still.
    stalled: AtomicBool,
    /// Over HTTP/1.
    pub(crate) last_body: LastBody,
    /// Logs the responses that are lost.
    tracker: Arc<RequestTracker>,
}

/// A connection with a socket, until this is dropped.
pub(crate) struct OpenConnection(Arc<ConnectionState>);

/// A request in flight, until this is dropped.
pub(crate) struct ActiveRequest(Arc<ConnectionState>, Protocol);

/// A request body that may have more to come, until this is dropped.
pub(crate) struct ActiveBody {
    state: Arc<ConnectionState>,
    number: BodyNumber,
    /// Reading on would make the client send its body.
    expects_continue: bool,
}

/// A response, and when it last made progress.
struct TrackedResponse {
    progress: Weak<ResponseProgress>,
    taken: u64,
    /// `None` until the first check of this answer.
    moved: Option<Instant>,
}

/// An answer, until it is through or dropped.
pub(crate) struct ResponseProgress {
    given: AtomicU64,
    taken: AtomicU64,
    /// Whether the response was dropped before the client had all of it.
    lost: AtomicBool,
    /// The request id to log; `None` where the layer logs it.
    id: Option<HeaderValue>,
    record: Option<AccessRecord>,
    /// Bytes that hyper has got and dropped.
    unsent: AtomicU64,
    /// The service broke it off.
    broken: AtomicBool,
    request: ActiveRequest,
}

impl ConnectionState {
    pub(super) fn new(clients: Arc<Clients>, tracker: Arc<RequestTracker>) -> Arc<Self> {
        let (reset, open, stalled, last_body, bound) = Default::default();
        let (activity, counted) = (Activity::new(), Connection::new(clients));
        Arc::new(Self { activity, reset, counted, bound, open, stalled, last_body, tracker })
    }

    /// Counts the connection until the guard is dropped.
    pub(crate) fn open(self: &Arc<Self>) -> OpenConnection {
        self.counted.opened();
        OpenConnection(Arc::clone(self))
    }

    pub(crate) fn begin(self: &Arc<Self>, version: Version) -> ActiveRequest {
        self.last_body.request_started(&self.activity);
        self.activity.request_started();
        ActiveRequest(Arc::clone(self), self.counted.request_started(version))
    }

    pub(crate) fn begin_body(self: &Arc<Self>, expects_continue: bool) -> ActiveBody {
        self.activity.body_started();
        ActiveBody { number: self.last_body.begin(), state: Arc::clone(self), expects_continue }
    }

    /// Marks in a request which connections to services are its client's own.
    pub(crate) fn bind(&self, head: &mut Parts) {
        let authenticates = authenticates_connection(&head.headers);
        if authenticates || self.bound.get().is_some() {
            Binding::insert(self.bound.get_or_init(Arc::default), authenticates, &mut head.extensions);
        }
    }

    /// Whether requests came over HTTP/2.
    pub(crate) fn is_http2(&self) -> bool {
        self.counted.is_http2()
    }

    /// Closes the connection with a reset, since its client reads nothing. Without a reset, the kernel would keep the
    /// unread data.
    pub(crate) fn give_up(&self) {
        self.stalled.store(true, Ordering::Relaxed);
        self.reset.reset();
    }

    fn responses(&self) -> MutexGuard<'_, Vec<TrackedResponse>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at an answer's progress from now on.
    fn track(&self, progress: &Arc<ResponseProgress>) {
        let mut open = self.responses();
        if open.len() == open.capacity() && open.len() >= FEW {
            open.retain(|seen| seen.progress.strong_count() > 0);
        }
        open.push(TrackedResponse { progress: Arc::downgrade(progress), taken: 0, moved: None });
    }

    /// Where one request comes after the other, the last answer is through once the next one begins: its memory is the next one's.
    fn forget_last(&self) {
        let mut open = self.responses();
        if open.last().is_some_and(|last| last.progress.strong_count() == 0) {
            open.pop();
        }
    }

    /// Resolves once data waited for the client for `limit`, and at most half as long again, and none of that answer was taken.
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

    /// Begins the answer to this request. If it is lost, it is logged with `id`.
    pub(crate) fn begin_response(self, id: Option<HeaderValue>, record: Option<AccessRecord>) -> Arc<ResponseProgress> {
        self.0.last_body.response_started(&self.0.activity);
        let is_tracked = self.1.is_http2();
        if is_tracked {
            self.0.forget_last();
        }
        let (given, taken, lost, unsent, broken) = Default::default();
        let progress = Arc::new(ResponseProgress { given, taken, lost, id, record, unsent, broken, request: self });
        if is_tracked {
            progress.connection().track(&progress);
        }
        progress
    }
}

impl ActiveBody {
    /// Notes that the body was read to its end.
    pub(crate) fn was_read(&self) {
        self.state.last_body.was_read(self.number);
    }

    /// Hands over the rest of the body when its reader is dropped.
    pub(crate) fn leave(&self, rest: Incoming) {
        self.state.last_body.leave(self.number, rest, !self.expects_continue, &self.state.activity);
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
    /// How long the answer has made no progress.
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
    /// The request id to log if it is lost; `None` where the layer logs it.
    pub(crate) fn id(&self) -> Option<&HeaderValue> {
        self.id.as_ref()
    }

    /// hyper got this many bytes.
    pub(crate) fn gave(&self, bytes: usize) {
        self.given.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The client took this many of them.
    pub(crate) fn took(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// hyper dropped this many of them.
    pub(crate) fn lost(&self, bytes: usize) {
        self.cut_off();
        self.unsent.fetch_add(bytes as u64, Ordering::Relaxed);
        self.took(bytes);
    }

    /// Trailers may name the error of the body.
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

    /// Whether earlier data still waits for the client. hyper polls again once it is written.
    pub(crate) fn is_held_up(&self) -> bool {
        self.connection().activity.is_owing()
    }

    /// The client has got what came before the body was cut off.
    pub(crate) fn ends_broken(&self) {
        self.connection().reset.body_broke_off();
    }

    fn connection(&self) -> &ConnectionState {
        self.request.connection()
    }
}

impl Drop for ResponseProgress {
    fn drop(&mut self) {
        let given_up = *self.lost.get_mut() && self.connection().stalled.load(Ordering::Relaxed);
        if let (true, Some(id)) = (given_up, &self.id) {
            self.connection().tracker.response_lost(id);
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
