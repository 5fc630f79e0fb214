//! The parsed content of a body in any foreign shape (R2).

use std::borrow::Cow;

use super::issues::{self, IssueList};
use super::json::Object;
use crate::code::ErrorCode;
pub use crate::framework_text::ClientMessage;

/// A JSON object that is the body of an error.
pub(crate) struct Body<'a, 'm> {
    pub(crate) media_type: Option<&'m [u8]>,
    pub(crate) object: Object<'a>,
    /// The content of the field `error`, if it is an object. Half of the shapes have such a field.
    pub(crate) error: Option<Object<'a>>,
}

impl<'a, 'm> Body<'a, 'm> {
    pub(crate) fn new(media_type: Option<&'m [u8]>, object: Object<'a>) -> Self {
        let error = object.object("error");
        Self { media_type, object, error }
    }
}

/// Reads a body of one shape, or returns `None` if the body has another shape.
pub(super) type ReadFn = for<'a> fn(&Body<'a, '_>) -> Option<ParsedError<'a>>;

/// The values that were read from an error body.
#[derive(Default)]
pub struct ParsedError<'a> {
    pub code: Option<Cow<'a, str>>,
    /// The first text or number under a name of a code, whatever its form. Rules of the policy compare this text or
    /// number (R1).
    pub raw_code: Option<Cow<'a, str>>,
    /// The owner of the code.
    pub code_of: CodeOf,
    /// A more general name for the error, which is used if the code is unknown.
    pub wider: Option<Cow<'a, str>>,
    pub message: Option<Cow<'a, str>>,
    /// The details as JSON text, byte for byte as received.
    pub details: Option<Cow<'a, str>>,
    /// The issues of a validation error as a JSON array (E8), unless the details already contain them.
    pub issues: Option<Cow<'a, str>>,
    /// The number of issues that were left out of the array (R4).
    pub more_issues: usize,
    /// The meaning of the code in the body's dialect.
    pub meaning: DialectCode,
    /// The part of the message that a client may get (R13).
    pub client_message: ClientMessage,
    /// The part of the body from which the message was read.
    pub message_source: Option<&'a str>,
    pub issues_source: Option<&'a str>,
}

/// The owner of a code in a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodeOf {
    #[default]
    Error,
    /// An issue of the body owns the code. The code stays in that issue.
    Issue,
    /// The first of several errors without places owns the code. The code stays in its issue, and is also used as the
    /// code of all errors together (E8).
    FirstError,
}

/// The meaning of a name in a dialect (R2).
#[derive(Debug, Default, PartialEq, Eq)]
pub enum DialectCode {
    /// The dialect does not define the name.
    #[default]
    Unknown,
    Code(ErrorCode),
    /// A shape of the policy maps the name in the body to the code with this name (R15).
    Named(Box<str>),
    /// The name is itself a canonical code, because layers also write this shape (R15).
    Canonical,
    /// The name only repeats the status, so the status decides the code.
    ByStatus,
}

impl<'a> ParsedError<'a> {
    pub(super) fn new(code: Option<Cow<'a, str>>, message: Option<Cow<'a, str>>) -> Self {
        Self { code, message, ..Self::default() }
    }

    pub(super) fn set_issues(&mut self, list: IssueList) {
        self.issues = Some(Cow::Owned(list.json));
        self.more_issues = list.more;
    }

    /// Returns true if the error has only a message, without code, details and issues.
    pub fn is_text_alone(&self) -> bool {
        self.code.is_none() && self.details.is_none() && self.issues.is_none()
    }

    /// Returns the names of the error's code. The most specific name comes first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.code.iter().chain(&self.wider).map(|name| &**name)
    }

    /// Returns true if the body has an issue list (E8).
    pub fn has_issues(&self) -> bool {
        self.issues.is_some() || self.details.as_deref().is_some_and(issues::are_in)
    }
}

/// Returns true if `inner` is a part of `outer`, in the same body.
pub(crate) fn is_within(inner: &str, outer: &str) -> bool {
    outer.as_bytes().as_ptr_range().contains(&inner.as_ptr())
}
