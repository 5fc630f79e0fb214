//! The shapes in which services say what went wrong (rule R2).
//!
//! [`read`] tells what a body says, whichever shape it has: the canonical envelope first, then the protocols that keep
//! their own shape (R10), then the foreign shapes, then plain text. A shape that can be written is a [`DialectSpec`](form::DialectSpec), a constant
//! in a file of its own, and a row in `table.rs`.
//!
//! Nothing is decided here: which code follows, and what of it a client may read, is `classify`'s, how it leaves on a
//! route is `outward`'s.

mod anthropic;
pub(crate) mod charset;
pub(crate) mod coding;
pub(crate) mod connect;
pub(crate) mod custom;
mod error_object;
mod error_with_meta;
pub(crate) mod event_stream;
mod foreign;
mod form;
mod google;
pub(crate) mod grpc;
pub(crate) mod issues;
pub(crate) mod json;
mod members;
mod openai;
pub(crate) mod outgoing;
mod parsed_error;
mod place;
mod problem;
pub(crate) mod protocol;
pub(crate) mod rich;
pub(crate) mod rpc;
mod sentences;
pub(crate) mod standard;
pub(crate) mod status;
mod status_in_error;
mod success_flag;
mod table;
pub(crate) mod trpc;
mod words;

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use crate::code::CodeSet;
use crate::fields;
use crate::message;
pub use custom::{CustomShape, Expected, PathNotation};
use json::{Object, utf8_text};
pub(crate) use members::Members;
use parsed_error::Body;
pub(crate) use parsed_error::{ClientMessage, DialectCode, ParsedError};
pub use table::{Dialect, DialectName, Shape};
pub(crate) use table::{Foreign, ParsedBody};

/// What a policy knows of bodies.
#[derive(Clone, Copy)]
pub(crate) struct Readable<'k> {
    pub(crate) codes: &'k CodeSet,
    /// Its own shapes, in the order of reading (R15).
    pub(crate) shapes: &'k [CustomShape],
}

/// Reads a whole body. Its [declared media type](declared_type) matters for plain text and problems alone: JSON is known by its first
/// byte, since services send it as `text/plain` and `text/html` as well. `of_input`: the status says that the request was
/// wrong, so that frameworks' own words are read (R13).
pub(crate) fn read<'a>(
    media_type: Option<&[u8]>,
    body: &'a [u8],
    known: &Readable<'_>,
    of_input: bool,
) -> ParsedBody<'a> {
    let Some(text) = utf8_text(body) else { return ParsedBody::Nothing };
    if text.starts_with('{')
        && let Some(object) = Object::parse(text)
    {
        return read_object(Body::new(media_type, object), known, of_input);
    }
    if text.starts_with('[')
        && let Some(protocol) = protocol::detect_batch(text)
    {
        return ParsedBody::Protocol(protocol);
    }
    if of_input
        && text.starts_with('[')
        && let Some(said) = words::of_array(text)
    {
        return ParsedBody::Foreign(Foreign { shape: Shape::Issues, said, members: None });
    }
    // A text may begin like JSON: "{id} is missing".
    match media_type {
        _ if !text.is_empty() && is_plain_text(media_type, text) => {
            let said = if of_input { words::of_text(text) } else { None };
            let said = said.unwrap_or_else(|| ParsedError::new(None, Some(Cow::Borrowed(text))));
            ParsedBody::Foreign(Foreign { shape: Shape::PlainText, said, members: None })
        }
        _ => ParsedBody::Nothing,
    }
}

/// Whether a text is a line for people: `text/html` and no type at all are where frameworks send one without a thought (R3).
fn is_plain_text(media_type: Option<&[u8]>, text: &str) -> bool {
    let named = media_type.is_some_and(|it| it.eq_ignore_ascii_case(b"text/plain"));
    named || media_type.is_none_or(|it| it.eq_ignore_ascii_case(b"text/html")) && !message::is_page(text)
}

fn read_object<'a>(body: Body<'a, '_>, known: &Readable<'_>, of_input: bool) -> ParsedBody<'a> {
    if let Some(envelope) = standard::read(&body, known.codes) {
        ParsedBody::Envelope(envelope)
    } else if let Some(protocol) = protocol::detect(&body) {
        ParsedBody::Protocol(protocol)
    } else {
        table::read(body, known.shapes, of_input)
    }
}

/// What a body that is known to be a protocol's says all the same, for `protocols = "rewrite"` (R10).
pub(crate) fn read_rewritten<'a>(body: &'a [u8], known: &Readable<'_>, of_input: bool) -> Option<Foreign<'a>> {
    let text = utf8_text(body)?;
    // A batch of tRPC's is told by its first error.
    let first = json::array(text).and_then(|batch| Some(batch.first()?.get()));
    match table::read(Body::new(None, Object::parse(first.unwrap_or(text))?), known.shapes, of_input) {
        ParsedBody::Foreign(foreign) => Some(foreign),
        _ => None,
    }
}

/// The type and subtype of a body; `None` where none is declared, and nothing where that is not clear.
pub(crate) fn declared_type(headers: &HeaderMap) -> Option<&[u8]> {
    match fields::at_most_one(headers, &CONTENT_TYPE) {
        Some(value) => value.map(without_parameters),
        None => Some(&[]),
    }
}

/// The type and subtype of a body, without parameters; `None` where none is declared or two are.
pub(crate) fn media_type(headers: &HeaderMap) -> Option<&str> {
    str::from_utf8(essence(headers)?).ok()
}

/// The same, whatever bytes it has.
pub(crate) fn essence(headers: &HeaderMap) -> Option<&[u8]> {
    fields::only(headers, &CONTENT_TYPE).map(without_parameters)
}

fn without_parameters(value: &HeaderValue) -> &[u8] {
    let value = value.as_bytes();
    // What nearly all services write has none: it is asked for twice of each error.
    if value == b"application/json" {
        return value;
    }
    let end = if message::has_byte(value, b';') { value.iter().position(|byte| *byte == b';') } else { None };
    value[..end.unwrap_or(value.len())].trim_ascii()
}
