//! What an observer sees of the bodies of an error.

use std::fmt;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

/// What the service said of an error, and what the client got: kept where the policy says `[observe] bodies = true`, and
/// the layer has an [`Observer`](super::Observer). Bodies may hold what no log is to see: `Debug` tells their lengths alone (L3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyCapture {
    pub(super) before: Option<CapturedBody>,
    pub(super) after: Option<CapturedBody>,
}

/// One side of an [`BodyCapture`].
#[derive(Clone, PartialEq, Eq)]
pub struct CapturedBody {
    status: StatusCode,
    content_type: Option<Box<str>>,
    body: Bytes,
    whole: bool,
}

/// More of an error's body tells nobody more.
const MOST: usize = 8 * 1024;

impl BodyCapture {
    /// What the service said; `None` where it was not asked, or answered nothing.
    #[must_use]
    pub fn before(&self) -> Option<&CapturedBody> {
        self.before.as_ref()
    }

    /// What the client got; in `observe` what it would have got in `enforce`.
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

    /// The body without its codings, its first 8 KiB. Nothing is taken out of it: whoever shows it to people takes care of
    /// what must not be seen.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether that is all of it, as far as it was read.
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
