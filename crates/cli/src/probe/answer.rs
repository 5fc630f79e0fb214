//! The result of a request.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// The response that a client got.
#[derive(Debug)]
pub(super) struct ProbeResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: Option<HeaderMap>,
    /// Whether the body has its declared length, or is longer than the probe reads.
    pub(super) whole: bool,
    /// Whether the server requested the body (`100 Continue`) before its response.
    pub(super) requested_body: bool,
}

impl ProbeResponse {
    /// A response whose body has not been read.
    pub(super) fn new(status: StatusCode, headers: HeaderMap) -> Self {
        Self { status, headers, body: Bytes::new(), trailers: None, whole: true, requested_body: false }
    }
}

pub(super) type ProbeResult = Result<ProbeResponse, ProbeError>;

/// Why there is no response.
#[derive(Debug)]
pub(super) enum ProbeError {
    /// No server listens, or TLS fails.
    Unreachable(String),
    /// There was no response in time.
    Silent(Duration),
    /// The connection broke, or the bytes were not HTTP.
    Broken(String),
    /// The service does not support HTTP/2.
    NoHttp2,
}
