//! Removes credentials from the bodies of errors, for clients (rule R17).

use std::borrow::Cow;

use super::json::json;
use super::{Strictness, text};

/// Returns a UTF-8 body in which everything that looks like a credential is replaced. Returns `None` if nothing was
/// replaced, or if the body is not text. JSON stays valid JSON, even in the events of an event stream.
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
        return json.is_changed.then(|| json.text.into_bytes());
    }
    let is_event_stream = body.split(['\r', '\n']).any(|line| line.starts_with("data:"));
    let redacted = if is_event_stream {
        redacted_events(body)
    } else {
        redacted_string(body).unwrap_or_else(|| text(body, Strictness::Readable))
    };
    match redacted {
        Cow::Borrowed(_) => None,
        Cow::Owned(redacted) => Some(redacted.into_bytes()),
    }
}

/// Redacts a body that is one JSON string.
fn redacted_string(body: &str) -> Option<Cow<'_, str>> {
    let inside: String = serde_json::from_str(body).ok()?;
    Some(match text(&inside, Strictness::Readable) {
        Cow::Borrowed(_) => Cow::Borrowed(body),
        Cow::Owned(redacted) => Cow::Owned(serde_json::Value::from(redacted).to_string()),
    })
}

fn redacted_events(body: &str) -> Cow<'_, str> {
    let (mut events, mut event) = (String::with_capacity(body.len()), Vec::new());
    let mut rest = body;
    while !rest.is_empty() {
        let (line, behind) = Line::split(rest);
        rest = behind;
        let is_last = line.field.is_empty() && line.value.is_empty();
        event.push(line);
        if is_last || rest.is_empty() {
            put_event(&mut events, &event);
            event.clear();
        }
    }
    if events == body { Cow::Borrowed(body) } else { Cow::Owned(events) }
}

/// A line of an event, split into the name of its field with the colon, the value, and the line end.
struct Line<'b> {
    field: &'b str,
    value: &'b str,
    end: &'b str,
}

impl<'b> Line<'b> {
    /// Returns the first line, and the lines after it.
    fn split(lines: &'b str) -> (Self, &'b str) {
        let length = lines.find(['\r', '\n']).unwrap_or(lines.len());
        let (line, behind) = lines.split_at(length);
        let end = if behind.starts_with("\r\n") { 2 } else { behind.len().min(1) };
        let (end, behind) = behind.split_at(end);
        let (field, value) = line.split_at(line.find(':').map_or(0, |colon| colon + 1));
        (Self { field, value, end }, behind)
    }

    fn data(&self) -> Option<&'b str> {
        (self.field == "data:").then(|| self.value.strip_prefix(' ').unwrap_or(self.value))
    }
}

/// Writes an event without its secrets. A client joins the event's lines of data, so a secret may be on another line
/// than its name.
fn put_event(events: &mut String, lines: &[Line<'_>]) {
    let mut joined = joined_data(lines);
    for Line { field, value, end } in lines {
        match &mut joined {
            Some(data) if *field == "data:" => {
                for line in std::mem::take(data) {
                    events.extend([*field, " ", &line, *end]);
                }
            }
            _ => events.extend([*field, &*redacted_value(value), *end]),
        }
    }
}

/// Returns the redacted data of an event with several lines, if a secret spans more than one line. JSON becomes one
/// line. Returns `None` if each line can be redacted separately.
fn joined_data(lines: &[Line<'_>]) -> Option<Vec<String>> {
    let data: Vec<&str> = lines.iter().filter_map(Line::data).collect();
    let is_json = |line: &&str| json(line, true, Strictness::Readable).is_some();
    if data.len() < 2 || data.iter().all(is_json) {
        return None;
    }
    let data = data.join("\n");
    match json(&data, true, Strictness::Readable) {
        Some(json) => json.is_changed.then(|| vec![json.text.replace('\n', "")]),
        None => match text(&data, Strictness::Readable) {
            Cow::Borrowed(_) => None,
            Cow::Owned(redacted) => Some(redacted.split('\n').map(str::to_owned).collect()),
        },
    }
}

fn redacted_value(value: &str) -> Cow<'_, str> {
    match json(value, true, Strictness::Readable) {
        Some(json) if json.is_changed => Cow::Owned(format!(" {}", json.text)),
        Some(_) => Cow::Borrowed(value),
        None => text(value, Strictness::Readable),
    }
}
