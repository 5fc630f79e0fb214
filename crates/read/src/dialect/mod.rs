//! The shapes in which services report errors (R2).
//!
//! [`read`] parses a body of any shape. The function tries the canonical envelope first, then the protocols that keep
//! their own shape (R10), then the foreign shapes, then plain text. A shape that can be written is a [`DialectSpec`],
//! which is a constant in its own file, with a row in `table.rs`. `foreign` tries the policy's own shapes (R15), then
//! the rows of that table in their order, then the general rule for a JSON object.
//!
//! The result contains no value that the client sent (R13). The module `classify` chooses the code, and the parts of
//! the body that a client may get. The module `outward` chooses how a route writes the code and these parts.

pub mod charset;
pub mod codes;
pub mod coding;
pub mod connect;
mod error_object;
pub mod event_stream;
mod fault_body;
#[cfg_attr(not(feature = "foreign"), path = "without_foreign.rs")]
pub mod foreign;
mod form;
pub mod grpc;
pub mod json_rpc;
pub mod json_rpc_call;
mod name_words;
pub mod outgoing;
pub mod outward_form;
mod parsed_body;
mod parsed_error;
mod phrases;
mod problem;
pub mod protocol;
mod readable;
pub mod rest;
pub mod rpc;
mod sent_values;
pub mod standard;
mod table;
pub(crate) mod trpc;

use std::borrow::Cow;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::fields;
use crate::framework_text::{self, FrameworkText};
use crate::message;
pub use crate::rpc::{details as rich, status};
use crate::syntax::is_bare_type;
pub(crate) use crate::{field_names, issues, json, place, sentences, tree};
#[cfg(feature = "foreign")]
pub use custom::{Expected, PathNotation};
pub use foreign::custom;
pub use foreign::custom::CustomShape;
pub use form::DialectSpec;
pub use issues::tells_of_input;
use json::{Object, utf8_text};
pub use parsed_body::{Foreign, Members, ParsedBody};
use parsed_error::Body;
pub use parsed_error::{ClientMessage, CodeOf, DialectCode, ParsedError};
pub use phrases::is_phrase_as_code;
use protocol::{Protocol, ProtocolType};
pub use readable::Readable;
pub use table::{Dialect, DialectName, Shape};

/// Reads a whole body with its [declared media type](declared_type). The body is read as JSON if the type allows that,
/// or else as a text (R2).
///
/// On a 4xx, the issue lists and sentences of frameworks are read as well (R13).
pub fn read<'a>(
    media_type: Option<&[u8]>,
    body: &'a [u8],
    readable: &Readable<'_>,
    status: StatusCode,
) -> ParsedBody<'a> {
    let Some(text) = utf8_text(body) else { return ParsedBody::Nothing };
    // Some services put this line before JSON, so that no script can include the body.
    let guarded = text.strip_prefix(")]}'").map(|text| text.trim_start_matches(',').trim_start());
    let text = guarded.filter(|text| text.starts_with(['{', '['])).unwrap_or(text);
    let named = media_type.and_then(ProtocolType::new);
    // If the media type belongs to a protocol, but the body does not have its form, the body is read as if no type were
    // declared (R10).
    let media_type = media_type.filter(|_| named.is_none());
    let kind = TextKind::from_type(media_type);
    match text.as_bytes().first() {
        Some(b'{') if kind.may_be_json() => match Object::parse(text) {
            Some(object) => read_object(Body::new(media_type, object), readable, status, named),
            None => ParsedBody::Nothing,
        },
        Some(b'[') if kind.may_be_json() => read_array(media_type, text, readable, status, named),
        first => match (json_text(kind, text), protocol::of_text(named, media_type, text, readable)) {
            (Some(text), _) => read_text(text, status, true),
            (None, Some(protocol)) => ParsedBody::Protocol(protocol),
            // A body that begins like JSON but is not JSON was cut off, or is a script of an HTML page.
            _ if matches!(first, None | Some(b'{' | b'[')) => ParsedBody::Nothing,
            _ if kind.is_text(text, body) && !(kind == TextKind::Json && json::is_scalar(text)) => {
                read_text(Cow::Borrowed(text), status, false)
            }
            _ => ParsedBody::Nothing,
        },
    }
}

/// Returns the text of a `text/plain` body that is not empty and does not begin like JSON. For such a body, [`read`]
/// finds nothing except this text.
#[inline]
pub fn plain_text<'b>(headers: &HeaderMap, body: &'b [u8]) -> Option<&'b str> {
    let begins_as_text = |body: &[u8]| !matches!(body.first(), None | Some(b'{' | b'['));
    let is_plain = || essence(headers).is_some_and(|it| it == PLAIN_TEXT || it.eq_ignore_ascii_case(PLAIN_TEXT));
    let text = if begins_as_text(body) && is_plain() { utf8_text(body) } else { None };
    text.filter(|text| begins_as_text(text.as_bytes()))
}

/// Returns the text of a body that is one JSON string.
fn json_text(kind: TextKind, text: &str) -> Option<Cow<'_, str>> {
    let may_be_string = matches!(kind, TextKind::Json | TextKind::Unclear | TextKind::Bytes);
    if may_be_string && text.starts_with('"') { json::string(serde_json::from_str(text).ok()?) } else { None }
}

const PLAIN_TEXT: &[u8] = b"text/plain";

/// The way in which a body of a media type is read (R2, R3).
#[derive(Clone, Copy, PartialEq, Eq)]
enum TextKind {
    Json,
    /// `text/plain`, another type of text, or an empty type. The body is a text, but an object or an array is read as
    /// JSON.
    Plain,
    /// `text/html`, or no type. Frameworks send both plain texts and JSON under this type, or without a type.
    Unclear,
    /// `application/octet-stream`. The body is a text only if line feeds are its only control characters.
    Bytes,
    Other,
}

impl TextKind {
    fn from_type(media_type: Option<&[u8]>) -> Self {
        let Some(media_type) = media_type else { return Self::Unclear };
        let is = |other: &[u8]| media_type.eq_ignore_ascii_case(other);
        if media_type == b"application/json" {
            Self::Json
        } else if media_type.is_empty() || is_text_type(media_type) {
            Self::Plain
        } else if media_type.windows(4).any(|part| part.eq_ignore_ascii_case(b"json")) {
            Self::Json
        } else if is(b"text/html") || protocol::names_grpc(media_type) {
            // tonic-web sets a gRPC-Web type on every response that it passes through.
            Self::Unclear
        } else if is(b"application/octet-stream") {
            Self::Bytes
        } else {
            Self::Other
        }
    }

    fn may_be_json(self) -> bool {
        self != Self::Other
    }

    /// Returns true if a body of this type is a text for people.
    fn is_text(self, text: &str, body: &[u8]) -> bool {
        match self {
            Self::Plain | Self::Json => true,
            Self::Unclear => !message::is_page(text),
            Self::Bytes => !has_control_character(body),
            Self::Other => false,
        }
    }
}

/// Returns true if bodies of this type are texts for people. These types are the types of `text/*` except HTML, XML and
/// event streams, which have their own readers.
pub fn is_text_type(media_type: &[u8]) -> bool {
    let is = |other: &[u8]| media_type.eq_ignore_ascii_case(other);
    media_type.get(..5).is_some_and(|top| top.eq_ignore_ascii_case(b"text/"))
        && !(is(b"text/html") || is(b"text/xml") || is(b"text/event-stream"))
}

/// Returns true if a body has a control character other than a line feed.
pub fn has_control_character(body: &[u8]) -> bool {
    body.iter().any(|byte| byte.is_ascii_control() && *byte != b'\n')
}

/// Reads a body of plain text after its secrets were replaced. Such a body is a text, even if it now begins like JSON.
#[cfg(feature = "redact")]
pub fn read_line(body: &[u8], status: StatusCode) -> ParsedBody<'_> {
    utf8_text(body).map_or(ParsedBody::Nothing, |text| read_text(Cow::Borrowed(text), status, false))
}

fn read_text<'a>(text: Cow<'a, str>, status: StatusCode, is_json: bool) -> ParsedBody<'a> {
    if is_json && message::is_json(text.trim()) {
        let parsed = foreign::read_inner(text.trim(), status);
        return ParsedBody::Foreign(Foreign { shape: Shape::PlainText, parsed, members: None });
    }
    let FrameworkText { issues, client_message } = framework_text::read(&text, status, is_json);
    let mut parsed = ParsedError::new(None, Some(text));
    issues.into_iter().for_each(|list| parsed.set_issues(list));
    parsed.client_message = client_message;
    ParsedBody::Foreign(Foreign { shape: Shape::PlainText, parsed, members: None })
}

/// Reads an array. An array of one object is read as that object. If the object names a place, the array is read as a
/// list of one issue instead (R2).
fn read_array<'a>(
    media_type: Option<&[u8]>,
    text: &'a str,
    readable: &Readable<'_>,
    status: StatusCode,
    named: Option<ProtocolType>,
) -> ParsedBody<'a> {
    let Some(elements) = json::array(text) else { return ParsedBody::Nothing };
    if let Some(protocol) = named.and_then(ProtocolType::of_json).or_else(|| protocol::detect_batch(text)) {
        return ParsedBody::Protocol(protocol);
    }
    if let Some(foreign) = foreign::read_custom_array(&elements, readable.shapes) {
        return ParsedBody::Foreign(foreign);
    }
    let only = if let [only] = &elements[..] { Some(*only) } else { None };
    if let Some(text) = only.and_then(json::string) {
        return read_text(text, status, true);
    }
    if let Some(foreign) = foreign::read_list(text, only.is_some(), status) {
        return ParsedBody::Foreign(foreign);
    }
    match only.and_then(|only| Object::parse(only.get())) {
        Some(object) => foreign::read(Body::new(media_type, object), readable, status),
        None => ParsedBody::Nothing,
    }
}

fn read_object<'a>(
    body: Body<'a, '_>,
    readable: &Readable<'_>,
    status: StatusCode,
    named: Option<ProtocolType>,
) -> ParsedBody<'a> {
    if let Some(envelope) = standard::read(&body, readable.codes) {
        ParsedBody::Envelope(envelope)
    } else if let Some(protocol) =
        named.and_then(ProtocolType::of_json).or_else(|| protocol_of(&body, readable, status))
    {
        ParsedBody::Protocol(protocol)
    } else {
        foreign::read(body, readable, status)
    }
}

/// Returns the protocol of a body. Returns `None` if the body has no protocol. Also returns `None` for a JSON-RPC error
/// on a route whose dialect is JSON-RPC, because it is an ordinary error there.
fn protocol_of(body: &Body<'_, '_>, readable: &Readable<'_>, status: StatusCode) -> Option<Protocol> {
    let is_own_dialect = |protocol| protocol == Protocol::JsonRpc && readable.dialect == Dialect::JsonRpc;
    // A response without a result and without a valid error is treated as an error as well, because the client needs an
    // error.
    let is_ordinary_error = |protocol| is_own_dialect(protocol) && !body.object.has("result");
    // A shape of the policy can describe the form of a product (R15).
    let is_described = |protocol| {
        matches!(protocol, Protocol::Product { .. }) && readable.shapes.iter().any(|it| it.spec().read(body).is_some())
    };
    let detected = protocol::detect(body, status, readable);
    detected.filter(|protocol| !is_ordinary_error(*protocol) && !is_described(*protocol))
}

/// Reads a body that is in this dialect. A layer wrote such a body, so it is not searched for other values.
pub fn read_own(body: &[u8], dialect: Dialect) -> Option<ParsedError<'_>> {
    (dialect.spec().read)(&Body::new(None, Object::of_body(body)?))
}

/// Parses the body of a protocol like any other error, as `protocols = "rewrite"` requires (R10).
pub fn read_rewritten<'a>(body: &'a [u8], readable: &Readable<'_>, status: StatusCode) -> Option<Foreign<'a>> {
    let text = utf8_text(body)?;
    // The first error of a tRPC batch is read for the whole batch.
    let first = json::array(text).and_then(|batch| Some(batch.first()?.get()));
    match foreign::read(Body::new(None, Object::parse(first.unwrap_or(text))?), readable, status) {
        ParsedBody::Foreign(foreign) => Some(foreign),
        _ => None,
    }
}

/// Returns the type and subtype of a body. Returns `None` if no type is declared, and `*` if several types are
/// declared.
pub fn declared_type(headers: &HeaderMap) -> Option<&[u8]> {
    match fields::at_most_one(headers, &CONTENT_TYPE) {
        Some(value) => value.map(without_parameters),
        None => Some(b"*"),
    }
}

/// Returns the type and subtype of a body, without parameters. Returns `None` if no type or several types are declared.
pub fn media_type(headers: &HeaderMap) -> Option<&str> {
    str::from_utf8(essence(headers)?).ok()
}

/// Returns the type and subtype as bytes, which may be invalid as text.
pub fn essence(headers: &HeaderMap) -> Option<&[u8]> {
    fields::single_value(headers, &CONTENT_TYPE).map(without_parameters)
}

fn without_parameters(value: &HeaderValue) -> &[u8] {
    let value = value.as_bytes();
    if is_bare_type(value) {
        return value;
    }
    let end = value.iter().position(|byte| *byte == b';');
    value[..end.unwrap_or(value.len())].trim_ascii()
}
