//! The shapes in which services say what went wrong (rule R2).
//!
//! [`read`] tells what a body says, whichever shape it has: the canonical envelope first, then the protocols that keep
//! their own shape (R10), then the foreign shapes, then plain text. [`outgoing::write`] writes an error in one of those
//! that can be written; each of these has a file, reading beside writing.
//!
//! Nothing is decided here: which code follows, and what of it a client may read, is `classify`'s, how it leaves on a
//! route is `outward`'s.

mod anthropic;
pub(crate) mod coding;
pub(crate) mod connect;
mod error_object;
mod error_with_meta;
mod foreign;
pub(crate) mod grpc;
pub(crate) mod issues;
pub(crate) mod json;
mod openai;
pub(crate) mod outgoing;
mod problem;
pub(crate) mod protocol;
pub(crate) mod rich;
pub(crate) mod rpc;
mod shape;
pub(crate) mod standard;
pub(crate) mod status;
mod status_in_error;
mod success_flag;

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use crate::code::{CodeSet, ErrorCode};
use crate::fields;
use json::Object;
use protocol::Protocol;
pub use shape::{Dialect, Shape};
use standard::Envelope;

/// What a whole error body is.
pub(crate) enum Reading<'a> {
    Envelope(Envelope<'a>),
    Protocol(Protocol),
    Said(Said<'a>),
    /// Nothing that can be read: empty, HTML, binary, JSON of no known shape.
    Nothing,
}

/// What a body of a foreign shape says.
pub(crate) struct Said<'a> {
    pub(crate) shape: Shape,
    pub(crate) code: Option<Cow<'a, str>>,
    pub(crate) message: Option<Cow<'a, str>>,
    /// JSON text, with the bytes that it came with.
    pub(crate) details: Option<Cow<'a, str>>,
    /// The issues of a validation error as a JSON array (E8), where they are not in the details already.
    pub(crate) issues: Option<Cow<'a, str>>,
    /// What the dialect's own names say.
    pub(crate) own: Own,
}

/// What a name says that a dialect defines itself (R2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// It is none of them.
    Unknown,
    Code(ErrorCode),
    /// No more than the status does.
    ByStatus,
}

impl<'a> Said<'a> {
    pub(crate) fn new(shape: Shape) -> Self {
        Self { shape, code: None, message: None, details: None, issues: None, own: Own::Unknown }
    }

    /// Whether the body carries an issue list (E8).
    pub(crate) fn has_issues(&self) -> bool {
        self.issues.is_some()
            || self.details.as_deref().is_some_and(issues::are_in)
            || self.details_as_issues().is_some()
    }

    /// The list that the details are, with nothing around it.
    pub(crate) fn details_as_issues(&self) -> Option<Cow<'_, str>> {
        self.details.as_deref().and_then(issues::read_array)
    }

    fn message(mut self, message: Option<Cow<'a, str>>) -> Self {
        self.message = message;
        self
    }

    fn code(mut self, code: Option<Cow<'a, str>>) -> Self {
        self.code = code;
        self
    }
}

/// Reads a whole body. Its declared media type matters for plain text and problems alone: JSON is known by its first
/// byte, since services send it as `text/plain` and `text/html` as well.
pub(crate) fn read<'a>(media_type: Option<&str>, body: &'a [u8], codes: &CodeSet) -> Reading<'a> {
    let Some(text) = text_of(body) else { return Reading::Nothing };
    if text.starts_with('{')
        && let Some(object) = Object::parse(text)
    {
        return read_object(media_type, &object, codes);
    }
    if protocol::is_batch(text) {
        return Reading::Protocol(Protocol::JsonRpcBatch);
    }
    // A text may begin like JSON: "{id} is missing".
    match media_type {
        Some(it) if !text.is_empty() && it.eq_ignore_ascii_case("text/plain") => {
            Reading::Said(Said::new(Shape::PlainText).message(Some(Cow::Borrowed(text))))
        }
        _ => Reading::Nothing,
    }
}

fn text_of(body: &[u8]) -> Option<&str> {
    Some(str::from_utf8(body).ok()?.trim_start_matches('\u{feff}').trim())
}

fn read_object<'a>(media_type: Option<&str>, object: &Object<'a>, codes: &CodeSet) -> Reading<'a> {
    if let Some(envelope) = standard::read(object, codes) {
        Reading::Envelope(envelope)
    } else if let Some(protocol) = protocol::of(object) {
        Reading::Protocol(protocol)
    } else {
        foreign::read(media_type, object).map_or(Reading::Nothing, Reading::Said)
    }
}

/// What a body that is known to be a protocol's says all the same, for `protocols = "rewrite"` (R10).
pub(crate) fn read_rewritten(body: &[u8]) -> Option<Said<'_>> {
    foreign::read(None, &object_of(body)?)
}

/// A body that is one JSON object.
pub(crate) fn object_of(body: &[u8]) -> Option<Object<'_>> {
    Object::parse(text_of(body)?)
}

/// Whether a dialect defines that name itself: to its clients it says nothing beside the code (E9).
pub(crate) fn defines(shape: Shape, name: &str) -> bool {
    match shape {
        Shape::OpenAi => openai::own(name) != Own::Unknown,
        Shape::Anthropic => anthropic::own(name) != Own::Unknown,
        _ => false,
    }
}

/// A dialect's name for an error that nothing else names (R12).
pub(crate) fn name_of(dialect: Dialect, code: &ErrorCode, status: StatusCode) -> Cow<'_, str> {
    match dialect {
        Dialect::StatusInError => Cow::Owned(code.as_str().to_ascii_uppercase()),
        Dialect::Anthropic => Cow::Borrowed(anthropic::name(code, status)),
        Dialect::OpenAi => Cow::Borrowed(openai::name(code).unwrap_or(code.as_str())),
        _ => Cow::Borrowed(code.as_str()),
    }
}

/// The type and subtype of a body, without parameters; `None` where none is declared or two are.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = fields::only(headers, &CONTENT_TYPE)?.as_bytes();
    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    str::from_utf8(value[..end].trim_ascii()).ok()
}
