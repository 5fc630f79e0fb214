//! The bodies of an error that an observer gets.

use std::fmt;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

/// The service's error response, and the client's: stored if the policy has `[observe] bodies = true`, and the layer
/// has an [`Observer`](super::Observer). Bodies may contain secrets, which must not be logged: `Debug` shows only their
/// lengths (L3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyCapture {
    pub(super) before: Option<CapturedBody>,
    pub(super) after: Option<CapturedBody>,
}

/// One side of a [`BodyCapture`].
#[derive(Clone, PartialEq, Eq)]
pub struct CapturedBody {
    status: StatusCode,
    content_type: Option<Box<str>>,
    body: Bytes,
    whole: bool,
}

/// The first 8 KiB of an error's body: more of it is of no use.
const MOST: usize = 8 * 1024;

impl BodyCapture {
    /// The service's response; `None` if the service was not called, or did not respond.
    #[must_use]
    pub fn before(&self) -> Option<&CapturedBody> {
        self.before.as_ref()
    }

    /// The client's response; in `observe`, the response that the client would have got in `enforce`.
    #[must_use]
    pub fn after(&self) -> Option<&CapturedBody> {
        self.after.as_ref()
    }
}

impl CapturedBody {
    /// `body` is without its codings.
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kept = &body[..body.len().min(MOST)];
        Self {
            status,
            content_type: content_type.map(|text| text.chars().take(128).collect::<String>().into()),
            body: Bytes::copy_from_slice(kept),
            whole: kept.len() == body.len(),
        }
    }

    /// The status in the status line.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// `content-type`, its first 128 characters.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The body without its codings, its first 8 KiB. Nothing is redacted: a program that shows it must hide secrets
    /// itself.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether that is the whole body, as far as it was read.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.whole
    }
}

impl fmt::Debug for CapturedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, content_type, body, whole } = self;
        f.debug_struct("Shown")
            .field("status", status)
            .field("content_type", content_type)
            .field("bytes", &body.len())
            .field("whole", whole)
            .finish()
    }
}
