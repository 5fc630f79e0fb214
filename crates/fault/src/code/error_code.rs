//! The content of an error code: a row of the table, a custom code, or just a name.

use std::borrow::Cow;
use std::sync::Arc;

use error_envelope_text::named;

/// The `code` in an envelope, by which clients distinguish errors.
///
/// An error code is a code of the catalogue, such as [`ErrorCode::NOT_FOUND`], or a custom code
/// ([`ErrorCode::custom`]). An error code may also be a code that an inner process sent, and of which only the name is
/// known. Two codes are equal if their names are equal.
///
/// The constants of this type are the codes of the catalogue's groups `auth`, `quota`, `generic` and `status`, which
/// any service can use. The groups that belong to products are in [`codes`](crate::codes). Some constants have another
/// name than HTTP has for their status. A search of the documentation for `UNAUTHORIZED`, `TOO_MANY_REQUESTS` or
/// `BAD_GATEWAY` also finds these constants.
///
/// ```
/// use tower_error_envelope::{ErrorCode, Retry};
///
/// assert_eq!(ErrorCode::RATE_LIMITED.as_str(), "rate_limited");
/// assert_eq!(ErrorCode::RATE_LIMITED.status(), 429);
/// assert_eq!(ErrorCode::RATE_LIMITED.retry(), Retry::Backoff);
///
/// const SEAT_TAKEN: ErrorCode = ErrorCode::custom("seat_taken", 409);
/// assert_eq!(SEAT_TAKEN.message(), "The request conflicts with the resource's current state.");
/// ```
#[derive(Clone)]
pub struct ErrorCode(pub(super) Repr);

/// The content of a code. The type is only three words long, because every error has a code.
#[derive(Clone)]
pub(super) enum Repr {
    Row(&'static Row),
    /// A custom code that has the numbers and the message of its status.
    Plain {
        name: &'static str,
        status: u16,
    },
    Changed(Arc<ChangedCode>),
    Foreign(Arc<str>),
}

/// A custom code, or a code of the catalogue, to which a policy or a service adds something.
#[derive(Clone)]
pub(super) struct ChangedCode {
    pub(super) name: Text,
    pub(super) status: u16,
    /// The row of a code of the catalogue. Only the retry advice, the docs and the details of such a code can change.
    pub(super) row: Option<&'static Row>,
    pub(super) grpc: Option<u8>,
    pub(super) jsonrpc: Option<i32>,
    pub(super) message: Option<Text>,
    pub(super) retry: Option<Retry>,
    /// The address of the page about the code.
    pub(super) docs: Option<Text>,
    /// The JSON Schema for the details of errors with the code.
    pub(super) details: Option<Text>,
}

impl ChangedCode {
    pub(super) fn new(name: Text, status: u16, row: Option<&'static Row>) -> Self {
        Self { name, status, row, grpc: None, jsonrpc: None, message: None, retry: None, docs: None, details: None }
    }
}

#[derive(Clone)]
pub(super) enum Text {
    Static(&'static str),
    Shared(Arc<str>),
}

named! {
    "Returns `no`, `backoff` or `refresh`, as in the catalogue and the policy file."
    /// What a client may do after a request that failed with this code.
    #[non_exhaustive]
    pub enum Retry {
        /// The same request will fail again.
        No = "no",
        /// The same request may succeed later. Wait for the time in `retry-after`. Without that header, wait longer
        /// each time.
        Backoff = "backoff",
        /// Load the data again first, and then build a new request.
        Refresh = "refresh",
    }
}

impl Retry {
    /// Returns the advice for a status whose code has no advice (E10).
    pub(super) const fn of_status(status: u16) -> Self {
        if matches!(status, 408 | 425 | 429) || status >= 500 { Self::Backoff } else { Self::No }
    }

    /// Returns the advice with this name, or `None` for any other text.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::VALUES.iter().copied().find(|retry| retry.as_str() == name)
    }
}

/// A row of the table.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) status: u16,
    pub(super) grpc: u8,
    pub(super) jsonrpc: i32,
    pub(super) retry: Retry,
    pub(super) message: &'static str,
    pub(super) group: &'static str,
    /// True if the row is in the group `status`, whose codes only restate their status.
    pub(super) of_status: bool,
    /// The row's index in the table.
    pub(super) place: usize,
    /// The JSON Schema for the details of errors with the code.
    pub(super) details: Option<&'static str>,
}

impl ErrorCode {
    pub(super) const fn of_row(row: &'static Row) -> Self {
        Self(Repr::Row(row))
    }
}

impl Text {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Shared(text) => text,
        }
    }
}

impl From<Cow<'static, str>> for Text {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Self::Static(text),
            Cow::Owned(text) => Self::Shared(text.into()),
        }
    }
}
