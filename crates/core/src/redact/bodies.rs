//! Bodies of errors without credentials, for clients (rule R17).

use std::borrow::Cow;

use super::json::json;
use super::{Strictness, text};

/// A body in UTF-8 without what looks like a credential; `None` where it has none, or is no text. JSON stays JSON, also in
/// the events of an event stream.
///
/// ```
/// use error_envelope_core::redact::body;
///
/// assert_eq!(body(br#"{"a":1,"token":"tok_4711"}"#).unwrap(), br#"{"a":1,"token":"[redacted]"}"#);
/// assert_eq!(body(b"Not found"), None);
/// ```
#[must_use]
pub fn body(body: &[u8]) -> Option<Vec<u8>> {
    let body = str::from_utf8(body).ok()?;
    if let Some(json) = json(body, true, Strictness::Readable) {
        return json.is_changed().then(|| json.into_text().into_bytes());
    }
    let less = if is_event_stream(body) {
        of_events(body)
    } else {
        of_string(body).unwrap_or_else(|| text(body, Strictness::Readable))
    };
    match less {
        Cow::Borrowed(_) => None,
        Cow::Owned(less) => Some(less.into_bytes()),
    }
}

/// One JSON string.
fn of_string(body: &str) -> Option<Cow<'_, str>> {
    let inside: String = serde_json::from_str(body).ok()?;
    Some(match text(&inside, Strictness::Readable) {
        Cow::Borrowed(_) => Cow::Borrowed(body),
        Cow::Owned(less) => Cow::Owned(serde_json::Value::from(less).to_string()),
    })
}

fn is_event_stream(body: &str) -> bool {
    let is_data = |line: &str| line.starts_with("data:");
    body.split(['\r', '\n']).any(is_data)
}

fn of_events(body: &str) -> Cow<'_, str> {
    let mut events = String::with_capacity(body.len());
    for line in body.split_inclusive(['\r', '\n']) {
        let (data, end) = line.split_at(line.trim_end_matches(['\r', '\n']).len());
        let (field, value) = data.split_once(':').map_or(("", data), |(field, _)| data.split_at(field.len() + 1));
        let less = match json(value, true, Strictness::Readable) {
            Some(json) if json.is_changed() => Cow::Owned(format!(" {}", json.into_text())),
            Some(_) => Cow::Borrowed(value),
            None => text(value, Strictness::Readable),
        };
        events.push_str(field);
        events.push_str(&less);
        events.push_str(end);
    }
    if events == body { Cow::Borrowed(body) } else { Cow::Owned(events) }
}
