//! The schemas of the envelope, in JSON Schema 2020-12, which OpenAPI 3.1 uses.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::codes::{Codes, Listed};
pub use error_envelope_fault::openapi::schema::embedded;
use error_envelope_fault::openapi::schema::{RETRYABLE, closed_object, error_fields, request_id};
pub(super) use error_envelope_fault::openapi::schema::{any_details, of_error, of_errors};

use super::form::CODE;
use super::tree::{Json, list, object, text};
use crate::code::ErrorCode;

/// The names of the schemas, which generated clients use as well.
pub const ENVELOPE: &str = "ErrorEnvelope";
const ERROR: &str = "ErrorInfo";
const ERROR_CODE: &str = "ErrorCode";
const VALIDATION_DETAILS: &str = "ValidationDetails";
const ISSUE: &str = "Issue";
const INVALID_REQUEST: &str = "invalid_request";
const ID: &str = "RequestId";

/// Returns the schema of the envelope (E1). `at` is the place of the schema's parts, such as `#/$defs/`.
pub fn envelope(at: &str) -> Json {
    closed_object([("error", reference(at, ERROR)), ("request_id", reference(at, ID))], &["error", "request_id"])
        .with("description", "The body of every error response.")
}

/// Returns the parts of the envelope's schema, by name.
pub fn parts(at: &str, codes: &Codes) -> Vec<(String, Json)> {
    let typed = codes_with_details(codes);
    let [details, issue] = validation(at);
    let fixed = [
        (ERROR_CODE, error_code(codes)),
        (ERROR, error(at, &typed)),
        (VALIDATION_DETAILS, details),
        (ISSUE, issue),
        (ID, request_id()),
    ];
    let fixed = fixed.into_iter().map(|(name, part)| (name.to_owned(), part));
    let shapes = codes.shapes.iter().map(|(name, schema)| (name.clone(), schema.clone().into()));
    fixed.chain(typed.into_iter().map(|Typed { name, schema, .. }| (name, schema))).chain(shapes).collect()
}

/// A code that has a schema for its details.
struct Typed {
    code: String,
    name: String,
    schema: Json,
}

/// Returns all codes that have a schema for their details, except `invalid_request`. Each schema gets a separate name.
fn codes_with_details(codes: &Codes) -> Vec<Typed> {
    let mut names = [ENVELOPE, ERROR, ERROR_CODE, VALIDATION_DETAILS, ISSUE, ID].map(str::to_owned).into();
    let each = codes.iter().filter(|listed| listed.name() != INVALID_REQUEST);
    each.filter_map(|listed| {
        let mut schema = embedded(&listed.details()?);
        schema.entry("description").or_insert_with(|| format!("The details of {}.", listed.name()).into());
        let name = details_name(listed.name(), &mut names);
        Some(Typed { code: listed.name().to_owned(), name, schema: Value::Object(schema).into() })
    })
    .collect()
}

/// Returns the name of the schema for a code's details, such as SeatTakenDetails for `seat_taken`. If two codes differ
/// only in underscores, the name for the second code keeps the underscores.
fn details_name(code: &str, taken: &mut BTreeSet<String>) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    let words: String = code.split('_').filter(|word| !word.is_empty()).map(capital).collect();
    let name = format!("{words}Details");
    let name = if taken.contains(&name) { format!("{code}_details") } else { name };
    taken.insert(name.clone());
    name
}

/// Returns a reference to the part with this name.
pub fn reference(at: &str, name: &str) -> Json {
    object([("$ref", text(format!("{at}{name}")))])
}

fn error(at: &str, typed: &[Typed]) -> Json {
    let members = error_fields(reference(at, ERROR_CODE), any_details());
    let error = closed_object(members, &["code", "message"]);
    let error = error.with("if", is_code(INVALID_REQUEST)).with("then", has_issues(at));
    if typed.is_empty() {
        return error;
    }
    let by_code = |typed: &Typed| object([("if", is_code(&typed.code)), ("then", has_details(at, &typed.name))]);
    error.with("allOf", list(typed.iter().map(by_code)))
}

fn is_code(code: &str) -> Json {
    let code = object([("const", text(code))]);
    object([("properties", object([("code", code)])), ("required", list(["code"]))])
}

/// Returns a schema for details that allows them to be absent. The schema also allows the details of an inner service's
/// envelope, which pass unchanged (E7).
fn has_details(at: &str, name: &str) -> Json {
    object([("properties", object([("details", this_or_any(at, name))]))])
}

fn this_or_any(at: &str, name: &str) -> Json {
    let as_they_came = "Details that a service put into an envelope of its own pass as they came.";
    let forms = list([reference(at, name), object([("description", text(as_they_came))])]);
    object([("anyOf", forms)])
}

/// Returns a schema that requires details with an issue list (E8). The schema also allows any other details, because
/// the details of an inner service's envelope pass unchanged.
fn has_issues(at: &str) -> Json {
    let details = this_or_any(at, VALIDATION_DETAILS);
    object([("properties", object([("details", details)])), ("required", list(["details"]))])
}

/// Returns the schema of codes. The set of codes is open (E2), because the last branch allows any code of the right
/// form.
fn error_code(codes: &Codes) -> Json {
    let listed =
        codes.iter().map(|listed| object([("const", text(listed.name())), ("description", text(listed.summary()))]));
    // Generators of types read a branch without a type as a value of any type.
    let any_other = object([("type", text("string")), ("description", text(format!("Any other code. {RETRYABLE}")))]);
    object([
        ("type", text("string")),
        ("pattern", text(CODE)),
        ("description", text(format!("The code that clients match on. The set is open. {RETRYABLE}"))),
        ("anyOf", list(listed.chain([any_other]))),
    ])
}

/// Returns the schemas of the details of an invalid request and of an issue in them, which the catalogue has as one
/// schema.
fn validation(at: &str) -> [Json; 2] {
    let mut details = Listed::from(ErrorCode::INVALID_REQUEST).details().unwrap_or_default();
    details["description"] = "The details of an invalid_request. Other fields may be present beside the list.".into();
    let place = &mut details["properties"]["issues"]["items"];
    let issue = std::mem::replace(place, json!({ "$ref": format!("{at}{ISSUE}") }));
    [details.into(), issue.into()]
}
