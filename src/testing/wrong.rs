//! Finds the rules of the contract that a response violates if it should be the envelope.

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use error_envelope_core::request_id::RequestId;
use error_envelope_core::{code, message};

const EMPTY: &str = "E1: the body is empty (`Envelope::of_head` reads a response to HEAD; a `Fault` or an error of \
                     your own is empty until the layer writes it: send the request through the router with the \
                     layer, or assert on `Fault::from(error)`)";

pub(super) fn wrong_body(bytes: &[u8]) -> Vec<String> {
    if bytes.is_empty() {
        return vec![EMPTY.to_owned()];
    }
    let raw: Raw<'_> = match serde_json::from_slice(bytes) {
        Ok(raw) => raw,
        Err(error) => return vec![format!("E1: the body is not the envelope: {error}")],
    };
    let mut wrong = Vec::new();
    if serde_json::to_vec(&raw).is_ok_and(|right| right != bytes) {
        wrong.push("E1: the body is not compact, has other fields, or has them in another order".to_owned());
    }
    let text = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).unwrap_or_default();
    let (code, sent) = (text(raw.error.code), text(raw.error.message));
    if !code::is_well_formed(code.as_bytes()) {
        wrong.push(format!("E2: the code {} is not of the form [a-z][a-z0-9_]{{0,62}}", raw.error.code));
    }
    if message::clean(&sent).as_deref() != Some(&*sent) {
        wrong.push("E2: the message is empty, too long, or not one printable line".to_owned());
    }
    if text(raw.request_id).parse::<RequestId>().is_err() {
        wrong.push(format!("I1: the request_id {} is not well formed", raw.request_id));
    }
    wrong
}

/// Lists the errors of a response that should be the envelope: those of its body, then those of its head.
pub(super) fn wrong_parts(status: Option<StatusCode>, headers: &HeaderMap, bytes: &[u8]) -> Vec<String> {
    let body: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let mut wrong = wrong_body(bytes);
    wrong.extend(status.and_then(wrong_status));
    wrong.extend(wrong_lines(
        headers,
        &[
            ("E1", "content-type", Some("application/json")),
            ("E3", "x-request-id", body["request_id"].as_str()),
            ("E4", "x-error-code", body["error"]["code"].as_str()),
            ("E4", "x-content-type-options", Some("nosniff")),
        ],
    ));
    wrong.extend(wrong_length(headers, bytes));
    wrong
}

/// Lists the errors in the headers of an error response, whose body may be in any dialect or absent.
pub(super) fn wrong_of_head(headers: &HeaderMap, code: &str) -> Vec<String> {
    let right = [("E4", "x-error-code", Some(code)), ("E4", "x-content-type-options", Some("nosniff"))];
    let mut wrong = wrong_lines(headers, &right);
    let id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    if id.is_none_or(|id| id.parse::<RequestId>().is_err()) {
        wrong.push(format!("E3: x-request-id should be an id such as req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D, but is {id:?}"));
    }
    wrong
}

/// Lists the wrong header lines. Each entry of `right` consists of a rule, a header, and the value that the header
/// should have, if that value is known.
fn wrong_lines(headers: &HeaderMap, right: &[(&str, &str, Option<&str>)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (rule, name, right) in right {
        let lines: Vec<_> = headers.get_all(*name).iter().collect();
        if right.is_some_and(|right| lines != [right]) {
            wrong.push(format!("{rule}: {name} should be {:?}, but is {lines:?}", right.unwrap_or_default()));
        }
    }
    wrong
}

/// Returns the error of a status that does not mean an error.
pub(super) fn wrong_status(status: StatusCode) -> Option<String> {
    let is_error = status.is_client_error() || status.is_server_error();
    (!is_error).then(|| format!("E1: the status {status} is not an error status"))
}

/// Returns the error of a length that is not that of the body.
pub(super) fn wrong_length(headers: &HeaderMap, bytes: &[u8]) -> Option<String> {
    let length = headers.get(http::header::CONTENT_LENGTH).filter(|length| **length != *bytes.len().to_string())?;
    Some(format!("E1: content-length is {length:?}, and the body has {} bytes", bytes.len()))
}

/// The fields of the envelope in the order of rule E1. Each field has the bytes of the body.
#[derive(Deserialize, Serialize)]
struct Raw<'a> {
    #[serde(borrow)]
    error: RawError<'a>,
    #[serde(borrow)]
    request_id: &'a RawValue,
}

#[derive(Deserialize, Serialize)]
struct RawError<'a> {
    #[serde(borrow)]
    code: &'a RawValue,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    details: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    retry: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    docs: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    cause: Option<&'a RawValue>,
}
