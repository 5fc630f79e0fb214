//! A request as it will be sent, and its text in the report.

use std::fmt;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::table::Wire;

/// A request. The framing headers follow from the body.
#[derive(Clone)]
pub(super) struct ProbeRequest {
    pub(super) method: Method,
    pub(super) path: PathAndQuery,
    pub(super) headers: HeaderMap,
    pub(super) body: SentRequest,
    pub(super) wire: Wire,
    /// The headers whose values the user gave, and which are confidential.
    pub(super) secret: Vec<HeaderName>,
}

#[derive(Clone)]
pub(super) enum SentRequest {
    Nothing,
    Text(Bytes),
    /// Declares this many bytes, and sends none until the server requests them.
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

    /// The header that defines the end of the body.
    pub(super) fn framing(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Nothing => None,
            Self::Text(_) | Self::Unsent(_) | Self::Filled(_) => Some((header::CONTENT_LENGTH, self.length().into())),
            Self::Chunked(_) => Some((header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"))),
        }
    }
}

impl ProbeRequest {
    /// `GET /a`.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// Shows the request to people: every line, but no value that the user gave.
impl fmt::Display for ProbeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 64;
        const MOST_LINES: usize = 15;

        let version = if self.wire == Wire::Http2 { "HTTP/2" } else { "HTTP/1.1" };
        writeln!(f, "{} {} {version}", self.method, self.path)?;
        for (name, value) in self.headers.iter().take(MOST_LINES) {
            let value = String::from_utf8_lossy(value.as_bytes());
            match value.len() {
                _ if self.secret.contains(name) => writeln!(f, "{name}: (as given)")?,
                ..=LONGEST => writeln!(f, "{name}: {value}")?,
                length => writeln!(f, "{name}: … {length} bytes")?,
            }
        }
        if self.headers.len() > MOST_LINES {
            writeln!(f, "… {} lines in all", self.headers.len())?;
        }
        self.body.fmt(f)
    }
}

impl fmt::Display for SentRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::Text(text) => writeln!(f, "({} bytes: {:?})", text.len(), String::from_utf8_lossy(text)),
            Self::Unsent(length) => {
                writeln!(f, "content-length: {length}\nexpect: 100-continue\n(no byte is sent)")
            }
            Self::Filled(length) => writeln!(f, "content-length: {length}\n({length} bytes)"),
            Self::Chunked(length) => writeln!(f, "transfer-encoding: chunked\n({length} bytes)"),
        }
    }
}
