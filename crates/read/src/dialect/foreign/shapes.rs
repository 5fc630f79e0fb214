//! Reads a JSON body in a foreign shape. The first shape of the [table](crate::dialect::table) that fits reads the
//! body. If no shape fits, the general rule for any object reads the body (R2).

use std::borrow::Cow;

use http::StatusCode;
use serde_json::value::RawValue;

use super::{foreign_text, framework_errors, google};
use crate::dialect::custom::CustomShape;
use crate::dialect::foreign::foreign_text::{ForeignText, Found};
use crate::dialect::form::KnownFields;
use crate::dialect::json::Object;
use crate::dialect::parsed_body::{Foreign, Members, PROTOCOL_PARSERS, ParsedBody};
use crate::dialect::parsed_error::{Body, ClientMessage, CodeOf, ParsedError, is_within};
use crate::dialect::phrases::is_phrase;
use crate::dialect::readable::Readable;
use crate::dialect::table::{Dialect, Shape};
use crate::dialect::tree::{Node, Tree};
use crate::dialect::{codes, issues, json, rest, sentences};
use crate::message;
use crate::target::Target;

/// The fields of a Spring body that only repeat data of the head.
static SPRING: KnownFields = KnownFields::body(&["timestamp", "path", "error"]);

/// The fields of a google.rpc.Status.
static RPC_STATUS: KnownFields = KnownFields::body(&["code", "message", "details"]);

/// Reads the body by the first shape that fits, beginning with the shapes of the policy. If no shape fits, the general
/// rule is used (R2).
pub(in crate::dialect) fn read<'a>(body: Body<'a, '_>, readable: &Readable<'_>, status: StatusCode) -> ParsedBody<'a> {
    for shape in readable.shapes {
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
    read_unknown_shape(body, readable.target, status)
}

/// Reads an array in a shape of the policy whose places begin with an index (R15).
pub(in crate::dialect) fn read_custom_array<'a>(
    elements: &[&'a RawValue],
    shapes: &[CustomShape],
) -> Option<Foreign<'a>> {
    if shapes.is_empty() {
        return None;
    }
    let body = Body::new(None, Object::of_elements(elements));
    let (shape, parsed) = shapes.iter().find_map(|shape| Some((*shape, shape.spec().read(&body)?)))?;
    Some(Foreign { shape: Shape::Custom(shape), parsed, members: None })
}

/// Reads an array as a list of issues. An array of one object is such a list only if the object names a place (R2).
pub(in crate::dialect) fn read_list(text: &str, has_one: bool, status: StatusCode) -> Option<Foreign<'_>> {
    let is_issue = || Tree::parse(text).root().and_then(Node::only).is_some_and(foreign_text::names_place);
    let parsed =
        if status.is_client_error() && (!has_one || is_issue()) { framework_errors::of_array(text) } else { None }?;
    Some(Foreign { shape: Shape::Issues, parsed, members: None })
}

/// Adds the issues and the other fields to a body that was parsed in a known shape.
fn foreign<'a>(
    shape: Shape,
    mut parsed: ParsedError<'a>,
    reads: &'static KnownFields,
    body: Body<'a, '_>,
    status: StatusCode,
) -> ParsedBody<'a> {
    let is_searched = status.is_client_error()
        && match shape {
            Shape::Custom(custom) => custom.description().issues.is_none(),
            _ => !is_text_alone(&parsed, &body, status),
        };
    let tree = is_searched.then(|| Tree::parse(body.object.text()));
    match (tree.as_ref().and_then(Tree::root), shape) {
        (Some(root), Shape::Custom(_)) => {
            framework_errors::add_rest(&mut parsed, root, reads.of_body.unwrap_or_default(), status)
        }
        (Some(root), _) => add_issues(&mut parsed, shape, root, status),
        (None, _) => {}
    }
    ParsedBody::Foreign(Foreign { shape, parsed, members: Some(Members::of_known_shape(body, reads, tree)) })
}

/// Returns true if a body contains only its message, as most bodies do. The other values of such a body are only
/// `true`, `false` and `null`. Messages that may name a field are excluded.
fn is_text_alone(parsed: &ParsedError<'_>, body: &Body<'_, '_>, status: StatusCode) -> bool {
    let is_plain = |text: &str| !sentences::may_name_field(text) && !text.trim_start().starts_with(['[', '{']);
    let is_text = |value: &RawValue| value.get().starts_with('"');
    !issues::tells_of_input(status)
        && parsed.message.as_deref().is_some_and(is_plain)
        && body.object.members().filter(|(_, value)| is_text(value)).count() == 1
        && body.object.members().all(|(_, value)| is_text(value) || matches!(value.get(), "true" | "false" | "null"))
}

fn add_issues<'a>(parsed: &mut ParsedError<'a>, shape: Shape, root: Node<'_, 'a>, status: StatusCode) {
    let read = foreign_text::read(root, status);
    parsed.message_source = read.text.as_ref().map(|text| text.field.raw());
    // If the dialect's own field has no text, another text of the error is used. Another text next to the status's
    // phrase states more.
    let error = root.field("error").filter(|error| error.is_object()).unwrap_or(root);
    let is_in_error = |text: &Found<'_, '_>| error.children().any(|field| std::ptr::eq(field.raw(), text.field.raw()));
    if let Some(text) = &read.text
        && match parsed.message.as_deref().map(str::trim) {
            None | Some("") => is_in_error(text),
            Some(message) => is_phrase(message),
        }
    {
        parsed.message = Some(text.value.clone());
    }
    add_all(parsed, Some(shape), root, &read, status);
}

/// Adds the parts that any 4xx may have: issues, further texts, and the code in its original form.
fn add_all<'a>(
    parsed: &mut ParsedError<'a>,
    shape: Option<Shape>,
    root: Node<'_, 'a>,
    read: &ForeignText<'_, 'a>,
    status: StatusCode,
) {
    framework_errors::add_to(parsed, root, read, status);
    if let Some((text, more)) = parsed.message.as_deref().and_then(rest::text_of_list) {
        parsed.message = Some(Cow::Owned(text));
        parsed.client_message = ClientMessage::All;
        if parsed.issues.is_none() {
            parsed.more_issues = more;
        }
    } else if let Some(text) = parsed.message.as_deref().filter(|text| message::is_json(text.trim())) {
        let inner = read_inner(text.trim(), status);
        parsed.code = parsed.code.take().or(inner.code);
        (parsed.message, parsed.client_message) = (inner.message, inner.client_message);
        if parsed.issues.is_none() {
            (parsed.issues, parsed.more_issues) = (inner.issues, inner.more_issues);
            parsed.issues_source = parsed.issues.as_ref().and(parsed.message_source);
        }
    }
    parsed.raw_code = read.raw_code.clone();
    // The type of a problem is an address, even if it has no host (RFC 9457 §3.1.1).
    let is_type = |code: &&Found<'_, '_>| shape == Some(Shape::Problem) && code.field.name() == "type";
    let Some(code) = read.code.as_ref().filter(|code| !is_type(code)) else { return };
    if parsed.code_of == CodeOf::Error && parsed.code.as_deref().is_none_or(|code| !codes::is_code(code, status)) {
        parsed.code = Some(code.value.clone());
    }
    let is_code = parsed.code.as_deref() == Some(&*code.value);
    // In express-validator, `type` is the kind of the entry.
    let is_kind = || parsed.issues_source.is_some_and(|source| is_within(code.field.raw(), source));
    if is_code && code.field.name() == "type" && is_kind() {
        parsed.code_of = CodeOf::Issue;
    }
    // A name that is also the place of an issue is not a code.
    let is_place = || parsed.issues.as_deref().is_some_and(|issues| issues.contains(&format!("\"{}\"]", code.value)));
    let may_name_place = || ["name", "key"].iter().any(|it| it.eq_ignore_ascii_case(code.field.name()));
    if is_code && may_name_place() && is_kind() && is_place() {
        parsed.code = None;
    }
}

/// Reads a body that is in no known shape (R2).
fn read_unknown_shape<'a>(body: Body<'a, '_>, target: &Target, status: StatusCode) -> ParsedBody<'a> {
    let tree = Tree::parse(body.object.text());
    let Some(root) = tree.root() else { return ParsedBody::Nothing };
    let read = foreign_text::read(root, status);
    // On a 5xx, only a field named `code` certainly contains the name of an error. Other fields may contain anything.
    let code = read.code.as_ref().filter(|code| !status.is_server_error() || code.field.name() == "code");
    let value = |found: &Found<'_, 'a>| found.value.clone();
    let mut parsed = ParsedError::new(code.map(value), read.text.as_ref().map(value));
    parsed.message_source = read.text.as_ref().map(|text| text.field.raw());
    let details = details(root, &read);
    parsed.details = details.map(|details| Cow::Borrowed(details.raw()));
    if status.is_client_error() && !is_text_alone(&parsed, &body, status) {
        add_all(&mut parsed, None, root, &read, status);
        let name = read.text.as_ref().map_or("", |text| text.field.name());
        rest::prefer_sentence(&mut parsed, root, name, (target.as_str(), status));
        framework_errors::clean_message(&mut parsed, status);
    }
    let shape = shape_of(root, &parsed);
    // A longer message is cut (R3), so the details still state more.
    let is_message = |raw: &str| {
        raw.len() <= message::MAX_BYTES && parsed.message_source.is_some_and(|source| std::ptr::eq(source, raw))
    };
    parsed.details = parsed.details.take().filter(|_| !details.is_some_and(|details| is_message(details.raw())));
    // A text under `details` in an issue is kept with the issue.
    let details = details.filter(|details| parsed.details.is_some() || !details.is_text());
    let sources = [parsed.message_source, read.code.map(|code| code.field.raw()), details.map(|it| it.raw())];
    let holder = Some(read.holder.raw()).filter(|_| !read.wrappers.is_empty());
    let reads = if shape == Some(Shape::Spring) { &SPRING } else { &KnownFields::NOTHING };
    let members = Members::of_unknown_shape(body, holder, sources, reads, Some(tree));
    match shape {
        Some(shape) => ParsedBody::Foreign(Foreign { shape, parsed, members: Some(members) }),
        None => ParsedBody::Unread(members),
    }
}

/// Reads a text that contains JSON as if it were a body (R3). If this inner JSON again contains JSON in a text, that
/// text is not read.
pub(in crate::dialect) fn read_inner(text: &str, status: StatusCode) -> ParsedError<'static> {
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

/// Returns the details of a body in no known shape. The details are in the field `details`, in JSON-RPC's `data`, or in
/// a `detail` that is not a text, as FastAPI sends it.
fn details<'t, 'a>(body: Node<'t, 'a>, read: &ForeignText<'t, 'a>) -> Option<Node<'t, 'a>> {
    let named = read.holder.field("details").or_else(|| read.holder.field("data").filter(|_| body.has("jsonrpc")));
    let mut of_objects = read.objects(body).filter_map(|object| object.field("detail"));
    let detail = || of_objects.find(|it| it.is_object() || it.is_array());
    named.or_else(detail).filter(|details| !details.is_null() && details.raw() != "\"\"")
}

/// Returns the name of the shape for the log, or `None` if the body does not describe an error.
fn shape_of(body: Node<'_, '_>, parsed: &ParsedError<'_>) -> Option<Shape> {
    let has = |name| body.has(name);
    if parsed.message.is_none() && parsed.code.is_none() && parsed.details.is_none() {
        let shape = if has("detail") { Shape::FastApi } else { Shape::Issues };
        return parsed.issues.is_some().then_some(shape);
    }
    Some(match body.field("error") {
        Some(error) if error.is_object() => Shape::ErrorObject,
        _ if has("detail") => Shape::FastApi,
        Some(_) if has("timestamp") && has("status") && has("path") => Shape::Spring,
        Some(error) if error.is_text() => Shape::ErrorText,
        _ if body.field("errors").is_some_and(|it| it.is_object()) && parsed.issues.is_some() => Shape::StatusInError,
        _ => Shape::Message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    use crate::code::CodeSet;

    /// Returns all values that [`add_all`] may set.
    fn facts(parsed: &ParsedError<'_>) -> String {
        let ParsedError { code, raw_code, code_of, message, details, issues, .. } = parsed;
        let all = matches!(parsed.client_message, crate::dialect::parsed_error::ClientMessage::All);
        format!("{code:?} {raw_code:?} {code_of:?} {message:?} {details:?} {issues:?} {all}")
    }

    fn read_text(text: &str, status: StatusCode) -> Option<(Shape, ParsedError<'_>)> {
        let readable = Readable {
            codes: &CodeSet::default(),
            shapes: &[],
            dialect: Dialect::default(),
            target: &crate::target::UNKNOWN,
            headers: &HeaderMap::new(),
        };
        let body = Body::new(None, Object::parse(text).unwrap());
        let ParsedBody::Foreign(Foreign { shape, parsed, .. }) = read(body, &readable, status) else { return None };
        Some((shape, parsed))
    }

    #[test]
    fn r2_a_list_of_errors_has_the_same_shape_whatever_its_length() {
        let issue = r#"{"loc":["body","qty"],"msg":"Field required","type":"missing"}"#;
        for list in [issue.to_owned(), [issue, issue].join(",")] {
            let text = format!(r#"{{"detail":[{list}]}}"#);
            let (shape, _) = read_text(&text, StatusCode::UNPROCESSABLE_ENTITY).unwrap();
            assert_eq!(shape, Shape::FastApi, "{text}");
        }
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
                let Some((shape, parsed)) = read_text(&text, StatusCode::NOT_FOUND) else { continue };
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
