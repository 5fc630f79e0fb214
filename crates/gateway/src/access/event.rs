//! The event of a request in the access log.

use std::borrow::Cow;

use error_envelope_core::message::is_invisible;
use http::HeaderValue;

use super::entry::AccessEntry;

/// The longest text of a client's in an event; a longer one ends with `…`. With it, the lines that wait to be written
/// have a largest size.
const MAX_TEXT: usize = 1024;

/// Logs a request that has ended.
pub(super) fn log_request(entry: &AccessEntry) {
    let header =
        |value: Option<&HeaderValue>| value.map(|value| text(&String::from_utf8_lossy(value.as_bytes())).into_owned());
    let (request_bytes, response_bytes) = entry.bytes();
    tracing::info!(
        target: "access",
        request_id = entry.request_id().map(display),
        method = &*text(entry.method().as_str()),
        path = &*text(entry.path()),
        route = entry.route(),
        status = entry.status().map(|status| status.as_u16()),
        code = header(entry.code()).as_deref(),
        outcome = entry.outcome(),
        duration_ms = entry.duration().as_micros() as f64 / 1000.0,
        request_bytes,
        response_bytes,
        caller = entry.caller().map(text).as_deref(),
        client_address = %entry.client(),
        user_agent = header(entry.user_agent()).as_deref(),
        host = entry.host().map(text).as_deref(),
        protocol = ?entry.version(),
        upstream = entry.upstream(),
    );
}

/// A client's text on one line: invisible characters, and those that change the direction of writing, are escaped.
fn text(text: &str) -> Cow<'_, str> {
    let is_plain = |it: char| !is_invisible(it);
    if text.len() <= MAX_TEXT && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(MAX_TEXT);
    for it in text.chars() {
        if shown.len() >= MAX_TEXT {
            shown.push('…');
            break;
        }
        if is_plain(it) { shown.push(it) } else { shown.extend(it.escape_unicode()) }
    }
    Cow::Owned(shown)
}
