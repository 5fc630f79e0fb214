//! Formats a line of the access log: as JSON, or in the combined format of Apache and nginx.

use std::borrow::Cow;
use std::fmt::Write;

use humantime::{format_rfc3339_millis, format_rfc3339_seconds};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::entry::Entry;
use super::fields::AccessField;

/// The most characters of a client's text in a line; a longer text ends with `…`.
const MAX_TEXT: usize = 1024;

pub(super) fn json(entry: &Entry, fields: &[AccessField]) -> String {
    // This cannot fail: keys are texts, and numbers are finite.
    let mut line = serde_json::to_string(&JsonLine { entry, fields }).unwrap_or_default();
    line.push('\n');
    line
}

struct JsonLine<'a> {
    entry: &'a Entry,
    fields: &'a [AccessField],
}

impl Serialize for JsonLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(Some(self.fields.len()))?;
        for field in self.fields {
            line.serialize_key(field.name())?;
            let entry = self.entry;
            let header = |value: Option<&http::HeaderValue>| value.map(|value| text(&lossy_text(value)).into_owned());
            match field {
                AccessField::Timestamp => line.serialize_value(&format_rfc3339_millis(entry.time).to_string()),
                AccessField::RequestId => line.serialize_value(&entry.slot.request_id().map(|id| id.to_string())),
                AccessField::Method => line.serialize_value(&text(entry.method.as_str())),
                AccessField::Path => line.serialize_value(&text(entry.path())),
                AccessField::Route => line.serialize_value(&entry.slot.route()),
                AccessField::Status => line.serialize_value(&entry.status.get().map(|status| status.as_u16())),
                AccessField::Code => line.serialize_value(&header(entry.code.get())),
                AccessField::Outcome => line.serialize_value(entry.outcome().as_str()),
                AccessField::DurationMs => line.serialize_value(&milliseconds(entry)),
                AccessField::RequestBytes => line.serialize_value(&entry.bytes().0),
                AccessField::ResponseBytes => line.serialize_value(&entry.bytes().1),
                AccessField::Caller => line.serialize_value(&entry.caller.get().map(|caller| text(caller))),
                AccessField::ClientAddress => line.serialize_value(&entry.client.to_string()),
                AccessField::UserAgent => line.serialize_value(&header(entry.user_agent.as_ref())),
                AccessField::Host => line.serialize_value(&entry.host.as_deref().map(text)),
                AccessField::Protocol => line.serialize_value(&format!("{:?}", entry.version)),
                AccessField::Upstream => line.serialize_value(&entry.upstream.get().map(|url| &**url)),
            }?;
        }
        line.end()
    }
}

/// The duration in milliseconds, to three decimal places.
fn milliseconds(entry: &Entry) -> f64 {
    entry.duration().as_micros() as f64 / 1000.0
}

/// `client - - [time] "METHOD path protocol" status bytes "-" "user agent"`. The referrer is left out: it may have the query
/// of another site (L3).
pub(super) fn combined(entry: &Entry) -> String {
    let mut line = String::with_capacity(160);
    let status = entry.status.get().map_or(0, |status| status.as_u16());
    let agent = entry.user_agent.as_ref().map_or(Cow::Borrowed("-"), lossy_text);
    let _ = writeln!(
        line,
        "{} - - [{}] \"{} {} {:?}\" {status} {} \"-\" \"{}\"",
        entry.client,
        apache_time(entry),
        quoted(entry.method.as_str()),
        quoted(entry.path()),
        entry.version,
        entry.bytes().1,
        quoted(&agent),
    );
    line
}

/// The time in Apache's format: `23/Nov/2026:01:02:03 +0000` for `2026-11-23T01:02:03Z`.
fn apache_time(entry: &Entry) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

    let time = format_rfc3339_seconds(entry.time).to_string();
    let (date, clock) = time.trim_end_matches('Z').split_once('T').unwrap_or_default();
    let mut parts = date.split('-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let month = month.and_then(|month| MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?));
    format!("{}/{}/{}:{clock} +0000", day.unwrap_or("-"), month.unwrap_or(&"-"), year.unwrap_or("-"))
}

fn lossy_text(value: &http::HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

/// A client's text on one line: invisible characters, and those that change the direction of writing, are escaped.
fn text(text: &str) -> Cow<'_, str> {
    let is_plain = |it: char| !it.is_control() && !is_format(it);
    if text.len() <= MAX_TEXT && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len().min(MAX_TEXT) + 8);
    for it in text.chars().take(MAX_TEXT) {
        if is_plain(it) { shown.push(it) } else { shown.extend(it.escape_unicode()) }
    }
    if text.chars().nth(MAX_TEXT).is_some() {
        shown.push('…');
    }
    Cow::Owned(shown)
}

/// Unicode's format characters and line separators: bidirectional overrides, and invisible characters.
fn is_format(it: char) -> bool {
    matches!(it, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A text in quotes, escaped as Apache does it.
fn quoted(value: &str) -> String {
    let mut shown = String::with_capacity(value.len());
    for it in text(value).chars() {
        match it {
            '"' | '\\' => shown.extend(['\\', it]),
            _ => shown.push(it),
        }
    }
    shown
}
