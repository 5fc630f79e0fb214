//! The shared state of a client's connection, and the answers on their way over it.
//!
//! All of it is in one allocation: with many connections, the cost of a request is the uncached memory that it touches.
//!
//! A client that reads its socket but opens no HTTP/2 window leaves its data unsent, and hyper polls the body again only once
//! there is room: only the data itself shows it. So each piece that hyper gets notes when it is taken, and
//! [`ConnectionState::stall_for`] finds those that are not. (A socket that takes nothing at all is found by
//! [`linger`](super::linger): over HTTP/1 there is nothing else to find.) Each answer that is cut off this way is logged as
//! abandoned, once (rule F2).

use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::Version;
use http::header::{HeaderMap, HeaderValue};
use http::request::Parts;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::access::{AccessRecord, Outcome};
use super::count::{Clients, Connection, Protocol};
use super::idle::Activity;
use super::in_flight::RequestTracker;
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
    /// The answers that are on their way over HTTP/2.
    open: Mutex<Vec<TrackedResponse>>,
    /// The connection is closed because its client stands still.
    stalled: AtomicBool,
    /// Over HTTP/1: the last request has a body.
    has_body: AtomicBool,
    /// The body of the last request that has one.
    body: Mutex<LastBody>,
    /// Logs the responses that are lost.
    tracker: Arc<RequestTracker>,
}

/// A connection with a socket, until this is dropped.
pub(crate) struct OpenConnection(Arc<ConnectionState>);

/// A request in flight, until this is dropped.
pub(crate) struct ActiveRequest(Arc<ConnectionState>, Protocol);

/// A request body over HTTP/1, and what is left of it. hyper is within it until all of it was read.
#[derive(Default)]
struct LastBody {
    /// Separates it from earlier bodies, which may be held for longer than their requests take.
    number: usize,
    /// It was not read to its end, so that hyper closes the connection after the response.
    is_unread: bool,
    /// It was dropped.
    is_left: bool,
    /// Its response has left: its head cannot change any more.
    is_answered: bool,
    rest: Option<Incoming>,
}

/// A request body that may have more to come, until this is dropped.
pub(crate) struct ActiveBody {
    state: Arc<ConnectionState>,
    number: usize,
    /// Reading on would make the client send its body.
    expects_continue: bool,
}

/// When an answer was seen to move.
struct TrackedResponse {
    progress: Weak<ResponseProgress>,
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
    pub(super) fn new(clients: Clients, tracker: Arc<RequestTracker>) -> Arc<Self> {
        let (reset, open, stalled, has_body, body, bound) = Default::default();
        let (activity, counted) = (Activity::new(), Connection::new(clients));
        Arc::new(Self { activity, reset, counted, bound, open, stalled, has_body, body, tracker })
    }

    /// Counts the connection until the guard is dropped.
    pub(crate) fn open(self: &Arc<Self>) -> OpenConnection {
        self.counted.opened();
        OpenConnection(Arc::clone(self))
    }

    pub(crate) fn begin(self: &Arc<Self>, version: Version) -> ActiveRequest {
        if self.has_body.swap(false, Ordering::Relaxed) {
            self.drop_rest();
        }
        self.activity.request_started();
        ActiveRequest(Arc::clone(self), self.counted.request_started(version))
    }

    pub(crate) fn begin_body(self: &Arc<Self>, expects_continue: bool) -> ActiveBody {
        self.activity.body_started();
        self.has_body.store(true, Ordering::Relaxed);
        let mut body = self.body();
        let number = body.number.wrapping_add(1);
        *body = LastBody { number, is_unread: true, ..LastBody::default() };
        ActiveBody { state: Arc::clone(self), number, expects_continue }
    }

    fn body(&self) -> MutexGuard<'_, LastBody> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops what is left of a body: hyper skips it, or closes the connection.
    fn drop_rest(&self) {
        drop(self.take_rest(true));
    }

    /// The rest of the last body. While it is kept here, hyper is within it.
    fn take_rest(&self, is_answered: bool) -> Option<Incoming> {
        let mut body = self.body();
        body.is_answered |= is_answered;
        let rest = body.rest.take();
        if rest.is_some() {
            self.activity.body_ended();
        }
        rest
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

    /// The connection is closed with a reset, since its client takes nothing: the kernel would keep what is unread.
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
    /// Whether hyper will close the connection after a response that leaves now, since it cannot skip the rest of the request: its
    /// body was dropped, or it was not sent to the service to its end, which has responded and will not take more (`is_unsent`).
    pub(crate) fn leaves_body_unread(&self, is_unsent: impl FnOnce() -> bool) -> bool {
        self.0.has_body.load(Ordering::Relaxed) && {
            let body = self.0.body();
            body.is_unread && (body.is_left || is_unsent())
        }
    }

    /// The rest of a request's body that was dropped.
    pub(crate) fn take_rest(&self) -> Option<Incoming> {
        self.0.take_rest(false)
    }

    /// The rest was read.
    pub(crate) fn rest_was_read(&self) {
        self.0.body().is_unread = false;
    }

    /// Its answer, logged by `id` if it is lost.
    pub(crate) fn begin_response(self, id: Option<HeaderValue>, record: Option<AccessRecord>) -> Arc<ResponseProgress> {
        if self.0.has_body.load(Ordering::Relaxed) {
            self.0.drop_rest();
        }
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
    /// It was read to its end.
    pub(crate) fn was_read(&self) {
        let mut body = self.state.body();
        if body.number == self.number {
            body.is_unread = false;
        }
    }

    /// It is dropped with this rest, which is kept for as long as the response has not left.
    pub(crate) fn leave(&self, rest: Incoming) {
        let mut body = self.state.body();
        if body.number != self.number || !body.is_unread {
            return;
        }
        body.is_left = true;
        if !self.expects_continue && !body.is_answered {
            self.state.activity.body_started();
            body.rest = Some(rest);
        }
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
    /// For how long it has stood still.
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

    pub(crate) fn give(self: &Arc<Self>, data: Bytes) -> TrackedData {
        self.given.fetch_add(data.len() as u64, Ordering::Relaxed);
        TrackedData { data, progress: Arc::clone(self) }
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

    /// The client has got what came before the body broke off.
    pub(crate) fn ends_broken(&self) {
        self.connection().reset.body_broke_off();
    }

    fn connection(&self) -> &ConnectionState {
        &self.request.0
    }

    fn took(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for ResponseProgress {
    fn drop(&mut self) {
        let given_up = *self.lost.get_mut() && self.connection().stalled.load(Ordering::Relaxed);
        if let (true, Some(id)) = (given_up, &self.id) {
            self.connection().tracker.not_taken(id);
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
    progress: Arc<ResponseProgress>,
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
        self.progress.took(count);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.progress.took(length);
        self.data.copy_to_bytes(length)
    }
}

impl Drop for TrackedData {
    fn drop(&mut self) {
        if self.data.has_remaining() {
            self.progress.cut_off();
            self.progress.unsent.fetch_add(self.data.len() as u64, Ordering::Relaxed);
            self.progress.took(self.data.len());
        }
    }
}
