//! The record of a request, for its line.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Version};
use tower_error_envelope::middleware::RequestSlot;

/// Whether any request of the process has had a record: without an access log no lookup is made.
static RECORDS: AtomicBool = AtomicBool::new(false);

/// The end of the year 9999, which RFC 3339 ends with: a clock that is wrong costs no line.
const LAST_TIME: Duration = Duration::from_secs(253_402_300_799);

/// Writes the line of a request that has ended.
pub(crate) trait WriteEntry: Send + Sync {
    fn write(&self, entry: &Entry);
}

/// The records of one client's requests; none without an access log.
#[derive(Clone)]
pub(crate) struct ClientRecords {
    log: Option<Arc<dyn WriteEntry>>,
    address: IpAddr,
}

/// A request, written once the last clone of the record is dropped.
#[derive(Clone)]
pub(crate) struct AccessRecord(Arc<Entry>);

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The client left before it had all of its response; this holds until another outcome is stored.
    Abandoned,
    Complete,
    /// The service broke its response off.
    CutOff,
}

pub(crate) struct Entry {
    log: Arc<dyn WriteEntry>,
    pub(super) time: SystemTime,
    began: Instant,
    pub(super) method: Method,
    path: Option<PathAndQuery>,
    pub(super) host: Option<String>,
    pub(super) user_agent: Option<HeaderValue>,
    pub(super) version: Version,
    pub(super) client: IpAddr,
    pub(super) slot: RequestSlot,
    pub(super) upstream: OnceLock<Arc<str>>,
    pub(super) status: OnceLock<StatusCode>,
    pub(super) code: OnceLock<HeaderValue>,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
    /// The client left within its request, so that its response has no reader (F1a).
    client_left: AtomicBool,
    /// In microseconds since it began.
    ended: AtomicU64,
    outcome: AtomicU8,
}

impl ClientRecords {
    pub(crate) fn new(log: Option<Arc<dyn WriteEntry>>, address: IpAddr) -> Self {
        Self { log, address }
    }

    /// Begins the record of a request, and stores it in the extensions for the code that handles the request.
    #[inline]
    pub(crate) fn begin<B>(&self, request: &mut Request<B>) -> Option<AccessRecord> {
        let log = self.log.clone()?;
        let record = AccessRecord(Arc::new(Entry::new(log, self.address, request)));
        request.extensions_mut().insert(record.0.slot.clone());
        request.extensions_mut().insert(record.clone());
        RECORDS.store(true, Ordering::Relaxed);
        Some(record)
    }
}

impl AccessRecord {
    /// Takes the record of a request out of its extensions.
    #[inline]
    pub(crate) fn take_from<B>(request: &mut Request<B>) -> Option<Self> {
        // If another thread stored the flag, the request's way here made it visible to this one.
        RECORDS.load(Ordering::Relaxed).then(|| request.extensions_mut().remove()).flatten()
    }

    /// The request goes to this service.
    pub(crate) fn forwarded(&self, upstream: &Arc<str>) {
        let _ = self.0.upstream.set(Arc::clone(upstream));
    }

    /// This many bytes of the request's body were read.
    pub(crate) fn received(&self, bytes: u64) {
        self.0.request_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The client left before it had sent its request.
    pub(crate) fn client_left(&self) {
        self.0.client_left.store(true, Ordering::Relaxed);
    }

    pub(crate) fn answered<B>(&self, response: &Response<B>) {
        if self.0.client_left.load(Ordering::Relaxed) {
            return;
        }
        let _ = self.0.status.set(response.status());
        self.coded(response.headers());
    }

    /// Reads the error's code from a head or from trailers.
    pub(crate) fn coded(&self, fields: &HeaderMap) {
        if let Some(code) = fields.get("x-error-code") {
            let _ = self.0.code.set(code.clone());
        }
    }

    /// The response ended with this outcome, after this many bytes of it. What it was upgraded to may end later.
    pub(crate) fn ended(&self, outcome: Outcome, sent: u64) {
        self.0.response_bytes.fetch_add(sent, Ordering::Relaxed);
        let now = u64::try_from(self.0.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.ended.store(now, Ordering::Relaxed);
        self.0.outcome.store(outcome as u8, Ordering::Relaxed);
    }
}

impl Entry {
    fn new<B>(log: Arc<dyn WriteEntry>, client: IpAddr, request: &Request<B>) -> Self {
        let headers = request.headers();
        Self {
            log,
            time: SystemTime::now().clamp(UNIX_EPOCH, UNIX_EPOCH + LAST_TIME),
            began: Instant::now(),
            method: request.method().clone(),
            path: request.uri().path_and_query().cloned(),
            host: host_without_credentials(request),
            user_agent: headers.get(USER_AGENT).cloned(),
            version: request.version(),
            client,
            slot: RequestSlot::default(),
            upstream: OnceLock::new(),
            status: OnceLock::new(),
            code: OnceLock::new(),
            request_bytes: AtomicU64::new(0),
            response_bytes: AtomicU64::new(0),
            client_left: AtomicBool::new(false),
            ended: AtomicU64::new(0),
            outcome: AtomicU8::new(Outcome::Abandoned as u8),
        }
    }

    /// Without the query (L3).
    pub(super) fn path(&self) -> &str {
        self.path.as_ref().map_or("", PathAndQuery::path)
    }

    pub(super) fn outcome(&self) -> Outcome {
        if self.client_left.load(Ordering::Relaxed) {
            return Outcome::Abandoned;
        }
        let ended = self.outcome.load(Ordering::Relaxed);
        [Outcome::Complete, Outcome::CutOff].into_iter().find(|it| *it as u8 == ended).unwrap_or(Outcome::Abandoned)
    }

    pub(super) fn duration(&self) -> Duration {
        match self.ended.load(Ordering::Relaxed) {
            0 => self.began.elapsed(),
            micros => Duration::from_micros(micros),
        }
    }

    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.request_bytes.load(Ordering::Relaxed), self.response_bytes.load(Ordering::Relaxed))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.log.write(self);
    }
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Abandoned => "abandoned",
            Self::Complete => "complete",
            Self::CutOff => "cut_off",
        }
    }
}

/// Without the part before an `@`: those are credentials (L3).
fn host_without_credentials<B>(request: &Request<B>) -> Option<String> {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let authority_or_host = authority.or_else(|| request.headers().get(HOST).map(HeaderValue::as_bytes))?;
    let host = authority_or_host.rsplit(|byte| *byte == b'@').next().unwrap_or_default();
    Some(String::from_utf8_lossy(host).into_owned())
}
