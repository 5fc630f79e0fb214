//! What was read from a body: the envelope, a protocol's own error, or a foreign shape with the fields that nothing read.

use serde_json::value::RawValue;
use std::borrow::Cow;

use super::form::KnownFields;
use super::json::Object;
use super::parsed_error::{Body, ParsedError, ReadFn, is_within};
use super::protocol::{self, Protocol};
use super::standard::Envelope;
use super::table::Shape;
use super::{problem, trpc};

/// The contents of a body in no protocol of its own, and its shape.
pub(crate) struct Foreign<'a> {
    pub(crate) shape: Shape,
    pub(crate) parsed: ParsedError<'a>,
    /// The fields of the body; `None` if it is not an object.
    pub(crate) members: Option<Members<'a>>,
}

/// A whole error body, parsed.
#[allow(
    clippy::large_enum_variant,
    reason = "it stays where it is read, and a box would cost each error an allocation"
)]
pub(crate) enum ParsedBody<'a> {
    Envelope(Envelope<'a>),
    Protocol(Protocol),
    Foreign(Foreign<'a>),
    /// An object in no known shape, of which nothing was read.
    Unread(Members<'a>),
    /// Nothing that can be read: the body is empty, HTML or binary.
    Nothing,
}

impl<'a> Foreign<'a> {
    /// A plain text that is not searched for the sentences of frameworks.
    pub(crate) fn plain_text(text: &'a str) -> Self {
        let parsed = ParsedError::new(None, Some(Cow::Borrowed(text)));
        Self { shape: Shape::PlainText, parsed, members: None }
    }

    /// Whether the body is JSON, rather than a plain text.
    pub(crate) fn is_json(&self) -> bool {
        self.shape != Shape::PlainText
    }

    /// The type by which clients recognise the problem (RFC 9457 §3.1.1). `None` if it only repeats the status, or is
    /// too long (E9).
    pub(crate) fn problem_type(&self) -> Option<&'a RawValue> {
        self.members.as_ref().filter(|_| self.shape == Shape::Problem).and_then(Members::problem_type)
    }

    /// Whether the shape itself defines this name. Clients do not get such a name, because the code means the same
    /// (E9).
    pub(crate) fn defines(&self, name: &str) -> bool {
        self.shape.dialect_spec().is_some_and(|spec| spec.defines(name))
    }
}

/// Parsers for those protocols whose errors are rewritten only under `protocols = "rewrite"`, and which no dialect
/// describes. A body was recognised as the protocol's before (R10).
pub(super) const PROTOCOL_PARSERS: [(Shape, ReadFn, &KnownFields); 2] = [
    (Shape::ErrorObject, trpc::read, &KnownFields::body(&["error", "id"])),
    (Shape::ErrorText, protocol::read_oauth, &KnownFields::body(&["error", "error_description"])),
];

/// Fields that repeat what the head states.
const STATUS_FIELDS: [&str; 4] = ["status", "statusCode", "status_code", "success"];

/// The fields of a body, and the names of those that its shape reads.
pub(crate) struct Members<'a> {
    body: Object<'a>,
    error: Option<Object<'a>>,
    reads: &'static KnownFields,
    /// The parts of the body from which the general rule for bodies without a known shape (R2) took something.
    sources: [Option<&'a str>; 3],
}

impl<'a> Members<'a> {
    pub(super) fn of_known_shape(body: Body<'a, '_>, reads: &'static KnownFields) -> Self {
        Self { body: body.object, error: body.error, reads, sources: [None; 3] }
    }

    /// The fields of a body in no known shape. Its error may be another object inside it.
    pub(super) fn of_unknown_shape(
        body: Body<'a, '_>,
        error: Option<&'a str>,
        sources: [Option<&'a str>; 3],
        reads: &'static KnownFields,
    ) -> Self {
        Self { body: body.object, error: error.and_then(Object::parse), reads, sources }
    }

    pub(super) fn problem_type(&self) -> Option<&'a RawValue> {
        self.body.string("type").filter(|uri| problem::is_type(uri))?;
        self.body.raw("type")
    }

    /// Whether the body has any field that nothing reads; most errors have none.
    pub(crate) fn has_unread(&self, parsed: Option<&ParsedError<'_>>) -> bool {
        let mut left = false;
        self.visit_unread(parsed, &mut |_, _| left = true);
        left
    }

    /// Visits each field that nothing reads. The fields of the error come first, because they tell more.
    pub(crate) fn visit_unread<'s>(
        &'s self,
        parsed: Option<&ParsedError<'_>>,
        take: &mut impl FnMut(&'s str, &'a RawValue),
    ) {
        let Some(of_body) = self.reads.of_body else { return };
        let of_error = self.reads.of_error;
        // If the shape reads nothing under `error`, an object there is a field like any other.
        let is_undescribed = self.sources.iter().any(Option::is_some);
        if let Some(error) = self.error.as_ref().filter(|_| is_undescribed || !of_error.is_empty()) {
            self.each(error, of_error, parsed, take);
        }
        self.each(&self.body, of_body, parsed, take);
    }

    fn each<'s>(
        &'s self,
        object: &'s Object<'a>,
        read: &[&str],
        parsed: Option<&ParsedError<'_>>,
        take: &mut impl FnMut(&'s str, &'a RawValue),
    ) {
        let source = parsed.and_then(|parsed| parsed.issues_source);
        let sources = || self.sources.iter().chain([&source]).flatten();
        for (name, value) in object.members() {
            let is_read = || sources().any(|source| is_within(source, value.get()) || is_within(value.get(), source));
            let is_text = || parsed.is_some_and(|it| it.further_texts.iter().any(|(text, _)| **text == *name));
            if !read.contains(&name) && !STATUS_FIELDS.contains(&name) && !is_read() && !is_text() {
                take(name, value);
            }
        }
    }
}
