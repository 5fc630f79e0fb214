//! The parsed content of a body. The content is the envelope, a protocol's own error, or a foreign shape with the
//! fields that were not read.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::form::KnownFields;
use super::json::Object;
use super::parsed_error::{Body, ParsedError, ReadFn, is_within};
use super::protocol::{self, Protocol};
use super::standard::Envelope;
use super::table::Shape;
use super::tree::Tree;
use super::{name_words, problem, rest, trpc};

/// The values and the shape of a body that is not in a protocol.
pub struct Foreign<'a> {
    pub shape: Shape,
    pub parsed: ParsedError<'a>,
    /// The fields of the body, or `None` if the body is not an object.
    pub members: Option<Members<'a>>,
}

/// A whole error body, parsed.
#[allow(clippy::large_enum_variant, reason = "the value is not moved, and a box would cost each error an allocation")]
pub enum ParsedBody<'a> {
    Envelope(Envelope<'a>),
    Protocol(Protocol),
    Foreign(Foreign<'a>),
    /// An object in no known shape, of which no field was read.
    Unread(Members<'a>),
    /// A body that cannot be read, because it is empty, HTML or binary.
    Nothing,
}

impl<'a> Foreign<'a> {
    /// Creates a plain-text body. The text is not searched for the sentences of frameworks.
    pub fn plain_text(text: &'a str) -> Self {
        let parsed = ParsedError::new(None, Some(Cow::Borrowed(text)));
        Self { shape: Shape::PlainText, parsed, members: None }
    }

    /// Returns true if the body is JSON, rather than a plain text.
    pub fn is_json(&self) -> bool {
        self.shape != Shape::PlainText
    }

    /// Returns true if the shape itself defines this name. Clients do not get such a name as `upstream_code`, because
    /// the canonical code means the same (E9).
    pub fn defines(&self, name: &str) -> bool {
        self.shape.dialect_spec().is_some_and(|spec| spec.defines(name))
    }
}

/// Parsers for protocols that no dialect describes. The errors of these protocols are rewritten only under `protocols =
/// "rewrite"`. A parser gets only bodies that were already recognised as bodies of its protocol (R10).
pub(super) const PROTOCOL_PARSERS: [(Shape, ReadFn, &KnownFields); 2] = [
    (
        Shape::ErrorObject,
        trpc::read,
        &KnownFields { of_body: Some(&["error", "id"]), of_error: &["message", "code", "data", "json"] },
    ),
    (Shape::ErrorText, protocol::read_oauth, &KnownFields::body(&["error", "error_description"])),
];

/// Fields that only repeat data of the head.
const STATUS_FIELDS: [&str; 4] = ["status", "statusCode", "status_code", "success"];

/// The fields of a body, and the names of the fields that its shape reads.
pub struct Members<'a> {
    body: Object<'a>,
    error: Option<Object<'a>>,
    reads: &'static KnownFields,
    /// The parts of the body that the general rule for bodies without a known shape has read (R2).
    sources: [Option<&'a str>; 3],
    /// The whole body, if it was parsed.
    tree: Option<Tree<'a>>,
}

impl<'a> Members<'a> {
    pub(super) fn of_known_shape(body: Body<'a, '_>, reads: &'static KnownFields, tree: Option<Tree<'a>>) -> Self {
        Self { body: body.object, error: body.error, reads, sources: [None; 3], tree }
    }

    /// Creates the fields of a body in no known shape. The error may be another object inside the body.
    pub(super) fn of_unknown_shape(
        body: Body<'a, '_>,
        error: Option<&'a str>,
        sources: [Option<&'a str>; 3],
        reads: &'static KnownFields,
        tree: Option<Tree<'a>>,
    ) -> Self {
        Self { body: body.object, error: error.and_then(Object::parse), reads, sources, tree }
    }

    /// Returns the JSON text of the body.
    pub fn body(&self) -> &'a str {
        self.body.text()
    }

    /// Returns the whole body, if it was parsed.
    pub fn tree(&self) -> Option<&Tree<'a>> {
        self.tree.as_ref()
    }

    /// Returns the object with the error, or `None` if the body itself is that object.
    pub fn error(&self) -> Option<&'a str> {
        self.error.as_ref().map(Object::text)
    }

    /// Returns the parts of the body that the general rule for bodies without a known shape has read (R2).
    pub fn sources(&self) -> impl Iterator<Item = &'a str> {
        self.sources.into_iter().flatten()
    }

    /// Returns the members of a problem that only some problems have (RFC 9457 §3.2). Such members are its extension
    /// members, its type and its instance, and a title that is a sentence.
    pub fn of_problem(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        const OWN: [&str; 5] = ["status", "detail", "code", "details", "request_id"];

        // A type that only repeats the status, or is too long, is left out (RFC 9457 §3.1.1).
        let has_type = self.body.string("type").is_some_and(|uri| problem::is_type(&uri));
        let has_title = self.body.string("title").is_some_and(|title| rest::sentence(&title).is_some());
        let is_kept = move |(name, _): &(&str, _)| match *name {
            "type" => has_type,
            "title" => has_title,
            name => !OWN.contains(&name),
        };
        self.body.members().filter(is_kept)
    }

    /// Returns true if the shape itself reads a field of this name.
    pub fn reads(&self, name: &str) -> bool {
        self.reads.of_body.is_none_or(|of_body| of_body.contains(&name)) || self.reads.of_error.contains(&name)
    }

    /// Returns true if the body has a field that no rule has read. Most errors have no such field.
    pub fn has_unread(&self, parsed: Option<&ParsedError<'_>>) -> bool {
        let mut left = false;
        self.visit_unread(parsed, &mut |_, _| left = true);
        left
    }

    /// Returns true if a part of the body may be kept although no rule has read it (E9). Most errors have no such part.
    pub fn has_rest(&self) -> bool {
        let is_read = |value: &str| self.sources().any(|source| is_within(value, source));
        let is_error = |value: &str| self.error().is_some_and(|error| std::ptr::eq(error, value));
        let may_be_kept = |name: &str, value: &str| match value.as_bytes() {
            [b'"' | b'{' | b'[', ..] => value.len() > 2,
            // A number of three digits in such a field is usually the status.
            [b'-' | b'0'..=b'9', ..] => {
                (value.len() != 3 || !STATUS_FIELDS.contains(&name)) && name_words::names_code(name)
            }
            _ => false,
        };
        let is_left = |object: &Object<'a>, read: &[&str]| {
            let mut members = object.members().map(|(name, value)| (name, value.get()));
            members.any(|(name, value)| {
                !read.contains(&name) && may_be_kept(name, value) && !is_read(value) && !is_error(value)
            })
        };
        self.reads.of_body.is_some_and(|of_body| is_left(&self.body, of_body))
            || self.error.as_ref().is_some_and(|error| is_left(error, self.reads.of_error))
    }

    /// Returns true if the field with this value has a path as its name. `source` is the value's JSON text in the body.
    pub fn names_place(&self, source: &str) -> bool {
        let is_path = |(name, value): (&str, &RawValue)| name.contains(['.', '[']) && std::ptr::eq(value.get(), source);
        self.body.members().any(is_path)
    }

    /// Visits each field that no rule has read. The fields of the error object come first, because they contain more.
    pub fn visit_unread<'s>(&'s self, parsed: Option<&ParsedError<'_>>, take: &mut impl FnMut(&'s str, &'a RawValue)) {
        let Some(of_body) = self.reads.of_body else { return };
        let of_error = self.reads.of_error;
        // If the shape reads nothing under `error`, an object under `error` is an ordinary field.
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
            if !read.contains(&name) && !STATUS_FIELDS.contains(&name) && !is_read() {
                take(name, value);
            }
        }
    }
}
