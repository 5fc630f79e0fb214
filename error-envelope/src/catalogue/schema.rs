//! The shapes of the envelope as JSON Schema 2020-12, which OpenAPI 3.1 shares.

use super::codes::{Codes, Listed};
use super::form::{CODE, MAX_MESSAGE, MESSAGE, REQUEST_ID, SAMPLE_ID};
use super::tree::{Json, list, object, text};

/// The names of the shapes, as clients that are generated from them will call them.
pub(super) const ENVELOPE: &str = "ErrorEnvelope";
const ERROR: &str = "ErrorInfo";
const ERROR_CODE: &str = "ErrorCode";
const RETRYABLE: &str = "A code that is not listed is to be treated as transient: wait, then try again.";
const VALIDATION_DETAILS: &str = "ValidationDetails";
const ISSUE: &str = "Issue";
const ID: &str = "RequestId";

/// The envelope (E1); `at` is where its parts are, such as `#/$defs/`.
pub(super) fn envelope(at: &str) -> Json {
    closed_object([("error", reference(at, ERROR)), ("request_id", reference(at, ID))], &["error", "request_id"])
        .with("description", "The body of every error response.")
}

/// The parts of the envelope by name.
pub(super) fn parts(at: &str, codes: &Codes) -> Vec<(&'static str, Json)> {
    vec![
        (ERROR, error(at)),
        (ERROR_CODE, error_code(codes)),
        (VALIDATION_DETAILS, validation_details(at)),
        (ISSUE, issue()),
        (ID, request_id()),
    ]
}

pub(super) fn reference(at: &str, name: &str) -> Json {
    object([("$ref", text(format!("{at}{name}")))])
}

fn error(at: &str) -> Json {
    let message = object([
        ("type", text("string")),
        ("minLength", 1.into()),
        ("maxLength", MAX_MESSAGE.into()),
        ("pattern", text(MESSAGE)),
        ("description", text("One line for people, free to change: match on the code instead.")),
    ]);
    let details = object([("description", text("Any JSON value; absent where there is none."))]);
    let members = [("code", reference(at, ERROR_CODE)), ("message", message), ("details", details)];
    closed_object(members, &["code", "message"]).with("if", is_invalid_request()).with("then", has_issues(at))
}

fn is_invalid_request() -> Json {
    let code = object([("const", text("invalid_request"))]);
    object([("properties", object([("code", code)])), ("required", list(["code"]))])
}

/// E8. A canonical envelope from inside keeps its details as they came, so that no shape can be required of them.
fn has_issues(at: &str) -> Json {
    let as_they_came = "Details that a service put into an envelope of its own pass as they came.";
    let details = list([reference(at, VALIDATION_DETAILS), object([("description", text(as_they_came))])]);
    object([("properties", object([("details", object([("anyOf", details)]))])), ("required", list(["details"]))])
}

/// Open at the end (E2): the last branch takes every code of the form.
fn error_code(codes: &Codes) -> Json {
    let any_other = object([("description", text(format!("Any other code. {RETRYABLE}")))]);
    object([
        ("type", text("string")),
        ("pattern", text(CODE)),
        ("description", text(format!("What clients match on. The set is open. {RETRYABLE}"))),
        ("anyOf", list(codes.iter().map(known).chain([any_other]))),
    ])
}

fn known(listed: &Listed) -> Json {
    object([("const", text(listed.name())), ("description", text(listed.summary()))])
}

fn validation_details(at: &str) -> Json {
    let issues = object([
        ("type", text("array")),
        ("items", reference(at, ISSUE)),
        ("minItems", 1.into()),
        ("description", text("What is wrong, and where.")),
    ]);
    object([
        ("type", text("object")),
        ("properties", object([("issues", issues)])),
        ("required", list(["issues"])),
        ("description", text("The details of an invalid_request. Other members may stand beside the list.")),
    ])
}

fn issue() -> Json {
    let index = object([("type", text("integer")), ("minimum", 0.into())]);
    let step = object([("anyOf", list([object([("type", text("string"))]), index]))]);
    let path = object([
        ("type", text("array")),
        ("items", step),
        ("description", text("Names and indices that lead to the value; empty for the whole request.")),
    ]);
    let members = object([
        ("path", path),
        ("message", object([("type", text("string"))])),
        ("code", object([("type", text("string"))])),
    ]);
    object([("type", text("object")), ("properties", members), ("required", list(["path", "message"]))])
}

fn request_id() -> Json {
    object([
        ("type", text("string")),
        ("pattern", text(REQUEST_ID)),
        (
            "description",
            text("The id of the request, the same as in the header x-request-id: name it when you ask for help."),
        ),
        ("examples", list([SAMPLE_ID])),
    ])
}

fn closed_object<const N: usize>(members: [(&str, Json); N], required: &[&str]) -> Json {
    object([
        ("type", text("object")),
        ("properties", object(members)),
        ("required", list(required.iter().copied())),
        ("additionalProperties", false.into()),
    ])
}
