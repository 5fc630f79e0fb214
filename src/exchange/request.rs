//! The request's head: its id (I1-I4), and the guards (G0-G4).

use http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, CONNECTION, CONTENT_LENGTH, EXPECT, Entry, HeaderMap, HeaderValue, ORIGIN,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderName, Method, Version};

use super::head::{X_REQUEST_ID, list};
use super::{BodyFacts, Notes};
use crate::fault::Fault;
use crate::guard::body_limit;
use crate::guard::content_type::Declared;
use crate::message::is_unprintable;
use crate::policy::{IdSettings, Matched, Mode, Policy, Preflight, Settings};
use crate::request_id::{RequestId, is_traceparent};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What is left of a request on HTTP/1 may be read and dropped without closing the connection, where it is declared and
/// at most this many bytes (G5).
const CHEAP_REST: u64 = 64 * 1024;

/// How much of a foreign id is logged, in characters (I2).
const MAX_NOTE: usize = 128;

/// Half of what a `HeaderMap` holds: one that is full panics at the next insertion (F2). No server lets as many in.
pub(super) const MAX_HEADERS: usize = 12 * 1024;

/// What of the request's head matters later.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestFacts {
    pub(super) is_head: bool,
    pub(super) is_http1: bool,
    /// A body is on its way, or will be.
    pub(super) has_body: bool,
    /// `Expect: 100-continue`: the client sends its body when it is asked to.
    pub(super) expects: bool,
    /// What is left of the body is declared and cheap to drop.
    pub(super) cheap_rest: bool,
}

/// What few requests have, out of the way of the others.
#[derive(Debug, Default)]
pub(super) struct Aside {
    pub(super) notes: Notes,
    /// Method and path, where a rule of the policy asks for them.
    pub(super) target: Option<(Method, Box<str>)>,
}

/// Gives the request its id: an outer layer's (E7), a trusted peer's (I2), or a fresh one (I1).
pub(super) fn identify(
    settings: IdSettings,
    head: &mut Parts,
    fresh: impl FnOnce() -> RequestId,
) -> (RequestId, HeaderValue, Option<Notes>) {
    let known = head.extensions.get::<RequestId>().copied();
    let mut notes = None;
    let (id, value) = match head.headers.entry(X_REQUEST_ID) {
        Entry::Vacant(vacant) => {
            let id = known.unwrap_or_else(fresh);
            let value = id.header_value();
            vacant.insert(value.clone());
            (id, value)
        }
        Entry::Occupied(mut theirs) => {
            let trusted = if settings.trust_valid { only_id(theirs.iter()) } else { None };
            let id = known.or(trusted).unwrap_or_else(fresh);
            let value = id.header_value();
            if *theirs.get() != value || theirs.iter().count() > 1 {
                notes = Some(Notes { client_request_id: Some(note(theirs.iter())), ..Notes::default() });
            }
            theirs.insert(value.clone());
            (id, value)
        }
    };
    if known.is_none() {
        head.extensions.insert(id);
    }
    if settings.traceparent {
        trace(&mut head.headers, id);
    }
    (id, value, notes)
}

/// The smaller limit of the two spellings, each in its own mode (G0).
pub(super) fn body_limit(matched: &Matched) -> Option<u64> {
    guarding(matched).filter_map(|settings| settings.body_limit).min()
}

/// Asks the guards in their order. `Ok(Some(…))` is the refusal if a first body byte comes (G3).
pub(super) fn guard(
    policy: &Policy,
    matched: &Matched,
    head: &Parts,
    body: BodyFacts,
    limit: Option<u64>,
) -> Result<Option<Fault>, Fault> {
    let preflight = is_preflight(head);
    let asked = || guarding(matched).filter(move |it| !preflight || it.preflight == Preflight::Guard);
    for header in asked().flat_map(|settings| policy.required_headers(settings)) {
        header.check(&head.headers)?;
    }
    let mut peek = None;
    for types in asked().filter_map(|settings| policy.content_types(settings)) {
        match (carries_body(head, body), types.declared(&head.headers)) {
            (Carries::No, _) | (_, Declared::Accepted) => {}
            (Carries::Unknown, Declared::Missing) => peek = Some(types.refusal()),
            _ => return Err(types.refusal()),
        }
    }
    match limit {
        Some(limit) if !body.is_empty() && declared(head, body).is_some_and(|length| length > limit) => {
            Err(body_limit::too_large(limit))
        }
        _ => Ok(peek),
    }
}

impl RequestFacts {
    /// `drain` is how many bytes are read at most where the connection is to live on.
    pub(super) fn of(head: &Parts, body: BodyFacts, drain: u64) -> Self {
        let has_body = !body.is_empty();
        let expects = || head.headers.get(EXPECT).is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        Self {
            is_head: head.method == Method::HEAD,
            is_http1: head.version <= Version::HTTP_11,
            has_body,
            expects: has_body && head.version >= Version::HTTP_11 && expects(),
            cheap_rest: has_body && declared(head, body).is_some_and(|length| length <= drain.min(CHEAP_REST)),
        }
    }
}

impl Aside {
    pub(super) fn of(notes: Option<Notes>, asked_for: Option<&Parts>) -> Option<Box<Self>> {
        let target = asked_for.map(|head| (head.method.clone(), head.uri.path().into()));
        match (notes, target) {
            (None, None) => None,
            (notes, target) => Some(Box::new(Self { notes: notes.unwrap_or_default(), target })),
        }
    }
}

/// At most [`MAX_NOTE`] printable characters of somebody's id.
pub(super) fn printable(value: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(value);
    text.chars().filter(|character| !is_unprintable(*character)).take(MAX_NOTE).collect::<String>().into()
}

fn note<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> Box<str> {
    printable(&values.map(HeaderValue::as_bytes).take(4).collect::<Vec<_>>().join(&b", "[..]))
}

fn only_id<'a>(mut values: impl Iterator<Item = &'a HeaderValue>) -> Option<RequestId> {
    let (first, None) = (values.next()?, values.next()) else { return None };
    first.to_str().ok()?.parse().ok()
}

/// I4: a valid `traceparent` stays; else the request becomes the root of a trace, to which no old state belongs.
fn trace(headers: &mut HeaderMap, id: RequestId) {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let valid = matches!((values.next(), values.next()), (Some(only), None) if is_traceparent(only.as_bytes()));
    if !valid {
        headers.insert(TRACEPARENT, id.traceparent());
        headers.remove("tracestate");
    }
}

fn guarding(matched: &Matched) -> impl Iterator<Item = &Settings> {
    matched.sent.iter().chain([&matched.normal]).filter(|settings| settings.mode != Mode::Off)
}

fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(ORIGIN)
        && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

#[derive(Clone, Copy)]
enum Carries {
    Yes,
    No,
    /// Neither ended nor of a known length: its first byte decides.
    Unknown,
}

fn carries_body(head: &Parts, body: BodyFacts) -> Carries {
    if body.is_empty() || head.method == Method::CONNECT || is_bodyless_upgrade(head) {
        return Carries::No;
    }
    match declared(head, body) {
        Some(0) => Carries::No,
        Some(_) => Carries::Yes,
        None => Carries::Unknown,
    }
}

fn is_bodyless_upgrade(head: &Parts) -> bool {
    let unframed = || !head.headers.contains_key(CONTENT_LENGTH) && !head.headers.contains_key(TRANSFER_ENCODING);
    let asks = || head.headers.get_all(CONNECTION).iter().flat_map(list).any(|it| it.eq_ignore_ascii_case("upgrade"));
    head.version == Version::HTTP_11 && head.headers.contains_key(UPGRADE) && asks() && unframed()
}

/// The length that the request declares: in its head, or by what its body already knows.
fn declared(head: &Parts, body: BodyFacts) -> Option<u64> {
    let known = if body.lower > 0 { Some(body.lower) } else { body.upper.filter(|upper| *upper == 0) };
    // Beside a transfer coding a length says nothing (RFC 9112 §6.3).
    let said = body_limit::declared(&head.headers).filter(|_| !head.headers.contains_key(TRANSFER_ENCODING));
    said.max(known)
}
