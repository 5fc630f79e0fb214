//! Reads an error that the layer wrote in another dialect than the envelope, as clients of that dialect would read it.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::wrong::{wrong_length, wrong_of_head, wrong_parts};
use error_envelope_core::client::{self, ClientError, ResponseView};
use error_envelope_core::dialect::{Dialect, Shape};
use error_envelope_core::policy::Policy;

/// An error that the layer wrote in another form than that of a whole response in the envelope.
pub(super) struct ReadForm {
    /// The dialect, if it is not the envelope.
    pub(super) name: Option<&'static str>,
    /// The content of the error in the form of the envelope.
    pub(super) body: Value,
    /// The differences from what the layer writes.
    pub(super) wrong: Vec<String>,
}

impl ReadForm {
    /// Reads the error of a whole response, in the envelope or in another dialect.
    pub(super) fn of_response(policy: &Policy, status: Option<StatusCode>, headers: &HeaderMap, bytes: &[u8]) -> Self {
        let wrong = wrong_parts(status, headers, bytes);
        match Self::of_dialect(policy, status, headers, bytes).filter(|_| !wrong.is_empty()) {
            None => Self { name: None, body: serde_json::from_slice(bytes).unwrap_or_default(), wrong },
            Some(mut read) => {
                if !read.wrong.is_empty() {
                    let name = read.name.unwrap_or_default();
                    let wrong = format!("it was read as the dialect {name:?}: {}", read.body["error"]);
                    read.wrong.insert(0, wrong);
                }
                read
            }
        }
    }

    /// Reads the error of a response in another dialect than the envelope. Returns `None` if its body is the envelope,
    /// or has no shape that the layer writes.
    pub(super) fn of_dialect(
        policy: &Policy,
        status: Option<StatusCode>,
        headers: &HeaderMap,
        bytes: &[u8],
    ) -> Option<Self> {
        let error = content(policy, status, headers, bytes);
        let shape = error.shape().filter(is_written_by_layer)?;
        let mut wrong = wrong_of_head(headers, error.code().as_str());
        wrong.extend(wrong_length(headers, bytes));
        if let Some(status) = status.filter(|status| !client::fails(*status, headers) && error.grpc().is_none()) {
            wrong.push(format!("E1: the status {status} is not an error status"));
        }
        Some(Self { name: Some(shape.as_str()), body: envelope(&error), wrong })
    }
}

/// Parses the error. If the body fits several dialects, the status decides which one is used. If `status` is missing,
/// the status of the code in the head is used instead.
fn content(policy: &Policy, status: Option<StatusCode>, headers: &HeaderMap, bytes: &[u8]) -> ClientError {
    let named = || policy.codes().find(headers.get("x-error-code")?.to_str().ok()?).map(|code| code.status());
    let response = ResponseView {
        status: status.or_else(named).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        headers,
        body: Some(bytes),
        trailers: None,
        shapes: policy.own_shapes(),
        limit: usize::MAX,
    };
    client::read_failed(&response, policy.codes(), error_envelope_runtime::now)
}

fn is_written_by_layer(shape: &Shape) -> bool {
    match shape {
        Shape::Standard => false,
        Shape::Grpc | Shape::Connect | Shape::Custom(_) => true,
        other => Dialect::ALL.iter().any(|dialect| dialect.as_str() == other.as_str()),
    }
}

fn envelope(error: &ClientError) -> Value {
    let mut body = json!({
        "error": { "code": error.code().as_str(), "message": error.message() },
        "request_id": error.request_id(),
    });
    if let Some(details) = error.details_json().and_then(|details| serde_json::from_str::<Value>(details).ok()) {
        body["error"]["details"] = details;
    }
    body
}
