//! Reads a JSON body in a foreign shape: by the first shape of the [table](super::table) that fits it, else by the
//! general rule for any object (R2).

use std::borrow::Cow;

use http::StatusCode;
use serde_json::value::RawValue;

use super::custom::CustomShape;
use super::foreign_text::{ForeignText, Found};
use super::form::KnownFields;
use super::framework_errors::is_within;
use super::json::Object;
use super::parsed_error::{Body, CodeOf, ParsedError, ReadFn};
use super::phrases::is_phrase;
use super::protocol::Protocol;
use super::standard::Envelope;
use super::table::{Dialect, Shape};
use super::tree::{Node, Tree};
use super::{foreign_text, framework_errors, google, issues, json, problem, protocol, sentences, trpc};
use crate::message;

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

/// The fields of a Spring body that repeat what the head states.
static SPRING: KnownFields = KnownFields::body(&["timestamp", "path", "error"]);

/// The fields of a google.rpc.Status.
static RPC_STATUS: KnownFields = KnownFields::body(&["code", "message", "details"]);

/// Parsers for those protocols whose errors are rewritten only under `protocols = "rewrite"`, and which no dialect
/// describes. A body was recognised as the protocol's before (R10).
const PROTOCOL_PARSERS: [(Shape, ReadFn, &KnownFields); 2] = [
    (Shape::ErrorObject, trpc::read, &KnownFields::body(&["error", "id"])),
    (Shape::ErrorText, protocol::read_oauth, &KnownFields::body(&["error", "error_description"])),
];

/// Reads the body by the first shape that fits, beginning with those of the policy. If none fits, by the general rule
/// (R2).
pub(super) fn read<'a>(body: Body<'a, '_>, shapes: &[CustomShape], status: StatusCode) -> ParsedBody<'a> {
    for shape in shapes {
        if let Some(parsed) = shape.spec().read(&body) {
            return foreign(Shape::Custom(*shape), parsed, shape.spec().reads, body, status);
        }
    }
    let written = Dialect::ALL.iter().map(|dialect| (dialect.shape(), dialect.spec().read, dialect.spec().reads));
    for (shape, read, reads) in written.chain(PROTOCOL_PARSERS) {
        if let Some(parsed) = read(&body) {
            return foreign(shape, parsed, reads, body, status);
        }
    }
    if let Some(parsed) = google::read_status(&body, status) {
        return foreign(Shape::Google, parsed, &RPC_STATUS, body, status);
    }
    read_unknown_shape(body, status)
}

/// Reads an array in a shape of the policy: its places begin with an index (R15).
pub(super) fn read_custom_array<'a>(elements: &[&'a RawValue], shapes: &[CustomShape]) -> Option<Foreign<'a>> {
    if shapes.is_empty() {
        return None;
    }
    let body = Body::new(None, Object::of_elements(elements));
    let (shape, parsed) = shapes.iter().find_map(|shape| Some((*shape, shape.spec().read(&body)?)))?;
    Some(Foreign { shape: Shape::Custom(shape), parsed, members: None })
}

/// Completes a body that was parsed by a known shape, with the issues next to it and its other fields.
fn foreign<'a>(
    shape: Shape,
    mut parsed: ParsedError<'a>,
    reads: &'static KnownFields,
    body: Body<'a, '_>,
    status: StatusCode,
) -> ParsedBody<'a> {
    let has_issues = status.is_client_error();
    if let Shape::Custom(custom) = shape {
        if has_issues && custom.description().issues.is_none() {
            let tree = Tree::parse(body.object.text());
            tree.root().into_iter().for_each(|root| {
                framework_errors::add_rest(&mut parsed, root, reads.of_body.unwrap_or_default(), status)
            });
        }
    } else if has_issues && !is_text_alone(&parsed, &body, status) {
        add_issues(&mut parsed, shape, &body, status);
    }
    ParsedBody::Foreign(Foreign { shape, parsed, members: Some(Members::of_known_shape(body, reads)) })
}

/// Whether a body states no more than its message, as most do: beside that it has at most `true`, `false` and `null`, and
/// the message is not searched for fields.
fn is_text_alone(parsed: &ParsedError<'_>, body: &Body<'_, '_>, status: StatusCode) -> bool {
    let is_plain = |text: &str| !sentences::may_name_field(text) && !text.trim_start().starts_with(['[', '{']);
    let is_text = |value: &RawValue| value.get().starts_with('"');
    !issues::tells_of_input(status)
        && parsed.message.as_deref().is_some_and(is_plain)
        && body.object.members().filter(|(_, value)| is_text(value)).count() == 1
        && body.object.members().all(|(_, value)| is_text(value) || matches!(value.get(), "true" | "false" | "null"))
}

fn add_issues<'a>(parsed: &mut ParsedError<'a>, shape: Shape, body: &Body<'a, '_>, status: StatusCode) {
    let tree = Tree::parse(body.object.text());
    let Some(root) = tree.root() else { return };
    let read = foreign_text::read(root, status);
    parsed.message_source = read.text.as_ref().map(|text| text.field.raw());
    // The status's phrase says less than an error beside it.
    if let Some(text) = &read.text
        && parsed.message.as_deref().is_some_and(|message| is_phrase(message.trim()))
    {
        parsed.message = Some(text.value.clone());
    }
    add_all(parsed, Some(shape), root, &read, status);
}

/// Adds what any 4xx may have: issues, further texts, and the code as it stands.
fn add_all<'a>(
    parsed: &mut ParsedError<'a>,
    shape: Option<Shape>,
    root: Node<'_, 'a>,
    read: &ForeignText<'_, 'a>,
    status: StatusCode,
) {
    framework_errors::add_to(parsed, root, read, status);
    if let Some(text) = parsed.message.as_deref().filter(|text| message::is_json(text.trim())) {
        let inner = read_inner(text.trim(), status);
        parsed.code = parsed.code.take().or(inner.code);
        (parsed.message, parsed.client_message) = (inner.message, inner.client_message);
        if parsed.issues.is_none() {
            (parsed.issues, parsed.more_issues) = (inner.issues, inner.more_issues);
            parsed.issues_source = parsed.issues.as_ref().and(parsed.message_source);
        }
    }
    let texts = foreign_text::further_texts(read, parsed.message.as_deref(), status).into_iter();
    parsed.further_texts = texts.map(|text| (text.field.name().into(), text.value)).collect();
    parsed.raw_code = read.raw_code.clone();
    // The type of a problem is an address, also if it has no host (RFC 9457 §3.1.1).
    let is_type = |code: &&Found<'_, '_>| shape == Some(Shape::Problem) && code.field.name() == "type";
    let Some(code) = read.code.as_ref().filter(|code| !is_type(code)) else { return };
    if parsed.code_of == CodeOf::Error && parsed.code.as_deref().is_none_or(|code| !foreign_text::is_code(code, status))
    {
        parsed.code = Some(code.value.clone());
    }
    let is_code = parsed.code.as_deref() == Some(&*code.value);
    // For express-validator, `type` is the kind of the entry.
    let is_kind = || parsed.issues_source.is_some_and(|source| is_within(code.field.raw(), source));
    if is_code && code.field.name() == "type" && is_kind() {
        parsed.code_of = CodeOf::Issue;
    }
    // A name that is the place of an issue is no code.
    let is_place = || parsed.issues.as_deref().is_some_and(|issues| issues.contains(&format!("[\"{}\"]", code.value)));
    if is_code && code.field.name() == "name" && is_kind() && is_place() {
        parsed.code = None;
    }
}

/// Reads a body that is in no known shape (R2).
fn read_unknown_shape<'a>(body: Body<'a, '_>, status: StatusCode) -> ParsedBody<'a> {
    let tree = Tree::parse(body.object.text());
    let Some(root) = tree.root() else { return ParsedBody::Nothing };
    let read = foreign_text::read(root, status);
    // On a 5xx, only a field named `code` is sure to have the name of an error: any other may have anything.
    let code = read.code.as_ref().filter(|code| !status.is_server_error() || code.field.name() == "code");
    let value = |found: &Found<'_, 'a>| found.value.clone();
    let mut parsed = ParsedError::new(code.map(value), read.text.as_ref().map(value));
    parsed.message_source = read.text.as_ref().map(|text| text.field.raw());
    let details = details(root, &read);
    parsed.details = details.map(|details| Cow::Borrowed(details.raw()));
    if status.is_client_error() && !is_text_alone(&parsed, &body, status) {
        add_all(&mut parsed, None, root, &read, status);
        if parsed.message.is_none() && parsed.issues.is_none() {
            let sentence = foreign_text::only_sentence(root).map(|text| text.value);
            parsed.message = sentence.filter(|text| !message::is_json(text.trim()));
            framework_errors::clean_message(&mut parsed, status);
        }
    }
    let shape = shape_of(root, &parsed);
    let sources = [parsed.message_source, read.code.map(|code| code.field.raw()), details.map(|it| it.raw())];
    let holder = Some(read.holder.raw()).filter(|_| !read.wrappers.is_empty());
    let reads = if shape == Some(Shape::Spring) { &SPRING } else { &KnownFields::NOTHING };
    let members = Members::of_unknown_shape(body, holder, sources, reads);
    match shape {
        Some(shape) => ParsedBody::Foreign(Foreign { shape, parsed, members: Some(members) }),
        None => ParsedBody::Unread(members),
    }
}

/// Reads a text that is JSON as a body (R3). JSON in its own text is no text.
fn read_inner(text: &str, status: StatusCode) -> ParsedError<'static> {
    let object = json::array(text).and_then(|list| Some(list.first()?.get())).unwrap_or(text);
    let tree = Tree::parse(object);
    let mut parsed = ParsedError::new(None, None);
    let Some(root) = tree.root().filter(|root| root.is_object()) else { return parsed };
    let read = foreign_text::read(root, status);
    let owned = |found: &Found<'_, '_>| Cow::<str>::Owned(found.value.clone().into_owned());
    let message = read.text.as_ref().map(owned).or_else(|| Some(owned(&foreign_text::only_sentence(root)?)));
    let message = message.filter(|text| !message::is_json(text.trim()));
    let mut inner = ParsedError::new(None, message);
    if status.is_client_error() {
        framework_errors::add_to(&mut inner, root, &read, status);
    }
    parsed.code = read.code.as_ref().map(owned);
    parsed.issues = inner.issues.map(|issues| Cow::Owned(issues.into_owned()));
    parsed.message = inner.message.map(|text| Cow::Owned(text.into_owned()));
    (parsed.more_issues, parsed.client_message) = (inner.more_issues, inner.client_message);
    parsed
}

/// The details of a body in no known shape: the field `details`, the data of JSON-RPC, or a `detail` that is not a
/// text, as FastAPI sends.
fn details<'t, 'a>(body: Node<'t, 'a>, read: &ForeignText<'t, 'a>) -> Option<Node<'t, 'a>> {
    let named = read.holder.field("details").or_else(|| read.holder.field("data").filter(|_| body.has("jsonrpc")));
    let mut of_objects = read.objects(body).filter_map(|object| object.field("detail"));
    let detail = || of_objects.find(|it| it.is_object() || it.is_array());
    named.or_else(detail).filter(|details| !details.is_null() && details.raw() != "\"\"")
}

/// The shape for the log; `None` if the body does not describe an error.
fn shape_of(body: Node<'_, '_>, parsed: &ParsedError<'_>) -> Option<Shape> {
    if parsed.message.is_none() && parsed.code.is_none() && parsed.details.is_none() {
        return parsed.issues.is_some().then_some(Shape::Issues);
    }
    let has = |name| body.has(name);
    Some(match body.field("error") {
        Some(error) if error.is_object() => Shape::ErrorObject,
        _ if has("detail") => Shape::FastApi,
        Some(_) if has("timestamp") && has("status") && has("path") => Shape::Spring,
        Some(error) if error.is_text() => Shape::ErrorText,
        _ if body.field("errors").is_some_and(|it| it.is_object()) && parsed.issues.is_some() => Shape::StatusInError,
        _ => Shape::Message,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that [`add_all`] may set.
    fn facts(parsed: &ParsedError<'_>) -> String {
        let ParsedError { code, raw_code, code_of, further_texts, message, details, issues, .. } = parsed;
        let all = matches!(parsed.client_message, super::super::parsed_error::ClientMessage::All);
        format!("{code:?} {raw_code:?} {code_of:?} {further_texts:?} {message:?} {details:?} {issues:?} {all}")
    }

    #[test]
    fn r2_a_body_that_is_a_text_alone_has_nothing_to_add() {
        let names =
            ["error", "message", "msg", "detail", "title", "reason", "errorMessage", "userMessage", "type", "x"];
        let texts = [
            "No such seat",
            "not_found",
            "Not Found",
            "Error 404",
            "items.0.qty is bad",
            "a",
            "user_id missing",
            "[1]",
            "must have required property 'qty'",
        ];
        let mut alone = 0;
        for (name, text) in names.iter().flat_map(|name| texts.map(|text| (name, text))) {
            for rest in ["", r#","success":false"#, r#","ok":null,"done":true"#, r#","code":12"#] {
                let text = format!(r#"{{"{name}":"{text}"{rest}}}"#);
                let body = || Body::new(None, Object::parse(&text).unwrap());
                let ParsedBody::Foreign(Foreign { shape, parsed, .. }) = read(body(), &[], StatusCode::NOT_FOUND)
                else {
                    continue;
                };
                let tree = Tree::parse(&text);
                let root = tree.root().unwrap();
                let found = foreign_text::read(root, StatusCode::NOT_FOUND);
                let mut all = ParsedError::new(parsed.code.clone(), parsed.message.clone());
                all.details = parsed.details.clone();
                add_all(&mut all, Some(shape), root, &found, StatusCode::NOT_FOUND);
                alone += usize::from(is_text_alone(&parsed, &body(), StatusCode::NOT_FOUND));
                assert_eq!(facts(&parsed), facts(&all), "{text}");
            }
        }
        assert!(alone > 100, "{alone}");
    }
}
