//! Reads an error that the layer wrote where no body is an envelope: an event of a stream, or a response to HEAD.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::dialects::ReadForm;
use super::wrong::{wrong_body, wrong_of_head, wrong_status};
use error_envelope_core::policy::Policy;

impl ReadForm {
    /// Reads the response to a HEAD request (E5).
    pub(super) fn of_head(status: StatusCode, headers: &HeaderMap, bytes: &[u8]) -> Self {
        let line = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (code, id) = (line("x-error-code"), line("x-request-id"));
        let mut wrong = wrong_of_head(headers, code);
        wrong.extend(wrong_status(status));
        if code.is_empty() {
            wrong.push("E4: x-error-code is missing".to_owned());
        }
        if !bytes.is_empty() {
            wrong.push(format!("E5: the response to a HEAD request has a body of {} bytes", bytes.len()));
        }
        Self { name: None, body: json!({ "error": { "code": code, "message": "" }, "request_id": id }), wrong }
    }

    /// Reads an event of an event stream (F6). `id` is the request id in the head of the response, if there is one.
    pub(super) fn of_event(policy: &Policy, event: &str, id: Option<&str>) -> Self {
        let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
        let data = data.map(|data| data.strip_prefix(' ').unwrap_or(data)).collect::<Vec<_>>().join("\n");
        let wrong = wrong_body(data.as_bytes());
        let dialect = Self::of_dialect(policy, None, &HeaderMap::new(), data.as_bytes());
        let (name, body) = match (wrong.is_empty(), dialect) {
            (true, _) => (None, serde_json::from_str(&data).unwrap_or_default()),
            (false, Some(Self { name, body, .. })) => (name, body),
            (false, None) => return Self { name: None, body: Value::Null, wrong },
        };
        let own = body["request_id"].as_str();
        let wrong = match (own, id) {
            (Some(own), Some(id)) if own != id => {
                vec![format!("E3: the request_id of the event is {own}, but x-request-id is {id}")]
            }
            _ => Vec::new(),
        };
        Self { name, body, wrong }
    }
}
