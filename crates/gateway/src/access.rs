//! Writes the access log and traces. For each request, it emits an event with the target `access`, and a span. Neither
//! contains the request's query or a credential (L2, L3, I4). The program's log subscriber writes the events, and the
//! program's [`Tracer`] exports the spans.
//!
//! The gateway closes the record of a request (L5). Unlike the layer, the gateway can observe how much of a response
//! the client received, and when an upgraded connection ends.

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use error_envelope_core::message::on_one_line;
use error_envelope_core::request_id::{RequestId, is_traceparent};
use error_envelope_core::session::{ClosedRecord, Delivery, End};
use error_envelope_runtime::{Exchange, OpenRecord, RequestSlot};
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Method, Request, Version};
use tokio::runtime::Handle;
use tracing::Span;

use super::in_flight::RequestTracker;
use super::unread_body::UnreadBody;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The settings of the access log and of tracing.
#[derive(Clone, Default)]
pub(crate) struct Recording {
    pub(crate) log: bool,
    pub(crate) is_tls: bool,
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
}

/// A shared handle to a request. The request's record is closed once the last clone is dropped.
pub(crate) type AccessRecord = Arc<Exchanged>;

/// The facts about a request that the access log and a [`Tracer`] get.
#[non_exhaustive]
pub struct AccessEntry {
    /// The request's method.
    pub method: Method,
    /// The scheme between the client and the gateway: `http` or `https`.
    pub scheme: &'static str,
    /// The request's host and port, without credentials before an `@`.
    pub host: Option<String>,
    /// The client's `user-agent`.
    pub user_agent: Option<HeaderValue>,
    /// The HTTP version between the client and the gateway.
    pub version: Version,
    /// The address of the client's connection.
    pub client: IpAddr,
    path: Option<PathAndQuery>,
    began: Instant,
    /// The time until the end of the response, once it has ended. The views of a record then agree on it.
    took: Option<Duration>,
    is_logged: bool,
    trace: Option<Trace>,
}

/// A request, from its head to the last byte of its response or of its upgraded connection.
pub(crate) struct Exchanged {
    /// The entry, or `None` if neither an access log nor a tracer is set.
    entry: Option<Box<AccessEntry>>,
    /// The span of the client's connection, which has the client's address as a field.
    client: Span,
    tracker: Arc<RequestTracker>,
    /// True if the server got the head of the response.
    is_answered: AtomicBool,
    /// True from the call of the service until the request is handed to a connection to the service.
    is_waiting: AtomicBool,
    /// True if the request ended before the connection to the service had written a byte of it.
    is_unwritten: AtomicBool,
    progress: Mutex<Progress>,
}

/// The progress of a request.
#[derive(Default)]
struct Progress {
    id: Option<RequestId>,
    /// The route pattern of the service's framework, or else that of the policy's route.
    route: Option<Arc<str>>,
    /// The URL of the service, if the request was forwarded.
    upstream: Option<Arc<str>>,
    request_bytes: u64,
    response_bytes: u64,
    /// True if the response was dropped before the client had all of it.
    is_lost: bool,
    /// True if the head of the lost response was not sent.
    is_head_lost: bool,
    /// True if the client read nothing for too long.
    is_stalled: bool,
    /// True if the request broke off before its response. Nothing reads that response (F1a).
    is_unread: bool,
    /// True if the request broke off because it was malformed, and not because the client left.
    is_malformed: bool,
    /// Keeps the record open until the request's body or the response has ended.
    held: Option<AccessRecord>,
    /// The rest of the request's body, if it was dropped over HTTP/2.
    unread: Option<Arc<UnreadBody>>,
    /// The layer's record, once the layer has seen its part of the request.
    record: Option<OpenRecord>,
}

impl Recording {
    /// Begins a request, and stores it in the extensions for the code that handles it.
    #[inline]
    pub(crate) fn begin<B>(
        &self,
        address: IpAddr,
        client: Span,
        tracker: &Arc<RequestTracker>,
        request: &mut Request<B>,
    ) -> AccessRecord {
        let is_wanted = self.log || self.tracer.is_some();
        let exchanged = Arc::new(Exchanged {
            entry: is_wanted.then(|| Box::new(self.entry(address, request))),
            client,
            tracker: tracker.clone(),
            is_answered: AtomicBool::new(false),
            is_waiting: AtomicBool::new(false),
            is_unwritten: AtomicBool::new(false),
            progress: Mutex::default(),
        });
        request.extensions_mut().insert(exchanged.clone());
        request.extensions_mut().insert(RequestSlot::new(exchanged.clone()));
        exchanged
    }

    fn entry<B>(&self, client: IpAddr, request: &Request<B>) -> AccessEntry {
        AccessEntry {
            method: request.method().clone(),
            scheme: if self.is_tls { "https" } else { "http" },
            host: host_without_credentials(request),
            user_agent: request.headers().get(USER_AGENT).cloned(),
            version: request.version(),
            client,
            path: request.uri().path_and_query().cloned(),
            began: Instant::now(),
            took: None,
            is_logged: self.log,
            trace: self.tracer.clone().map(|tracer| Trace::new(tracer, request.headers())),
        }
    }
}

impl Exchange for Exchanged {
    fn begun(&self, id: RequestId, route: Option<&Arc<str>>) {
        let mut progress = self.lock();
        (progress.id, progress.route) = (Some(id), route.cloned());
    }

    fn ended(&self, record: OpenRecord) {
        self.lock().record = Some(record);
    }
}

impl Exchanged {
    /// Takes the record of a request out of its extensions. From now on, the request waits for a connection to the
    /// service.
    #[inline]
    pub(crate) fn take_from<B>(request: &mut Request<B>) -> Option<AccessRecord> {
        request.extensions_mut().remove().inspect(|record: &AccessRecord| record.set_waiting(true))
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the request is forwarded to this service, and adds the `traceparent` of the request's span to its
    /// headers.
    pub(crate) fn forwarded(&self, upstream: &Arc<str>, headers: &mut HeaderMap) {
        let mut progress = self.lock();
        progress.upstream = Some(upstream.clone());
        let id = progress.id;
        drop(progress);
        if let Some((entry, trace)) = self.entry.as_deref().and_then(|entry| Some((entry, entry.trace.as_ref()?))) {
            trace.forward(entry, id, headers);
        }
    }

    /// Records whether the request still waits for a connection to the service.
    pub(crate) fn set_waiting(&self, is_waiting: bool) {
        self.is_waiting.store(is_waiting, Relaxed);
    }

    /// Records that the connection to the service has written no byte of the request.
    pub(crate) fn note_unwritten(&self) {
        self.is_unwritten.store(true, Relaxed);
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting.load(Relaxed)
    }

    /// Keeps the record open until [`Exchanged::release`]. A body that broke off tells why only when it is read or dropped,
    /// which may be after hyper has dropped the request.
    pub(crate) fn hold(self: &Arc<Self>) -> Weak<Self> {
        self.lock().held = Some(Arc::clone(self));
        Arc::downgrade(self)
    }

    /// Lets the record close with its other handles. Over HTTP/2, a client may still send its body after the response.
    pub(crate) fn release(&self) {
        let held = self.lock().held.take();
        drop(held);
    }

    /// Adds the number of bytes that were read of the request's body.
    pub(crate) fn received(&self, bytes: u64) {
        self.lock().request_bytes += bytes;
    }

    /// Records that the server has the head of the response.
    pub(crate) fn answered(&self) {
        self.is_answered.store(true, Relaxed);
    }

    /// Records that the request broke off, because it was malformed or because the client left. Many clients end an
    /// upload as soon as they have an answer, so this states nothing about a response that was there before.
    pub(crate) fn broke_off(&self, is_malformed: bool) {
        let mut progress = self.lock();
        (progress.is_unread, progress.is_malformed) = (!self.is_answered.load(Relaxed), is_malformed);
    }

    /// Adds the number of bytes that the client received of the response or of the upgraded connection.
    pub(crate) fn sent(&self, bytes: u64) {
        self.lock().response_bytes += bytes;
    }

    /// Records that the response was dropped before the client had received all of it. `is_stalled` is true if the
    /// client received nothing for too long. `is_head_lost` is true if the response's head was not sent either.
    ///
    /// If the rest of the request's body is unread, a task looks whether the request was malformed, and the record stays
    /// open until then. It must be a task, because h2 drops responses within its lock, which reading needs as well.
    pub(crate) fn lost(self: &Arc<Self>, is_stalled: bool, is_head_lost: bool) {
        let mut progress = self.lock();
        (progress.is_lost, progress.is_stalled, progress.is_head_lost) = (true, is_stalled, is_head_lost);
        let unread = progress.unread.take();
        drop(progress);
        if let (Some(rest), Ok(runtime)) = (unread, Handle::try_current()) {
            let record = Arc::clone(self);
            runtime.spawn(async move {
                let is_malformed = rest.is_malformed();
                record.lock().is_malformed |= is_malformed;
            });
        }
    }

    /// Keeps the unread rest of the request's body, which shows whether the request was malformed.
    pub(crate) fn left_unread(&self, rest: Arc<UnreadBody>) {
        self.lock().unread = Some(rest);
    }

    /// Sets whether the upgraded connection is still open. If it is dropped while it is open, it counts as cut off.
    pub(crate) fn set_lost(&self, is_lost: bool) {
        self.lock().is_lost = is_lost;
    }
}

impl AccessEntry {
    /// Returns the path without its query (L3).
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_ref().map_or("", PathAndQuery::path)
    }

    /// Returns the time since the request's head.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.took.unwrap_or_else(|| self.began.elapsed())
    }

    fn log(&self, record: &ClosedRecord, upstream: Option<&str>) {
        let header = |value: &HeaderValue| on_one_line(&String::from_utf8_lossy(value.as_bytes())).into_owned();
        let delivery = record.delivery();
        tracing::info!(
            target: "access",
            request_id = %record.request_id(),
            method = &*on_one_line(self.method.as_str()),
            path = &*on_one_line(self.path()),
            route = record.route(),
            status = record.status().map(|status| status.as_u16()),
            grpc_status = record.grpc_status(),
            code = record.code().map(|code| code.as_str()),
            outcome = record.outcome().as_str(),
            end = delivery.end.as_str(),
            duration_ms = self.elapsed().as_micros() as f64 / 1000.0,
            request_bytes = delivery.request_bytes,
            response_bytes = delivery.response_bytes,
            caller = record.notes().caller().map(on_one_line).as_deref(),
            client_address = %self.client,
            user_agent = self.user_agent.as_ref().map(header).as_deref(),
            host = self.host.as_deref().map(on_one_line).as_deref(),
            protocol = ?self.version,
            upstream,
        );
    }
}

impl Progress {
    /// Returns how the delivery ended. `seen` is the end that the layer observed. The gateway has observed more of the
    /// delivery.
    fn end(&self, seen: End, is_stopping: bool) -> End {
        match seen {
            End::ServiceBrokeOff => seen,
            End::Complete if !self.is_lost && !self.is_unread => seen,
            _ if is_stopping => End::Stopped,
            _ if self.is_stalled => End::Stalled,
            _ if self.is_malformed => End::Malformed,
            _ => End::ClientLeft,
        }
    }
}

impl Drop for Exchanged {
    fn drop(&mut self) {
        let is_stopping = self.tracker.ended_by.get().is_some();
        let progress = self.progress.get_mut().unwrap_or_else(PoisonError::into_inner);
        // A request that no layer has seen has no record.
        let Some(mut open) = progress.record.take() else { return };
        let end = progress.end(open.delivery.end, is_stopping);
        // If the client has left or the gateway stops, hyper's task may still write the request.
        if *self.is_waiting.get_mut() || *self.is_unwritten.get_mut() && end == End::Complete {
            open.note_not_called();
        }
        // When h2 resets the stream of a malformed request, it drops what it has not sent. If that is the whole body, it
        // is nearly always the head as well.
        let is_dropped = progress.is_malformed && progress.is_lost && progress.response_bytes == 0;
        let is_head_lost = progress.is_unread || progress.is_head_lost || is_dropped;
        open.delivery = Delivery {
            head_sent: open.delivery.head_sent && !is_head_lost,
            request_bytes: Some(progress.request_bytes),
            response_bytes: Some(progress.response_bytes),
            end,
        };
        let (mut entry, upstream) = (self.entry.take(), progress.upstream.take());
        entry.iter_mut().for_each(|entry| entry.took = Some(entry.began.elapsed()));
        let _client = self.client.enter();
        let by = self.tracker.ended_by.get().filter(|_| end == End::Stopped);
        let stopped = by.map(|by| tracing::error_span!(target: "tower_error_envelope", "stopped", by));
        let _stopped = stopped.as_ref().map(Span::enter);
        open.close(Instant::now, |record| {
            let Some(mut entry) = entry else { return };
            let upstream = upstream.as_deref().filter(|_| record.is_called());
            if entry.is_logged {
                entry.log(record, upstream);
            }
            if let Some(trace) = entry.trace.take() {
                trace.end(&entry, record, upstream);
            }
        });
    }
}

/// Returns the host of a request, without the credentials before an `@` (L3).
fn host_without_credentials<B>(request: &Request<B>) -> Option<String> {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let authority_or_host = authority.or_else(|| request.headers().get(HOST).map(HeaderValue::as_bytes))?;
    let host = authority_or_host.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    Some(String::from_utf8_lossy(host).into_owned())
}

/// Makes a span for each request.
pub trait Tracer: Send + Sync + 'static {
    /// Starts the span of a request. The gateway calls this method just before the service gets the request. If no
    /// service gets the request, the gateway calls it at the end of the request. `parent` contains the client's
    /// `traceparent` and `tracestate`, if the `traceparent` is valid. Without a parent, the span begins a new trace,
    /// whose id is the 16 bytes of the request id.
    fn start(&self, request: &AccessEntry, id: Option<RequestId>, parent: Option<&HeaderMap>) -> Box<dyn RequestSpan>;
}

/// The span of a request.
pub trait RequestSpan: Send + Sync {
    /// Returns the `traceparent` that the service gets.
    fn traceparent(&self) -> Option<HeaderValue>;

    /// Ends the span of a request whose record is closed. `upstream` is the address of the service that was called.
    fn end(&mut self, request: &AccessEntry, record: &ClosedRecord, upstream: Option<&str>);
}

/// The span of a request, and the values that are needed to start it.
struct Trace {
    tracer: Arc<dyn Tracer>,
    parent: Option<HeaderMap>,
    span: OnceLock<Box<dyn RequestSpan>>,
}

impl Trace {
    fn new(tracer: Arc<dyn Tracer>, headers: &HeaderMap) -> Self {
        let mut parents = headers.get_all(TRACEPARENT).iter();
        let parent = parents.next().filter(|it| parents.next().is_none() && is_traceparent(it.as_bytes()));
        let parent = parent.map(|parent| {
            let state = headers.get_all(TRACESTATE).iter().map(|state| (TRACESTATE, state));
            let lines = state.chain([(TRACEPARENT, parent)]);
            lines.map(|(name, value)| (name, value.clone())).collect()
        });
        Self { tracer, parent, span: OnceLock::new() }
    }

    /// Starts the span, and adds its `traceparent` to the headers for the service. Without a valid `traceparent` of the
    /// client, the client's `tracestate` is removed.
    fn forward(&self, request: &AccessEntry, id: Option<RequestId>, headers: &mut HeaderMap) {
        let span = self.span.get_or_init(|| self.tracer.start(request, id, self.parent.as_ref()));
        let Some(traceparent) = span.traceparent() else { return };
        headers.insert(TRACEPARENT, traceparent);
        if self.parent.is_none() {
            headers.remove(TRACESTATE);
        }
    }

    fn end(self, request: &AccessEntry, record: &ClosedRecord, upstream: Option<&str>) {
        let Self { tracer, parent, span } = self;
        let start = || tracer.start(request, Some(record.request_id()), parent.as_ref());
        span.into_inner().unwrap_or_else(start).end(request, record, upstream);
    }
}
