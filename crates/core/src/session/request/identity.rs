//! The id of a request, and its trace (I1–I4).

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

use super::header_use::is_removed;
use super::sent::HeaderFlags;
use crate::fields::{self, X_REQUEST_ID};
use crate::guard::auth;
use crate::policy::{IdSettings, Policy, RouteSettings};
use crate::request_id::{RequestId, is_traceparent};
use crate::session::record::notes::{RecordFields, printable};

pub(in crate::session) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The maximum number of names of removed headers that are logged. Further names would not help an operator.
const MAX_NAMES: usize = 8;

/// The id that is assigned to a request.
pub(in crate::session) struct AssignedId {
    pub(in crate::session) id: RequestId,
    pub(in crate::session) header: HeaderValue,
    pub(in crate::session) notes: Option<Box<RecordFields>>,
    /// True if an outer layer of this process assigned the id.
    pub(in crate::session) is_nested: bool,
}

/// Returns the id of the request. The result is the id of an outer layer (E7), the id of a trusted client (I2), or a
/// new id (I1).
#[inline(always)]
pub(in crate::session) fn identify(
    settings: IdSettings,
    head: &Parts,
    sent: &HeaderFlags,
    fresh: impl FnOnce() -> RequestId,
) -> AssignedId {
    let outermost = head.extensions.get::<RequestId>().copied();
    let is_nested = outermost.is_some();
    if !sent.has(HeaderFlags::ID) {
        let id = outermost.unwrap_or_else(fresh);
        return AssignedId { id, header: id.header_value(), notes: None, is_nested };
    }
    let theirs = || head.headers.get_all(X_REQUEST_ID).iter();
    let only = || fields::single_value(&head.headers, &X_REQUEST_ID)?.to_str().ok()?.parse().ok();
    let trusted = if settings.trust_valid { only() } else { None };
    let id = outermost.or(trusted).unwrap_or_else(fresh);
    let header = id.header_value();
    let differs = theirs().any(|it| *it != header) || theirs().count() > 1;
    let notes = differs.then(|| RecordFields { client_request_id: Some(note(theirs())), ..RecordFields::default() });
    AssignedId { id, header, notes: notes.map(Box::new), is_nested }
}

/// Adds the id for the inner service (I1, I4). In a gateway, also adds the URL of the service.
#[inline(always)]
pub(in crate::session) fn mark(
    policy: &Policy,
    response_settings: &RouteSettings,
    head: &mut Parts,
    id: RequestId,
    mut value: HeaderValue,
) {
    head.extensions.insert(id);
    if let Some(upstream) = policy.upstream(response_settings) {
        head.extensions.insert(upstream.clone());
    }
    if let Some(timeouts) = policy.upstream_timeouts(response_settings) {
        head.extensions.insert(timeouts);
    }
    value.set_sensitive(false);
    head.headers.insert(X_REQUEST_ID, value);
    trace(policy.process.ids, head, id);
}

/// Removes headers that a service would mistake for the layer's own. Such headers are those of `forward_id`, and the
/// headers that every policy [removes](is_removed). The names of headers that every policy removes are noted for the
/// log.
#[inline(always)]
pub(in crate::session) fn remove_spoofed(
    policy: &Policy,
    sent: &HeaderFlags,
    headers: &mut HeaderMap,
    notes: &mut Option<Box<RecordFields>>,
) {
    auth::remove_forwarded(&policy.forwarded_ids, headers);
    if sent.has(HeaderFlags::LOOK_ALIKE) {
        notes.get_or_insert_default().removed_headers = Some(remove_look_alikes(headers));
    }
}

/// Removes these headers, and returns at most [`MAX_NAMES`] of their names.
fn remove_look_alikes(headers: &mut HeaderMap) -> Box<str> {
    let names: Vec<HeaderName> = headers.keys().filter(|name| is_removed(name.as_str())).cloned().collect();
    names.iter().for_each(|name| drop(headers.remove(name)));
    names.iter().take(MAX_NAMES).map(HeaderName::as_str).collect::<Vec<_>>().join(", ").into()
}

fn note<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> Box<str> {
    printable(&values.map(HeaderValue::as_bytes).take(4).collect::<Vec<_>>().join(&b", "[..]))
}

/// Keeps a valid `traceparent`. Without a valid `traceparent`, the request begins a new trace, and its old trace state
/// is removed (I4).
pub(in crate::session) fn trace(settings: IdSettings, head: &mut Parts, id: RequestId) {
    let is_valid = |only: &HeaderValue| is_traceparent(only.as_bytes());
    if settings.traceparent && !fields::single_value(&head.headers, &TRACEPARENT).is_some_and(is_valid) {
        head.headers.insert(TRACEPARENT, id.traceparent());
        head.headers.remove("tracestate");
    }
}
