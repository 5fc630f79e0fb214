//! The names that services give to what their errors state (rules R2, R13): texts, codes, places, error fields, and names that
//! are no field of the request. No other file lists them.
//!
//! Names in [`TEXTS`], [`TEXT_LISTS`] and [`CODES`] count in any letter case.

use crate::tree::{Names, Node};

/// Fields with the text of an error, in order of precedence (R2).
pub const TEXTS: [&str; 19] = [
    "message",
    "msg",
    "error_msg",
    "errorMsg",
    "errmsg",
    "err_msg",
    "errorMessage",
    "error_message",
    "error_description",
    "errorDescription",
    "description",
    "detail",
    "reason",
    "faultstring",
    "statusMessage",
    "status_message",
    "error",
    "err",
    "title",
];

/// The same names, for lookups.
pub static TEXTS_BY_NAME: Names<19> = Names::new(TEXTS);

/// Fields whose value may also be a list with one text (R2).
pub static TEXT_LISTS: Names<7> =
    Names::new(["error", "errors", "messages", "errorMessages", "error_messages", "problems", "message"]);

/// Further names of the text of an issue: Spring's, Mongoose's.
const ISSUE_TEXTS: [&str; 3] = ["defaultMessage", "text", "validatorMessage"];

/// The same names, for lookups.
pub static ISSUE_TEXTS_BY_NAME: Names<3> = Names::new(ISSUE_TEXTS);

/// Names of texts that ordinary data uses, too: such a text with only a name next to it does not make an issue.
const TEXTS_OF_DATA: [&str; 4] = ["description", "detail", "title", "text"];

/// Fields with the code of an error, in order of precedence (R2).
pub const CODES: [&str; 7] = ["code", "errorCode", "error_code", "__type", "type", "status", "key"];

/// Words in these fields that only state that an error occurred (R2).
pub const NO_CODES: [&str; 4] = ["error", "fail", "failed", "failure"];

/// Fields with the code of an issue (R13).
pub const ISSUE_CODES: [&str; 6] = ["code", "rule", "keyword", "errorCode", "error_code", "type"];

/// Fields with the place of an issue, in order of precedence (R13).
pub const PLACES: [&str; 23] = [
    "path",
    "loc",
    "location",
    "field",
    "fieldName",
    "param",
    "parameter",
    "attr",
    "attribute",
    "instanceLocation",
    "fragment",
    "property",
    "propertyName",
    "propertyPath",
    "instancePath",
    "dataPath",
    "pointer",
    "source",
    "key",
    "target",
    "members",
    "memberNames",
    "name",
];

/// Names of places that data also has: they count only under an error field, or beside a part of the request (R13).
pub const PLACES_OF_DATA: [&str; 6] = ["path", "key", "target", "members", "memberNames", "name"];

/// Places in a body that is one issue (R13). A `path` counts, too, if it is a list of names.
pub const TOP_PLACES: [&str; 6] = ["field", "fieldName", "param", "parameter", "pointer", "property"];

/// Places that name nothing.
const NO_PLACES: [&str; 8] = ["None", "null", "undefined", "unknown", "$", ".", "(root)", "request_body"];

/// The parts of a request, in the words of frameworks: a place may begin with one.
const PARTS: [&str; 19] = [
    "body",
    "query",
    "querystring",
    "params",
    "path",
    "header",
    "headers",
    "cookie",
    "cookies",
    "json",
    "form",
    "data",
    "files",
    "payload",
    "request",
    "req",
    "json_or_form",
    "view_args",
    "query_and_form",
];

/// Names of a map that stand for the whole request (R13).
const WHOLE: [&str; 16] = [
    "_errors",
    "_error",
    "_schema",
    "_general",
    "non_field_errors",
    "__all__",
    "__root__",
    "(root)",
    "root",
    "base",
    "instance",
    "messages",
    "errorMessages",
    "request_body",
    "$",
    "",
];

/// Fields with data that the client sent.
pub const VALUES: [&str; 10] = [
    "value",
    "rejectedValue",
    "invalidValue",
    "attemptedValue",
    "actualValue",
    "originalValue",
    "input",
    "received",
    "actual",
    "got",
];

/// The meaning of a field's name for the values in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Nothing,
    Errors,
    /// Errors of some services, and data of others.
    ErrorsOrData,
}

/// Whether data also has this name of a text.
pub fn is_text_of_data(name: &str) -> bool {
    TEXTS_OF_DATA.contains(&name)
}

/// Whether a field has the name of a text or a code (R2). An object with such a field is not a map from fields to
/// texts.
pub fn is_text_or_code(name: &str) -> bool {
    let is = |names: &[&str]| names.iter().any(|it| it.eq_ignore_ascii_case(name));
    is(&TEXTS) || is(&ISSUE_TEXTS) || is(&CODES)
}

/// Whether a name ends like that of a text: `userMessage`.
pub fn is_like_text(name: &str) -> bool {
    const ENDS: [&[u8]; 8] = [b"message", b"msg", b"text", b"reason", b"description", b"detail", b"error", b"title"];

    let mut buffer = [0; LONGEST];
    let name = if name.len() <= LONGEST { normalized(name, &mut buffer) } else { &[] };
    ENDS.iter().any(|end| name.ends_with(end))
}

pub fn is_part(name: &str) -> bool {
    PARTS.contains(&name)
}

/// Whether the dotted name of a map begins with a part of the request. The other parts may be fields, too: `data.name`.
pub fn is_leading_part(name: &str) -> bool {
    matches!(
        name,
        "body" | "query" | "querystring" | "params" | "header" | "headers" | "cookie" | "cookies" | "request"
    )
}

/// Whether a place's text names no place.
pub fn is_no_place(text: &str) -> bool {
    text.is_empty() || NO_PLACES.contains(&text)
}

/// Whether a field of a map adds nothing to the path of its contents (R13).
pub fn is_whole(field: Node<'_, '_>, parent: Node<'_, '_>) -> bool {
    let name = field.name();
    if name.len() > LONGEST {
        return false;
    }
    WHOLE.contains(&name)
        || is_part(name)
        || name == "children" && field.is_object()
        || is_flattened(field, parent)
        || meaning(field, parent) != Meaning::Nothing
}

/// Whether a place's text means the whole request.
pub fn is_whole_name(text: &str) -> bool {
    WHOLE.contains(&text)
}

/// Whether it is Valibot's `nested`, alone or next to the whole's texts.
fn is_flattened(field: Node<'_, '_>, parent: Node<'_, '_>) -> bool {
    field.name() == "nested" && parent.children().all(|it| matches!(it.name(), "nested" | "root" | "other"))
}

/// The meaning of a field's name, in any spelling with capitals, underscores and hyphens.
pub fn meaning(field: Node<'_, '_>, parent: Node<'_, '_>) -> Meaning {
    if field.name().len() > LONGEST || !may_mean_errors(field.name().as_bytes()) {
        return Meaning::Nothing;
    }
    let mut buffer = [0; LONGEST];
    let name = normalized(field.name(), &mut buffer);
    let ends: [&[u8]; 6] =
        [b"errors", b"violations", b"issues", b"invalidparams", b"invalidparameters", b"invalidfields"];
    match name {
        _ if ends.iter().any(|end| name.ends_with(end)) || name.starts_with(b"validation") => Meaning::Errors,
        b"modelstate" | b"inner" => Meaning::Errors,
        b"error" | b"detail" | b"details" | b"fields" | b"params" => Meaning::ErrorsOrData,
        b"message" if field.is_object() && !is_by_language(field) => Meaning::ErrorsOrData,
        b"data" if fails(parent) || has_keywords(field) => Meaning::ErrorsOrData,
        _ => Meaning::Nothing,
    }
}

/// Whether a field's name states that the names in it are those of fields, in any spelling: `fieldErrors`.
pub fn names_fields(name: &str) -> bool {
    let mut buffer = [0; LONGEST];
    name.len() <= LONGEST
        && matches!(
            normalized(name, &mut buffer),
            b"fielderrors" | b"validationerrors" | b"fieldviolations" | b"modelstate"
        )
}

/// The letters that the names above end with, or the one that the other begins with.
fn may_mean_errors(name: &[u8]) -> bool {
    let last = name.iter().rev().find(|letter| !matches!(letter, b'_' | b'-'));
    let first = name.iter().find(|letter| !matches!(letter, b'_' | b'-'));
    matches!(last, Some(b's' | b'r' | b'l' | b'e' | b'a' | b'S' | b'R' | b'L' | b'E' | b'A'))
        || matches!(first, Some(b'v' | b'V'))
}

/// A name in lower case, without underscores and hyphens.
fn normalized<'b>(name: &str, buffer: &'b mut [u8; LONGEST]) -> &'b [u8] {
    let letters = name.bytes().filter(|it| !matches!(it, b'_' | b'-'));
    let length = buffer.iter_mut().zip(letters).map(|(place, letter)| *place = letter.to_ascii_lowercase()).count();
    &buffer[..length]
}

/// Longer than any of the names.
const LONGEST: usize = 64;

/// Whether the object's `status` field means a failure.
fn fails(object: Node<'_, '_>) -> bool {
    let Some(status) = object.field("status") else { return false };
    match status.word_or_digits() {
        Some(status) => {
            matches!(&*status, "fail" | "failed" | "error") || matches!(status.as_bytes(), [b'4' | b'5', _, _])
        }
        None => status.raw() == "false",
    }
}

/// Whether the values are lists of JSON Schema's errors (Objection).
fn has_keywords(data: Node<'_, '_>) -> bool {
    let is_list = |list: Node<'_, '_>| list.elements().is_some_and(|mut it| it.all(|error| error.has("keyword")));
    data.is_object() && data.children().all(is_list)
}

/// Whether each name is a language's tag (RFC 5646), such as `en` or `pt-BR`.
fn is_by_language(texts: Node<'_, '_>) -> bool {
    let is_tag = |name: &str| {
        let (language, region) = name.split_once(['-', '_']).unwrap_or((name, "AA"));
        language.len() == 2
            && language.bytes().all(|it| it.is_ascii_lowercase())
            && (2..=4).contains(&region.len())
            && region.bytes().all(|it| it.is_ascii_alphanumeric())
    };
    texts.children().all(|text| is_tag(text.name()))
}
