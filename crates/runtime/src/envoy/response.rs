//! The head and the trailers of a response in Envoy's lines.

use error_envelope_core::session::{HeaderMutation, changes};
use http::header::HOST;
use http::{HeaderMap, StatusCode, response};

use super::lines::{HeaderLines, append, is_plain, shared};

/// Whether a response can pass although its head is not parsed: if `passes` accepts its status, and its header lines
/// are plain.
pub fn can_pass_unparsed<'l>(lines: impl HeaderLines<'l>, passes: impl FnOnce(StatusCode) -> bool) -> bool {
    let status = lines.iter().find(|(name, _)| *name == b":status");
    let status = status.and_then(|(_, value)| StatusCode::from_bytes(value).ok());
    status.is_some_and(passes)
        && lines.count() <= MAX_COPIED_LINES
        && lines.iter().all(|(name, value)| match name {
            b"x-request-id" | b"access-control-allow-origin" => false,
            [b':', ..] => true,
            name => is_plain(name, value),
        })
}

/// The most lines of a head from which single lines are copied. A head with more lines is parsed as a whole.
pub const MAX_COPIED_LINES: usize = 256;

/// Parses a response's head; `None` if it is not valid.
pub fn response<'l>(lines: impl HeaderLines<'l>) -> Option<response::Parts> {
    let mut parts = http::Response::new(()).into_parts().0;
    let mut status = None;
    parts.headers.reserve(lines.count());
    for (name, value) in shared(lines) {
        match name {
            b":status" => status = StatusCode::from_bytes(&value).ok(),
            [b':', ..] => {}
            _ => append(&mut parts.headers, name, value).ok()?,
        }
    }
    parts.status = status?;
    Some(parts)
}

/// Parses trailers; `None` if a line is not valid.
pub fn trailers<'l>(lines: impl HeaderLines<'l>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(lines.count());
    for (name, value) in shared(lines) {
        append(&mut headers, name, value).ok()?;
    }
    Some(headers)
}

/// The names whose lines have changed, with their new values. Envoy itself makes the line `host`, so that one stays.
pub fn mutations<'l, 'a>(lines: impl HeaderLines<'l>, after: &'a HeaderMap) -> Vec<HeaderMutation<'a>> {
    let has_host = after.contains_key(HOST);
    let before = lines.iter().filter_map(|(name, value)| match name {
        b":authority" if has_host => Some((&b"host"[..], value)),
        [b':', ..] => None,
        name => Some((name, value)),
    });
    let mut changed = changes(before, after);
    if lines.iter().any(|(name, _)| name == b":method") {
        changed.retain(|it| *it.name != HOST);
    }
    changed
}

/// The new status, if the response's status was changed.
pub fn changed_status<'l>(lines: impl HeaderLines<'l>, after: &response::Parts) -> Option<StatusCode> {
    let status = after.status.as_str().as_bytes();
    let same = lines.iter().any(|(name, value)| name == b":status" && value == status);
    (!same).then_some(after.status)
}
