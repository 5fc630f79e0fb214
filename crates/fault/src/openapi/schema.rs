//! The schema of an envelope with certain errors, in JSON Schema 2020-12, which OpenAPI 3.1 uses.

use serde_json::{Map, Value};

use super::form::{CODE, DOCS, MAX_DOCS, MAX_MESSAGE, MESSAGE, REQUEST_ID, SAMPLE_ID};
use super::tree::{Json, list, object, text};
use crate::code::Retry;

pub const RETRYABLE: &str = "Treat a code that is not listed as transient: wait, then try again.";

/// Returns the schema as a part of a document. The dialect is left out, because the document declares it.
pub fn embedded(schema: &Value) -> Map<String, Value> {
    let mut members = schema.as_object().cloned().unwrap_or_default();
    members.remove("$schema");
    members
}

/// Returns the complete schema of an envelope that has one of these errors. [`of_error`] returns the schema of each
/// error.
pub fn of_errors(errors: impl IntoIterator<Item = Json>) -> Json {
    let error = object([("oneOf", list(errors))]);
    closed_object([("error", error), ("request_id", request_id())], &["error", "request_id"])
}

/// Returns the schema of an error with this code, and of its details, if they have a schema. The flag is true if the
/// error always has details.
pub fn of_error(code: &str, summary: &str, details: Option<&(Value, bool)>) -> Json {
    let is_required = details.is_some_and(|(_, is_required)| *is_required);
    let details = details.map_or_else(any_details, |(schema, _)| schema.clone().into());
    // Generators for Python distinguish errors by a `const`, but not by an `enum` of one value.
    let name = object([("type", text("string")), ("const", text(code))]);
    let members = error_fields(name, details);
    let required: &[&str] = if is_required { &["code", "message", "details"] } else { &["code", "message"] };
    closed_object(members, required).with("title", code).with("description", summary)
}

/// Returns the schema of an envelope with any error.
pub fn of_any_error() -> Json {
    let code = object([("type", text("string")), ("pattern", text(CODE)), ("description", text(RETRYABLE))]);
    let error = closed_object(error_fields(code, any_details()), &["code", "message"]);
    closed_object([("error", error), ("request_id", request_id())], &["error", "request_id"])
}

/// Returns the fields of an error, including the fields of rule E10. A service may send these fields even if the policy
/// does not add them.
pub fn error_fields(code: Json, details: Json) -> [(&'static str, Json); 5] {
    [("code", code), ("message", message()), ("details", details), ("retry", retry()), ("docs", docs())]
}

fn message() -> Json {
    object([
        ("type", text("string")),
        ("minLength", 1.into()),
        ("maxLength", MAX_MESSAGE.into()),
        ("pattern", text(MESSAGE)),
        ("description", text("One line for people, free to change: match on the code instead.")),
    ])
}

pub fn any_details() -> Json {
    object([("description", text("Any JSON value; absent where there is none."))])
}

fn retry() -> Json {
    let about = "What a client may do, where the error states it: this counts more than the advice of its code.";
    let words = Retry::VALUES.iter().map(|retry| retry.as_str());
    object([("type", text("string")), ("enum", list(words)), ("description", text(about))])
}

fn docs() -> Json {
    object([
        ("type", text("string")),
        ("format", text("uri")),
        ("maxLength", MAX_DOCS.into()),
        ("pattern", text(DOCS)),
        ("description", text("The page that describes the code, where the error names one.")),
    ])
}

pub fn request_id() -> Json {
    let about = "The id of the request, the same as in the header x-request-id: quote it when you ask for help.";
    object([
        ("type", text("string")),
        ("pattern", text(REQUEST_ID)),
        ("description", text(about)),
        ("examples", list([SAMPLE_ID])),
    ])
}

pub fn closed_object<const N: usize>(members: [(&str, Json); N], required: &[&str]) -> Json {
    object([
        ("type", text("object")),
        ("properties", object(members)),
        ("required", list(required.iter().copied())),
        ("additionalProperties", false.into()),
    ])
}
