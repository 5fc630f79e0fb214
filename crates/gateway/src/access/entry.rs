//! The facts of a request, for its event.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use error_envelope_core::request_id::RequestId;
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

/// The facts of a request, as the access log and a [`Tracer`](crate::Tracer) get them.
pub struct AccessEntry {
    began: Instant,
    method: Method,
    path: Option<PathAndQuery>,
    host: Option<String>,
    user_agent: Option<HeaderValue>,
    version: Version,
    client: IpAddr,
    pub(super) slot: RequestSlot,
    upstream: OnceLock<Arc<str>>,
    caller: OnceLock<Box<str>>,
    status: OnceLock<StatusCode>,
    code: OnceLock<HeaderValue>,
    is_tls: bool,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
    /// Whether the client left before the end of its request, so that nothing reads its response (F1a).
    client_left: AtomicBool,
    /// When the request ended, in microseconds since it began.
    ended: AtomicU64,
    outcome: AtomicU8,
}

impl AccessEntry {
    pub(super) fn new<B>(client: IpAddr, request: &Request<B>, is_tls: bool) -> Self {
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
            is_tls,
            request_bytes: AtomicU64::new(0),
            response_bytes: AtomicU64::new(0),
            client_left: AtomicBool::new(false),
            ended: AtomicU64::new(0),
            outcome: AtomicU8::new(Outcome::Abandoned as u8),
        }
    }

    /// Notes that the request is forwarded to this service, and who the caller is.
    pub(super) fn forwarded(&self, upstream: &Arc<str>, caller: Option<&str>) {
        let _ = self.upstream.set(Arc::clone(upstream));
        caller.into_iter().for_each(|caller| drop(self.caller.set(caller.into())));
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

    /// The request's method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The scheme between the client and the gateway: `http` or `https`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }

    /// The path without its query (L3).
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.as_ref().map_or("", PathAndQuery::path)
    }

    /// The request's host and port, without credentials before an `@`.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The client's `user-agent`.
    #[must_use]
    pub const fn user_agent(&self) -> Option<&HeaderValue> {
        self.user_agent.as_ref()
    }

    /// The HTTP version between the client and the gateway.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// The address of the client's connection.
    #[must_use]
    pub const fn client(&self) -> IpAddr {
        self.client
    }

    /// The URL of the service, if the request was forwarded.
    #[must_use]
    pub fn upstream(&self) -> Option<&str> {
        self.upstream.get().map(|url| &**url)
    }

    /// The caller's identity, if a guard knows it.
    #[must_use]
    pub fn caller(&self) -> Option<&str> {
        self.caller.get().map(|caller| &**caller)
    }

    /// The response's status; `None` if the client left first.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status.get().copied()
    }

    /// The error's code, of the response's head or its trailers.
    #[must_use]
    pub fn code(&self) -> Option<&HeaderValue> {
        self.code.get()
    }

    /// How the request ended: `complete`, `cut_off` by the service, or `abandoned` by the client.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        self.ending().as_str()
    }

    fn ending(&self) -> Outcome {
        if self.client_left.load(Ordering::Relaxed) {
            return Outcome::Abandoned;
        }
        let ended = self.outcome.load(Ordering::Relaxed);
        [Outcome::Complete, Outcome::CutOff].into_iter().find(|it| *it as u8 == ended).unwrap_or(Outcome::Abandoned)
    }

    /// The time from the request's head to the end of its response, or until now.
    #[must_use]
    pub fn duration(&self) -> Duration {
        match self.ended.load(Ordering::Relaxed) {
            0 => self.began.elapsed(),
            micros => Duration::from_micros(micros),
        }
    }

    /// The bytes of the request's body that were read, and those of the response's body that were sent.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        (self.request_bytes.load(Ordering::Relaxed), self.response_bytes.load(Ordering::Relaxed))
    }
}

impl Outcome {
    const fn as_str(self) -> &'static str {
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
