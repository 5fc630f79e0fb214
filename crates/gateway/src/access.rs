//! The access log (rule L2) and traces (rule I4): an event of the target `access` and a span for each request, without
//! its query and without a credential (rule L3). The program's subscriber writes the events, and its [`Tracer`] the
//! spans.
//!
//! A request has an [`AccessEntry`], from its head to the last byte of its response, or of its upgraded connection. Its
//! last holder logs its event, and ends its span. Without an access log and a tracer there is none.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use error_envelope_core::message::is_invisible;
use error_envelope_core::request_id::{RequestId, is_traceparent};
use error_envelope_runtime::RequestSlot;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Version};

/// Whether any request of the process has had an entry: without an access log, requests are not searched for entries.
static ENTRIES: AtomicBool = AtomicBool::new(false);

/// The longest text of a client's in an event; a longer one ends with `…`. With it, the lines that wait to be written
/// have a largest size.
const MAX_TEXT: usize = 1024;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// What needs the entries of requests.
#[derive(Clone, Default)]
pub(crate) struct Recording {
    pub(crate) log: bool,
    pub(crate) is_tls: bool,
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
}

/// A request, logged once the last clone is dropped.
pub(crate) type AccessRecord = Arc<AccessEntry>;

/// The facts of a request, as the access log and a [`Tracer`] get them.
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
    slot: RequestSlot,
    began: Instant,
    progress: Mutex<Progress>,
    is_logged: bool,
    trace: Option<Trace>,
}

/// What became of a request so far.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Progress {
    /// The URL of the service, if the request was forwarded.
    pub upstream: Option<Arc<str>>,
    /// The caller's identity, if a guard knows it.
    pub caller: Option<Box<str>>,
    /// The response's status; `None` if the client left first.
    pub status: Option<StatusCode>,
    /// The error's code, of the response's head or its trailers.
    pub code: Option<HeaderValue>,
    /// How the request ended.
    pub outcome: Outcome,
    /// The time from the request's head to the end of its response, or until now.
    pub duration: Duration,
    /// The bytes of the request's body that were read.
    pub request_bytes: u64,
    /// The bytes of the response's body that were sent.
    pub response_bytes: u64,
    /// Whether the client left before the end of its request, so that nothing reads its response (F1a).
    client_left: bool,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// The client left before it had all of its response. This is the outcome until another one is stored.
    #[default]
    Abandoned,
    /// The client got all of its response.
    Complete,
    /// The service cut its response off.
    CutOff,
}

impl Recording {
    /// Begins the entry of a request, and stores it in the extensions for the code that handles the request.
    #[inline]
    pub(crate) fn begin<B>(&self, client: IpAddr, request: &mut Request<B>) -> Option<AccessRecord> {
        if !self.log && self.tracer.is_none() {
            return None;
        }
        let entry = Arc::new(AccessEntry {
            method: request.method().clone(),
            scheme: if self.is_tls { "https" } else { "http" },
            host: host_without_credentials(request),
            user_agent: request.headers().get(USER_AGENT).cloned(),
            version: request.version(),
            client,
            path: request.uri().path_and_query().cloned(),
            slot: RequestSlot::default(),
            began: Instant::now(),
            progress: Mutex::default(),
            is_logged: self.log,
            trace: self.tracer.clone().map(|tracer| Trace::new(tracer, request.headers())),
        });
        request.extensions_mut().insert(entry.slot.clone());
        request.extensions_mut().insert(entry.clone());
        ENTRIES.store(true, Ordering::Relaxed);
        Some(entry)
    }
}

impl AccessEntry {
    /// Takes the entry of a request out of its extensions.
    #[inline]
    pub(crate) fn take_from<B>(request: &mut Request<B>) -> Option<AccessRecord> {
        // If another thread set the flag, passing the request to this thread has made it visible here.
        ENTRIES.load(Ordering::Relaxed).then(|| request.extensions_mut().remove()).flatten()
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the request is forwarded to this service, and who the caller is. The service gets the `traceparent` of
    /// the request's span.
    pub(crate) fn forwarded(&self, upstream: &Arc<str>, caller: Option<&str>, headers: &mut HeaderMap) {
        let mut progress = self.lock();
        (progress.upstream, progress.caller) = (Some(upstream.clone()), caller.map(Into::into));
        drop(progress);
        if let Some(trace) = &self.trace {
            trace.forward(self, headers);
        }
    }

    /// Adds bytes that were read of the request's body.
    pub(crate) fn received(&self, bytes: u64) {
        self.lock().request_bytes += bytes;
    }

    /// Notes that the client left before it had sent all of its request.
    pub(crate) fn client_left(&self) {
        let mut progress = self.lock();
        (progress.client_left, progress.outcome) = (true, Outcome::Abandoned);
    }

    pub(crate) fn answered<B>(&self, response: &Response<B>) {
        let mut progress = self.lock();
        if !progress.client_left {
            progress.status = Some(response.status());
            progress.note_code(response.headers());
        }
    }

    /// Notes the error code in trailers.
    pub(crate) fn note_code(&self, trailers: &HeaderMap) {
        self.lock().note_code(trailers);
    }

    /// Notes that the response ended with this outcome after `sent` bytes. A connection that it was upgraded to may end
    /// later.
    pub(crate) fn ended(&self, outcome: Outcome, sent: u64) {
        let mut progress = self.lock();
        progress.response_bytes += sent;
        progress.duration = self.began.elapsed();
        if !progress.client_left {
            progress.outcome = outcome;
        }
    }

    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> Option<RequestId> {
        self.slot.request_id()
    }

    /// The pattern of the policy's route: never a path.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.slot.route()
    }

    /// The path without its query (L3).
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_ref().map_or("", PathAndQuery::path)
    }

    /// What became of the request so far.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let mut progress = self.lock().clone();
        if progress.duration.is_zero() {
            progress.duration = self.began.elapsed();
        }
        progress
    }

    fn log(&self) {
        let header = |value: &HeaderValue| text(&String::from_utf8_lossy(value.as_bytes())).into_owned();
        let progress = self.progress();
        tracing::info!(
            target: "access",
            request_id = self.request_id().map(display),
            method = &*text(self.method.as_str()),
            path = &*text(self.path()),
            route = self.route(),
            status = progress.status.map(|status| status.as_u16()),
            code = progress.code.as_ref().map(header).as_deref(),
            outcome = progress.outcome.as_str(),
            duration_ms = progress.duration.as_micros() as f64 / 1000.0,
            request_bytes = progress.request_bytes,
            response_bytes = progress.response_bytes,
            caller = progress.caller.as_deref().map(text).as_deref(),
            client_address = %self.client,
            user_agent = self.user_agent.as_ref().map(header).as_deref(),
            host = self.host.as_deref().map(text).as_deref(),
            protocol = ?self.version,
            upstream = progress.upstream.as_deref(),
        );
    }
}

impl Drop for AccessEntry {
    fn drop(&mut self) {
        if self.is_logged {
            self.log();
        }
        if let Some(trace) = self.trace.take() {
            trace.end(self);
        }
    }
}

impl Progress {
    fn note_code(&mut self, fields: &HeaderMap) {
        if let (None, Some(code)) = (&self.code, fields.get("x-error-code")) {
            self.code = Some(code.clone());
        }
    }
}

impl Outcome {
    /// `abandoned` by the client, `complete`, or `cut_off` by the service.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Abandoned => "abandoned",
            Self::Complete => "complete",
            Self::CutOff => "cut_off",
        }
    }
}

/// The host of a request, without the credentials before an `@` (L3).
fn host_without_credentials<B>(request: &Request<B>) -> Option<String> {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let authority_or_host = authority.or_else(|| request.headers().get(HOST).map(HeaderValue::as_bytes))?;
    let host = authority_or_host.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    Some(String::from_utf8_lossy(host).into_owned())
}

/// A client's text on one line: invisible characters, and those that change the direction of writing, are escaped.
fn text(text: &str) -> Cow<'_, str> {
    let is_plain = |it: char| !is_invisible(it);
    if text.len() <= MAX_TEXT && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(MAX_TEXT);
    for it in text.chars() {
        if shown.len() >= MAX_TEXT {
            shown.push('…');
            break;
        }
        if is_plain(it) { shown.push(it) } else { shown.extend(it.escape_unicode()) }
    }
    Cow::Owned(shown)
}

/// Makes a span for each request.
pub trait Tracer: Send + Sync + 'static {
    /// Starts the span of a request: just before the service gets it, or at its end if no service does. `parent` has the
    /// client's `traceparent` and `tracestate`, if the former is valid; without it the span begins a trace, whose id is
    /// the 16 bytes of the request id.
    fn start(&self, request: &AccessEntry, parent: Option<&HeaderMap>) -> Box<dyn RequestSpan>;
}

/// The span of a request.
pub trait RequestSpan: Send + Sync {
    /// The `traceparent` that the service gets.
    fn traceparent(&self) -> Option<HeaderValue>;

    /// Ends the span of a request that has ended.
    fn end(&mut self, request: &AccessEntry);
}

/// The span of a request, and what it needs to start.
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

    /// Starts the span, and gives the service its `traceparent`. The state of a trace that does not continue is removed.
    fn forward(&self, request: &AccessEntry, headers: &mut HeaderMap) {
        let span = self.span.get_or_init(|| self.tracer.start(request, self.parent.as_ref()));
        let Some(traceparent) = span.traceparent() else { return };
        headers.insert(TRACEPARENT, traceparent);
        if self.parent.is_none() {
            headers.remove(TRACESTATE);
        }
    }

    fn end(self, request: &AccessEntry) {
        let Self { tracer, parent, span } = self;
        span.into_inner().unwrap_or_else(|| tracer.start(request, parent.as_ref())).end(request);
    }
}
