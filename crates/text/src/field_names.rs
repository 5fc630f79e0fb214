//! The names of fields in services' errors (R2, R13). The lists contain names of texts, codes, places and errors, and
//! also names that do not mean a field of the request. The module `field_ranks` lists the names of texts and codes in
//! their order of preference.
//!
//! Names of texts and codes match in any spelling, and names in [`TEXT_LISTS`] match in any letter case.

pub use crate::field_ranks::{CodeName, Ranks, is_of_error};
use crate::field_ranks::{LONGEST, normalized};
use crate::tree::Node;

/// Returns true if fields with this name contain data for programs or for debugging. The text in such a field is never
/// a message (R2).
pub fn is_for_debugging(name: &str) -> bool {
    const PARTS: &str = "stack trace debug exception cause sql query file path input value url link href doc help";

    let name = name.to_ascii_lowercase();
    PARTS.split(' ').any(|part| name.contains(part))
}

/// Fields that contain the text of an error, or a list with one text (R2).
pub const TEXT_LISTS: [&str; 7] =
    ["error", "errors", "messages", "errorMessages", "error_messages", "problems", "message"];

/// Other fields that contain the text of an issue, in errors of Spring, Mongoose and PayPal.
pub const ISSUE_TEXTS: [&str; 4] = ["defaultMessage", "text", "validatorMessage", "issue"];

/// Fields with texts that also occur in ordinary data. If an object has only such a text and a name, it is not an
/// issue.
const TEXTS_OF_DATA: [&str; 6] = ["description", "detail", "summary", "title", "context", "text"];

/// Values of a code's field that only mean that there is an error, or that there is no error (R2).
pub const NO_CODES: [&str; 8] = ["error", "fail", "failed", "failure", "0", "none", "null", "undefined"];

/// Fields that contain the code of an issue (R13).
pub const ISSUE_CODES: [&str; 8] = ["code", "rule", "keyword", "errorCode", "error_code", "errorId", "type", "kind"];

/// Fields that contain the place of an issue, in the order of preference (R13).
pub const PLACES: [&str; 34] = [
    "path",
    "loc",
    "field",
    "fieldName",
    "field_name",
    "param",
    "paramName",
    "param_name",
    "parameter",
    "parameterName",
    "parameter_name",
    "attr",
    "attribute",
    "location",
    "instanceLocation",
    "instance_location",
    "fragment",
    "property",
    "propertyName",
    "property_name",
    "propertyPath",
    "property_path",
    "instancePath",
    "instance_path",
    "dataPath",
    "data_path",
    "pointer",
    "source",
    "key",
    "target",
    "members",
    "memberNames",
    "fields",
    "name",
];

/// Fields that contain a place in errors, and other values in data. Such fields are read as places only under a field
/// for errors, or next to a part of the request (R13).
pub const PLACES_OF_DATA: [&str; 7] = ["path", "key", "target", "members", "memberNames", "fields", "name"];

/// Returns true if a list of names contains a name in any letter case.
pub fn is_any(names: &[&str], name: &str) -> bool {
    names.iter().any(|it| it.eq_ignore_ascii_case(name))
}

/// Returns true if a field with this name contains a place wherever it is.
pub fn is_sure_place(name: &str) -> bool {
    is_any(&PLACES, name) && !is_any(&PLACES_OF_DATA, name)
}

/// Returns true if the elements of a list are certainly places. This is so for a list named `path`, and
/// for a list of texts named `fields` in an object with a code.
pub fn is_list_of_names(object: Node<'_, '_>, list: Node<'_, '_>) -> bool {
    let has_code = || ISSUE_CODES.iter().any(|name| object.string(name).is_some());
    let are_names = || list.children().next().is_some_and(Node::is_text);
    list.is_array() && (list.name() == "path" || list.name() == "fields" && are_names() && has_code())
}

/// Fields that contain the place in a body that is a single issue (R13). A `path` that is a list of names is also read
/// as a place.
pub const TOP_PLACES: [&str; 7] = ["field", "fieldName", "field_name", "param", "parameter", "pointer", "property"];

/// Further such fields, on a 400 or 422. On other statuses, they may name a thing that does not exist.
pub const TOP_PLACES_OF_INPUT: [&str; 7] =
    ["paramName", "param_name", "parameterName", "parameter_name", "propertyName", "property_name", "attribute"];

/// Texts that name no place, although they are in a field for places.
const NO_PLACES: [&str; 8] = ["None", "null", "undefined", "unknown", "$", ".", "(root)", "request_body"];

/// Fields that contain data which the client sent.
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

/// What the name of a field means for the values in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    Nothing,
    Errors,
    /// The field has errors in some services, and data in others.
    ErrorsOrData,
}

/// Returns true if ordinary data may also have a text in a field with this name.
pub fn is_text_of_data(name: &str) -> bool {
    TEXTS_OF_DATA.contains(&name)
}

/// Returns true if a field with this name contains the text of an error.
pub fn is_text_name(name: &str) -> bool {
    Ranks::new(name).text().is_some()
}

/// Returns true if a name is the name of an error's own code rather than of data: `code`, `errorCode`, `type`,
/// `status`, `key`.
pub fn is_code_name(name: &str) -> bool {
    name == "key" || Ranks::new(name).code(CodeName::Sure).is_some()
}

/// Returns true if a field with this name contains a text or a code (R2). An object with such a field is not a map from
/// fields to texts.
pub fn is_text_or_code(name: &str) -> bool {
    let is_text = || is_text_name(name) || is_any(&ISSUE_TEXTS, name);
    !is_name_of_data(name) && (is_text() || is_code_name(name))
}

/// Returns true if a name is used both for texts of errors and for data. A single word in such a field is not a text:
/// `{"context":"query.week"}` (R2).
pub fn is_name_of_data(name: &str) -> bool {
    name.eq_ignore_ascii_case("summary") || name.eq_ignore_ascii_case("context")
}

/// Returns true if a name ends like the name of a text: `userMessage`.
pub fn is_like_text(name: &str) -> bool {
    const ENDS: [&[u8]; 8] = [b"message", b"msg", b"text", b"reason", b"description", b"detail", b"error", b"title"];

    let mut buffer = [0; LONGEST];
    let name = if name.len() <= LONGEST { normalized(name, &mut buffer) } else { &[] };
    ENDS.iter().any(|end| name.ends_with(end))
}

/// Returns true if an object under this name is itself an error, rather than a list of the errors of fields:
/// `applicationError`, `ErrorDetail`.
pub fn is_like_error(name: &str) -> bool {
    let mut buffer = [0; LONGEST];
    let name = if name.len() <= LONGEST { normalized(name, &mut buffer) } else { &[] };
    name.starts_with(b"error") || name.ends_with(b"error") || name.ends_with(b"exception")
}

/// Returns true if a field may contain an error.
pub fn is_error_field(field: Node<'_, '_>, parent: Node<'_, '_>) -> bool {
    meaning(field, parent) != Meaning::Nothing || is_like_error(field.name()) || field.name() == "fault"
}

/// Returns true if this is a part of a request, as frameworks name it. A place may begin with such a part.
pub fn is_part(name: &str) -> bool {
    const PARTS: [&[&str]; 3] = [
        &["body", "query", "querystring", "params", "path", "header", "headers", "cookie", "cookies"],
        &["json", "form", "data", "files", "payload", "request", "req", "requestBody"],
        &["json_or_form", "query_and_form", "view_args"],
    ];

    PARTS.iter().any(|names| names.contains(&name))
}

/// Returns true if a dotted name in a map may begin with this part of the request. Parts that are also common names of
/// fields are excluded, such as `data` in `data.name`.
pub fn is_leading_part(name: &str) -> bool {
    matches!(
        name,
        "body" | "query" | "querystring" | "params" | "header" | "headers" | "cookie" | "cookies" | "request"
            // tsoa and Play use these two names.
            | "requestBody" | "obj"
    )
}

/// Returns true if a text in a field for places names no place.
pub fn is_no_place(text: &str) -> bool {
    text.is_empty() || NO_PLACES.contains(&text) || text.contains("://")
}

/// Returns true if the name of a field in a map is not a step in the paths of the issues below the field (R13).
pub fn is_whole(field: Node<'_, '_>, parent: Node<'_, '_>) -> bool {
    let name = field.name();
    if name.len() > LONGEST {
        return false;
    }
    is_whole_name(name)
        || is_part(name)
        || name == "children" && field.is_object()
        || is_flattened(field, parent)
        || meaning(field, parent) != Meaning::Nothing
}

/// Returns true if a name in a map, or a text in a field for places, means the whole request (R13).
pub fn is_whole_name(text: &str) -> bool {
    const WHOLE: [&[&str]; 3] = [
        &["", "$", "root", "(root)", "__root__", "__all__", "base", "instance", "request_body"],
        &["_error", "_errors", "_general", "_schema", "non_field_errors"],
        &["messages", "errorMessages", "error_messages", "full_messages"],
    ];

    WHOLE.iter().any(|names| names.contains(&text))
}

/// Returns true if the field is Valibot's `nested`, without other fields than the texts about the whole value.
fn is_flattened(field: Node<'_, '_>, parent: Node<'_, '_>) -> bool {
    field.name() == "nested" && parent.children().all(|it| matches!(it.name(), "nested" | "root" | "other"))
}

/// Returns the meaning of a field's name for the values in the field. The name may be spelled with capitals,
/// underscores and hyphens.
pub fn meaning(field: Node<'_, '_>, parent: Node<'_, '_>) -> Meaning {
    if field.name().len() > LONGEST || !may_mean_errors(field.name().as_bytes()) {
        return Meaning::Nothing;
    }
    let mut buffer = [0; LONGEST];
    let name = normalized(field.name(), &mut buffer);
    let ends: [&[u8]; 4] = [b"errors", b"errordetails", b"violations", b"issues"];
    match name {
        _ if ends.iter().any(|end| name.ends_with(end)) || name.starts_with(b"validation") => Meaning::Errors,
        b"errorcauses" | b"modelstate" | b"inner" | b"invalidparams" | b"invalidparameters" | b"invalidfields" => {
            Meaning::Errors
        }
        b"messages" if field.is_object() && !is_by_language(field) => Meaning::Errors,
        b"error" | b"detail" | b"details" | b"fields" | b"params" => Meaning::ErrorsOrData,
        b"message" if field.is_object() && !is_by_language(field) => Meaning::ErrorsOrData,
        b"data" if fails(parent) || has_keywords(field) => Meaning::ErrorsOrData,
        _ => Meaning::Nothing,
    }
}

/// Returns true if a field's name shows that the names inside the field are names of the request's fields:
/// `fieldErrors`, in any spelling.
pub fn names_fields(name: &str) -> bool {
    const NAMES: [&[u8]; 4] = [b"fielderrors", b"validationerrors", b"fieldviolations", b"modelstate"];

    let mut buffer = [0; LONGEST];
    name.len() <= LONGEST && NAMES.contains(&normalized(name, &mut buffer))
}

/// Returns true if a name may mean errors. The check is quick, because all such names end in one of a few letters, or
/// begin with `v`.
fn may_mean_errors(name: &[u8]) -> bool {
    let last = name.iter().rev().find(|letter| !matches!(letter, b'_' | b'-'));
    let first = name.iter().find(|letter| !matches!(letter, b'_' | b'-'));
    matches!(last, Some(b's' | b'r' | b'l' | b'e' | b'a' | b'S' | b'R' | b'L' | b'E' | b'A'))
        || matches!(first, Some(b'v' | b'V'))
}

/// Returns true if `status` in an object means a failure, or if `code` is the number of an error status (PocketBase).
fn fails(object: Node<'_, '_>) -> bool {
    let is_error = |number: &str| matches!(number.as_bytes(), [b'4' | b'5', _, _]);
    let has_error_code = || object.field("code").is_some_and(|code| is_error(code.raw()));
    let Some(status) = object.field("status") else { return has_error_code() };
    match status.word_or_digits() {
        Some(status) => matches!(&*status, "fail" | "failed" | "error") || is_error(&status),
        None => status.raw() == "false",
    }
}

/// Returns true if all values are lists of JSON Schema errors, as Objection sends them.
fn has_keywords(data: Node<'_, '_>) -> bool {
    let is_list = |list: Node<'_, '_>| list.elements().is_some_and(|mut it| it.all(|error| error.has("keyword")));
    data.is_object() && data.children().all(is_list)
}

/// Returns true if each name is the tag of a language (RFC 5646), such as `en` or `pt-BR`.
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
