//! Checks the envelope's exact bytes (E1, E2, E8): keys in order, compact, and one printable line as message.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::value;

/// A canonical body, with the raw text of its details.
pub(super) struct Envelope {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) details: Option<String>,
    /// E10's fields.
    pub(super) retry: Option<String>,
    pub(super) docs: Option<String>,
    pub(super) request_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outer<'a> {
    #[serde(borrow)]
    error: Error<'a>,
    #[serde(borrow)]
    request_id: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Error<'a> {
    #[serde(borrow)]
    code: &'a RawValue,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow, default, deserialize_with = "present")]
    details: Option<&'a RawValue>,
    #[serde(borrow)]
    retry: Option<&'a RawValue>,
    #[serde(borrow)]
    docs: Option<&'a RawValue>,
}

/// `null` counts as details too, and an `Option` alone would read it as absent.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads the body by slices, so that details of any depth need no stack.
pub(super) fn read(body: &[u8]) -> Result<Envelope, String> {
    let text = std::str::from_utf8(body).map_err(|error| format!("the body is not UTF-8: {error}"))?;
    let outer: Outer<'_> = serde_json::from_str(text).map_err(|error| format!("no envelope: {error}"))?;
    let string = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).map_err(|_| format!("{raw} is no text"));
    let envelope = Envelope {
        code: string(outer.error.code)?,
        message: string(outer.error.message)?,
        details: outer.error.details.map(|raw| raw.get().to_owned()),
        retry: outer.error.retry.map(string).transpose()?,
        docs: outer.error.docs.map(string).transpose()?,
        request_id: string(outer.request_id)?,
    };
    let exact = rebuilt(&outer);
    if exact == text { Ok(envelope) } else { Err("the keys are not in the contract's order, or not compact".into()) }
}

fn rebuilt(outer: &Outer<'_>) -> String {
    let field =
        |name: &str, raw: Option<&RawValue>| raw.map(|raw| format!(r#","{name}":{}"#, raw.get())).unwrap_or_default();
    let Error { details, retry, docs, .. } = &outer.error;
    let further = [field("details", *details), field("retry", *retry), field("docs", *docs)].concat();
    let (code, message, id) = (outer.error.code.get(), outer.error.message.get(), outer.request_id.get());
    format!(r#"{{"error":{{"code":{code},"message":{message}{further}}},"request_id":{id}}}"#)
}

/// Returns the length of an envelope without details, which a HEAD response's content-length states (E5).
pub(super) fn length_without_details(code: &str, message: &str, id: &str) -> usize {
    let text = |text: &str| serde_json::to_string(text).expect("a text is JSON").len();
    r#"{"error":{"code":,"message":},"request_id":}"#.len() + text(code) + text(message) + text(id)
}

/// Returns the faults of an envelope that are faults in every case.
pub(super) fn wrong(envelope: &Envelope) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    if !is_code(&envelope.code) {
        wrong.push(("E2", format!("the code {:?} has not the form of one", envelope.code)));
    }
    if let Some(reason) = unprintable(&envelope.message) {
        wrong.push(("E2", format!("the message {:?} {reason}", envelope.message)));
    }
    wrong
}

/// Returns true if the text has the form of a code, in the body as in `x-error-code` (E2).
pub(super) fn is_code(code: &str) -> bool {
    value::matches("[a-z][a-z0-9_]{0,62}", code)
}

fn unprintable(message: &str) -> Option<&'static str> {
    let bidi =
        |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if message.trim().is_empty() {
        return Some("is empty");
    }
    if message.len() > 1024 {
        return Some("is longer than 1,024 bytes");
    }
    message.chars().any(|c| bidi(c) || breaks(c)).then_some("is not one printable line")
}

/// E8: the details are a non-empty list of `{path, message, code?}`.
pub(super) fn issues_wrong(details: Option<&str>) -> Option<String> {
    let Some(details) = details else { return Some("invalid_request without details".into()) };
    let details = value::json(details).ok()?;
    let Some(issues) = details.get("issues").and_then(serde_json::Value::as_array) else {
        return Some("invalid_request without a list `issues` in its details".into());
    };
    if issues.is_empty() {
        return Some("`issues` is empty".into());
    }
    issues.iter().find(|issue| !is_issue(issue)).map(|issue| format!("{issue} is no issue"))
}

fn is_issue(issue: &serde_json::Value) -> bool {
    let path = issue.get("path").and_then(serde_json::Value::as_array);
    let step = |step: &serde_json::Value| step.is_string() || step.is_u64();
    let text = |key: &str| issue.get(key).is_some_and(serde_json::Value::is_string);
    path.is_some_and(|path| path.iter().all(step)) && text("message") && (issue.get("code").is_none() || text("code"))
}
