//! Parses the head and the trailers of a response from Envoy's header lines, and lets the session decide.

use error_envelope_core::session::{Follow, HeaderMutation, ResponseStep, Session, changes};
use http::header::HOST;
use http::{HeaderMap, HeaderValue, StatusCode, response};

use super::lines::{HeaderLines, append, facts, is_plain, shared};
use super::local_reply::EnvoyReply;

/// The decision of a session about the head of a response.
pub struct HeadDecision {
    /// The next step for the response.
    pub step: ResponseStep,
    /// The changed head. If `id` is set, only the status of the head is valid.
    pub head: response::Parts,
    /// The request id, if it is the only change of the head.
    pub id: Option<HeaderValue>,
}

/// Lets the session decide about a response from its head. If Envoy itself made the response, `own` describes it (V2).
pub fn respond<'l>(
    session: &mut Session,
    lines: impl HeaderLines<'l>,
    ended: bool,
    own: Option<EnvoyReply>,
) -> HeadDecision {
    if own.is_none()
        && let Some(status) = unparsed_status(session, lines)
        && let Some(id) = session.id_header().cloned()
        && let Some(follow) = session.finish_unparsed(status)
    {
        let mut head = http::Response::new(()).into_parts().0;
        head.status = status;
        return HeadDecision { step: ResponseStep::Pass(follow), head, id: Some(id) };
    }
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
        // Envoy may redirect a request before it is forwarded. The redirect passes unchanged, and gets the request's
        // id.
        ResponseStep::Broken if !session.has_ended() => {
            let id = std::mem::take(session).id_header().cloned();
            id.into_iter().for_each(|id| drop(head.headers.insert("x-request-id", id)));
            ResponseStep::Pass(Follow::default())
        }
        step => step,
    };
    HeadDecision { step, head, id: None }
}

/// Returns the status of a response that can pass without its head being parsed. For such a response, the session
/// passes the status, and the crate `http` would accept all header lines unchanged.
fn unparsed_status<'l>(session: &Session, lines: impl HeaderLines<'l>) -> Option<StatusCode> {
    let (_, status) = lines.iter().find(|(name, _)| *name == b":status")?;
    let status = StatusCode::from_bytes(status).ok()?;
    let passes = session.passes_unparsed(status)
        && lines.count() <= MAX_COPIED_LINES
        && lines.iter().all(|(name, value)| match name {
            b"x-request-id" | b"access-control-allow-origin" => false,
            [b':', ..] => true,
            name => is_plain(name, value),
        });
    passes.then_some(status)
}

/// The most header lines of a head from which only some lines are copied. A head with more lines is parsed as a whole.
pub(super) const MAX_COPIED_LINES: usize = 256;

/// Parses the head of a response. Returns `None` if the head is not valid.
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

/// Parses trailers. Returns `None` if a line is not valid.
pub fn trailers<'l>(lines: impl HeaderLines<'l>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(lines.count());
    for (name, value) in shared(lines) {
        append(&mut headers, name, value).ok()?;
    }
    Some(headers)
}

/// Returns the headers that have changed, with their new values. Envoy itself writes the header `host` of a request, so
/// it is not included.
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

/// Returns the new status of a response, or `None` if the status was not changed.
pub fn changed_status<'l>(lines: impl HeaderLines<'l>, after: &response::Parts) -> Option<StatusCode> {
    let status = after.status.as_str().as_bytes();
    let same = lines.iter().any(|(name, value)| name == b":status" && value == status);
    (!same).then_some(after.status)
}
