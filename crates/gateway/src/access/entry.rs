//! The facts of a request, for its event.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use error_envelope_runtime::RequestSlot;
use http::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, StatusCode, Version};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The client left before it had all of its response. This is the outcome until another one is stored.
    Abandoned,
    Complete,
    /// The service cut its response off.
    CutOff,
}

/// The facts of a request.
pub(crate) struct Entry {
    began: Instant,
    pub(super) method: Method,
    path: Option<PathAndQuery>,
    pub(super) host: Option<String>,
    pub(super) user_agent: Option<HeaderValue>,
    pub(super) version: Version,
    pub(super) client: IpAddr,
    pub(super) slot: RequestSlot,
    pub(super) upstream: OnceLock<Arc<str>>,
    pub(super) caller: OnceLock<Box<str>>,
    pub(super) status: OnceLock<StatusCode>,
    pub(super) code: OnceLock<HeaderValue>,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
    /// Whether the client left before the end of its request, so that nothing reads its response (F1a).
    client_left: AtomicBool,
    /// When the request ended, in microseconds since it began.
    ended: AtomicU64,
    outcome: AtomicU8,
}

impl Entry {
    pub(super) fn new<B>(client: IpAddr, request: &Request<B>) -> Self {
        Self {
            began: Instant::now(),
            method: request.method().clone(),
            path: request.uri().path_and_query().cloned(),
            host: host_without_credentials(request),
            user_agent: request.headers().get(USER_AGENT).cloned(),
            version: request.version(),
            client,
            slot: RequestSlot::default(),
            upstream: OnceLock::new(),
            caller: OnceLock::new(),
            status: OnceLock::new(),
            code: OnceLock::new(),
            request_bytes: AtomicU64::new(0),
            response_bytes: AtomicU64::new(0),
            client_left: AtomicBool::new(false),
            ended: AtomicU64::new(0),
            outcome: AtomicU8::new(Outcome::Abandoned as u8),
        }
    }

    /// Notes that the request is forwarded to this service.
    pub(crate) fn forwarded(&self, upstream: &Arc<str>) {
        let _ = self.upstream.set(Arc::clone(upstream));
    }

    /// Notes that the request passed the guards, and who the caller is.
    pub(crate) fn authenticated(&self, caller: &str) {
        let _ = self.caller.set(caller.into());
    }

    /// Adds bytes that were read of the request's body.
    pub(crate) fn received(&self, bytes: u64) {
        self.request_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Notes that the client left before it had sent all of its request.
    pub(crate) fn client_left(&self) {
        self.client_left.store(true, Ordering::Relaxed);
    }

    pub(crate) fn answered<B>(&self, response: &Response<B>) {
        if self.client_left.load(Ordering::Relaxed) {
            return;
        }
        let _ = self.status.set(response.status());
        self.note_code(response.headers());
    }

    /// Notes the error code in a head or in trailers.
    pub(crate) fn note_code(&self, fields: &HeaderMap) {
        if let Some(code) = fields.get("x-error-code") {
            let _ = self.code.set(code.clone());
        }
    }

    /// Notes that the response ended with this outcome after `sent` bytes. A connection that it was upgraded to may end
    /// later.
    pub(crate) fn ended(&self, outcome: Outcome, sent: u64) {
        self.response_bytes.fetch_add(sent, Ordering::Relaxed);
        let now = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.ended.store(now, Ordering::Relaxed);
        self.outcome.store(outcome as u8, Ordering::Relaxed);
    }

    /// The path without its query (L3).
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

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
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
