//! Reads an error that the layer wrote in a place where no body is an envelope: a page, an event, a response to HEAD.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::dialects::DialectError;
use super::wrong::{wrong_body, wrong_of_head, wrong_of_layer, wrong_status};
use error_envelope_core::page::built_in_message;
use error_envelope_core::policy::Policy;

/// The name of the built-in page among the dialects.
pub(super) const HTML: &str = "html";

/// An error in another form than that of a dialect, as an envelope, and the deviations from what the layer writes.
pub(super) struct ReadForm {
    pub(super) name: Option<&'static str>,
    pub(super) body: Value,
    pub(super) wrong: Vec<String>,
}

impl ReadForm {
    /// Reads the built-in page for browsers (R16). Returns `None` if the body is no page.
    pub(super) fn of_page(status: Option<StatusCode>, headers: &HeaderMap, bytes: &[u8]) -> Option<Self> {
        let is_page = headers.get(CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(b"text/html"));
        let (code, id) = (line(headers, "x-error-code"), line(headers, "x-request-id"));
        if !is_page || code.is_empty() {
            return None;
        }
        let mut wrong = wrong_of_layer(headers, code, bytes);
        wrong.extend(status.and_then(wrong_status));
        let message = std::str::from_utf8(bytes).ok().and_then(|page| built_in_message(page, code, id));
        if message.is_none() {
            wrong.push("R16: the page is not the built-in one, whose message can be read".to_owned());
        }
        Some(Self { name: Some(HTML), body: envelope(code, &message.unwrap_or_default(), id), wrong })
    }

    /// Reads the response to a HEAD request (E5).
    pub(super) fn of_head(status: StatusCode, headers: &HeaderMap, bytes: &[u8]) -> Self {
        let (code, id) = (line(headers, "x-error-code"), line(headers, "x-request-id"));
        let mut wrong = wrong_of_head(headers, code);
        wrong.extend(wrong_status(status));
        if code.is_empty() {
            wrong.push("E4: x-error-code is missing".to_owned());
        }
        if !bytes.is_empty() {
            wrong.push(format!("E5: the response to a HEAD request has a body of {} bytes", bytes.len()));
        }
        Self { name: None, body: envelope(code, "", id), wrong }
    }

    /// Reads an event of an event stream (F6). `id` is the request id in the head of the response, if there is one.
    pub(super) fn of_event(policy: &Policy, event: &str, id: Option<&str>) -> Self {
        let data: Vec<_> = event.lines().filter_map(|line| line.strip_prefix("data:")).map(without_space).collect();
        let data = data.join("\n");
        let mut wrong = wrong_body(data.as_bytes());
        let read = match (wrong.is_empty(), DialectError::read(policy, None, &HeaderMap::new(), data.as_bytes())) {
            (true, _) => Some((None, serde_json::from_str(&data).unwrap_or_default())),
            (false, Some(DialectError { shape, body, .. })) => Some((Some(shape.as_str()), body)),
            (false, None) => None,
        };
        let Some((name, body)) = read else { return Self { name: None, body: Value::Null, wrong } };
        let own = body["request_id"].as_str();
        wrong = match (own, id) {
            (Some(own), Some(id)) if own != id => {
                vec![format!("E3: the request_id of the event is {own}, but x-request-id is {id}")]
            }
            _ => Vec::new(),
        };
        Self { name, body, wrong }
    }
}

/// Returns the last event of a stream.
pub(super) fn last_event(stream: &str) -> &str {
    stream.trim_end().rsplit("\n\n").next().unwrap_or_default()
}

fn without_space(data: &str) -> &str {
    data.strip_prefix(' ').unwrap_or(data)
}

fn line<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn envelope(code: &str, message: &str, id: &str) -> Value {
    json!({ "error": { "code": code, "message": message }, "request_id": id })
}
