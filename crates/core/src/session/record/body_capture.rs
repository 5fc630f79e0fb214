//! The error bodies that an observer gets: the body that the service sent, and the body that the client receives.

use std::fmt;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

/// The error response that the service sent, and the response that the client receives. The bodies are stored if the
/// policy has `[observe] bodies = true` and the layer has an
/// [`Observer`](crate::session::record::request_record::Observer). Bodies may contain secrets, which must not be
/// logged, so `Debug` shows only their lengths (L3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyCapture {
    /// The response that the service sent, or `None` if the service was not called, did not respond, or sent its
    /// response to another proxy.
    pub before: Option<CapturedBody>,
    /// The response that the client receives. In mode `observe`, the response that the client would receive in mode
    /// `enforce`, or `None` if a guard would have refused the request.
    pub after: Option<CapturedBody>,
}

/// One of the two responses of a [`BodyCapture`]: its body with its status and type.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CapturedBody {
    /// The status in the status line.
    pub status: StatusCode,
    /// The first 128 characters of `content-type`.
    pub content_type: Option<Box<str>>,
    /// The first 8 KiB of the decoded body. The bytes are not redacted, so a program that shows them must hide secrets
    /// itself.
    pub body: Bytes,
    /// True if `body` is the whole body.
    pub is_whole: bool,
}

/// The maximum number of bytes that are stored of a body. Readers of a captured body do not need more bytes.
const MAX_BYTES: usize = 8 * 1024;

impl BodyCapture {
    /// Returns the capture of a response that no client got.
    pub(in crate::session) fn unsent(self) -> Option<Self> {
        self.before.map(|before| Self { before: Some(before), after: None })
    }
}

impl CapturedBody {
    /// Stores the beginning of this body, whose content codings must already be undone. `read` is `None` if the body
    /// was not read to its end, or could not be decoded.
    pub(in crate::session) fn new(status: StatusCode, headers: &HeaderMap, read: Option<&[u8]>) -> Self {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let body = read.unwrap_or_default();
        let kept = &body[..body.len().min(MAX_BYTES)];
        Self {
            status,
            content_type: content_type.map(|text| text.chars().take(128).collect::<String>().into()),
            body: Bytes::copy_from_slice(kept),
            is_whole: read.is_some() && kept.len() == body.len(),
        }
    }
}

impl fmt::Debug for CapturedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, content_type, body, is_whole } = self;
        f.debug_struct("CapturedBody")
            .field("status", status)
            .field("content_type", content_type)
            .field("bytes", &body.len())
            .field("whole", is_whole)
            .finish()
    }
}
