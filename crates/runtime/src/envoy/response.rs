//! The head and the trailers of a response in Envoy's lines.

use error_envelope_core::session::{Follow, HeaderMutation, Note, ResponseStep, Session, changes};
use http::header::HOST;
use http::{HeaderMap, StatusCode, response};

use super::lines::{HeaderLines, append, facts, shared};
use super::local_reply::EnvoyReply;

/// Decides by the head of a response, which the service made, or Envoy itself (`own`, V2). Returns the changed head.
pub fn respond<'l>(
    session: &mut Session,
    lines: impl HeaderLines<'l>,
    ended: bool,
    own: Option<EnvoyReply>,
) -> (ResponseStep, response::Parts) {
    let parsed = parse(lines);
    let failure = match (&parsed, &own) {
        (Some(head), Some(own)) => own.failure(head),
        (Some(_), None) => None,
        (None, _) => Some(StatusCode::BAD_GATEWAY),
    };
    let mut head = parsed.unwrap_or_else(|| http::Response::new(()).into_parts().0);
    let step = match failure {
        Some(status) => own.unwrap_or_else(|| EnvoyReply::new("no proper head")).fail(session, &mut head, status),
        None => {
            let facts = facts(&head.headers, ended);
            session.respond(&mut head, || facts)
        }
    };
    let step = match step {
        // Envoy redirects a request that is not forwarded yet: the redirect keeps its shape, and gets the request's id.
        ResponseStep::Broken if !session.has_ended() => {
            let id = std::mem::take(session).id_header().cloned();
            id.into_iter().for_each(|id| drop(head.headers.insert("x-request-id", id)));
            ResponseStep::Pass(Follow::default(), Note::Nothing)
        }
        step => step,
    };
    (step, head)
}

/// Parses a response's head; `None` if it is not valid.
fn parse<'l>(lines: impl HeaderLines<'l>) -> Option<response::Parts> {
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
