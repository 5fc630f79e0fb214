//! A request as it will be sent, and how it is told.

use std::fmt;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method};

use super::table::Wire;

/// A request. The framing headers follow from the body.
#[derive(Clone)]
pub(super) struct ProbeRequest {
    pub(super) method: Method,
    pub(super) path: PathAndQuery,
    pub(super) headers: HeaderMap,
    pub(super) body: SentRequest,
    pub(super) wire: Wire,
    /// Headers whose values are the user's, and nobody else's to read.
    pub(super) secret: Vec<HeaderName>,
}

#[derive(Clone)]
pub(super) enum SentRequest {
    Nothing,
    Text(Bytes),
    /// So many bytes are said, and none is sent until the server asks.
    Unsent(u64),
    Filled(u64),
    Chunked(u64),
}

impl SentRequest {
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Text(text) => text.len() as u64,
            Self::Unsent(length) | Self::Filled(length) | Self::Chunked(length) => *length,
        }
    }
}

impl ProbeRequest {
    /// `GET /a`.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// For people who ask what is sent: every line, but no value that the user gave.
impl fmt::Display for ProbeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 64;

        let version = if self.wire == Wire::Http2 { "HTTP/2" } else { "HTTP/1.1" };
        writeln!(f, "{} {} {version}", self.method, self.path)?;
        let mut times = 0;
        for (name, value) in &self.headers {
            times += 1;
            let value = String::from_utf8_lossy(value.as_bytes());
            match value.len() {
                _ if times == 16 => writeln!(f, "… {} lines in all", self.headers.len())?,
                _ if times > 16 => {}
                _ if self.secret.contains(name) => writeln!(f, "{name}: (as given)")?,
                ..=LONGEST => writeln!(f, "{name}: {value}")?,
                length => writeln!(f, "{name}: … {length} bytes")?,
            }
        }
        match &self.body {
            SentRequest::Nothing => Ok(()),
            SentRequest::Text(text) => writeln!(f, "({} bytes: {:?})", text.len(), String::from_utf8_lossy(text)),
            SentRequest::Unsent(length) => {
                writeln!(f, "content-length: {length}\nexpect: 100-continue\n(no byte is sent)")
            }
            SentRequest::Filled(length) => writeln!(f, "content-length: {length}\n({length} bytes)"),
            SentRequest::Chunked(length) => writeln!(f, "transfer-encoding: chunked\n({length} bytes)"),
        }
    }
}
