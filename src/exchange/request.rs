//! The request's head: its id (I1-I4), and the guards (G0-G4).

use std::time::{Duration, SystemTime};

use http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, CONNECTION, CONTENT_LENGTH, EXPECT, HeaderMap, HeaderValue, ORIGIN, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, Method, Version};

use super::accept::{may_choose, prefers_problem};
use super::head::{X_REQUEST_ID, list};
use super::{BodyFacts, Event, Notes};
use crate::classify::credentials::Credentials;
use crate::dialect::Dialect;
use crate::dialect::rpc::{Call, CallHeaders, Rpc};
use crate::fault::Fault;
use crate::fields;
use crate::frames::Frames;
use crate::guard::body_limit::{self, Messages, Watched};
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
    /// The client would rather have RFC 9457 than the envelope, and may (R11).
    pub(super) prefers_problem: bool,
    /// The protocol of a call (section P).
    pub(super) rpc: Option<Rpc>,
    /// Its body is a stream of messages.
    is_stream: bool,
    /// What ends a body with trailers reaches the client: gRPC-Web translated outside comes with HTTP/1 heads, too.
    pub(super) takes_trailers: bool,
}

/// What few requests have, out of the way of the others.
#[derive(Debug, Default)]
pub(super) struct Aside {
    pub(super) notes: Notes,
    /// Method and path, where a rule of the policy asks for them.
    pub(super) target: Option<(Method, PathAndQuery)>,
    /// What would have refused the request on a route in `observe` (M1), and what would have if its body had a byte.
    pub(super) observed: Option<Fault>,
    pub(super) observed_peek: Option<Fault>,
    /// When the request began, where its dialect tells.
    pub(super) began: Option<SystemTime>,
    /// What `auth_observe` has not let refuse it, until it is logged.
    pub(super) unenforced: Option<Box<Event>>,
    /// How long the client waits for the whole call.
    pub(super) deadline: Option<Duration>,
}

/// What the names of the request's headers tell: to look at them once is cheaper than to look each up.
#[derive(Default)]
pub(super) struct Sent {
    pub(super) call: Option<Call>,
    /// There is an `x-request-id`.
    pub(super) id: bool,
    pub(super) credentials: bool,
    /// An `accept` may tell RFC 9457 and the envelope apart (R11).
    pub(super) chooses: bool,
}

impl Sent {
    pub(super) fn of(head: &Parts, key_headers: &[HeaderName]) -> Self {
        let mut sent = Self::default();
        let mut call = CallHeaders::default();
        for (name, value) in &head.headers {
            call.see(name, value);
            sent.id |= *name == X_REQUEST_ID;
            sent.credentials |= Credentials::are_in(name, key_headers);
            sent.chooses |= may_choose(name, value);
        }
        sent.call = call.call(&head.method, &head.uri);
        sent
    }
}

/// Gives the request its id: an outer layer's (E7), a trusted peer's (I2), or a fresh one (I1).
pub(super) fn identify(
    settings: IdSettings,
    head: &mut Parts,
    sent: &Sent,
    fresh: impl FnOnce() -> RequestId,
) -> (RequestId, HeaderValue, Option<Notes>) {
    let theirs = sent.id.then(|| head.headers.get_all(X_REQUEST_ID));
    let trusted = theirs.as_ref().filter(|_| settings.trust_valid).and_then(|theirs| only_id(theirs.iter()));
    let mut id = trusted.unwrap_or_else(fresh);
    if let Some(outermost) = head.extensions.insert(id) {
        id = outermost;
        head.extensions.insert(id);
    }
    let value = id.header_value();
    let notes = theirs.filter(|theirs| theirs.iter().any(|it| *it != value) || theirs.iter().count() > 1);
    let notes = notes.map(|theirs| Notes { client_request_id: Some(note(theirs.iter())), ..Notes::default() });
    head.headers.insert(X_REQUEST_ID, value.clone());
    if settings.traceparent {
        trace(&mut head.headers, id);
    }
    (id, value, notes)
}

/// The smaller limit of the two spellings, each in its own mode (G0).
pub(super) fn body_limit(matched: &Matched) -> Option<u64> {
    let enforcing = guarding(matched).filter(|settings| settings.mode != Mode::Observe);
    enforcing.filter_map(|settings| settings.body_limit).min()
}

/// What the guards say, credentials aside.
#[derive(Debug, Default)]
pub(super) struct Guarded {
    /// What refuses the request before its credentials are looked at (G1).
    pub(super) unmet: Option<Fault>,
    /// What refuses it after (G3, G4).
    pub(super) refusal: Option<Fault>,
    /// What refuses it if a first body byte comes (G3).
    pub(super) peek: Option<Fault>,
    /// What would have refused it on a route in `observe` (M1), before and after.
    pub(super) observed_unmet: Option<Fault>,
    pub(super) observed: Option<Fault>,
    /// The same, if a first body byte comes.
    pub(super) observed_peek: Option<Fault>,
    pub(super) watched: Watched,
    by_message: bool,
}

/// Asks the guards in their order.
///
/// Of a stream of messages no length is declared: each is measured as it comes (P1).
pub(super) fn guard(
    policy: &Policy,
    matched: &Matched,
    head: &Parts,
    body: BodyFacts,
    limit: Option<u64>,
    rpc: Option<Rpc>,
) -> Guarded {
    let by_message = is_stream(head, rpc);
    let mut guarded = Guarded { by_message, ..Guarded::default() };
    // Most routes have no guard but this one.
    if matched.sent.is_none() && matched.normal.limits_size_alone() {
        guarded.refusal = guarded.refuse_size(head, body, limit).err();
        return guarded;
    }
    guarded.unmet = guarded.ask_for_headers(policy, matched, head).err();
    guarded.observed_unmet = guarded.observed.take();
    if guarded.unmet.is_none() {
        guarded.refusal = guarded.ask_of_body(policy, matched, head, body, limit).err();
    }
    guarded
}

impl Guarded {
    /// Nothing refuses the request, or would have.
    pub(super) fn is_silent(&self) -> bool {
        let Self { unmet, refusal, peek, observed_unmet, observed, observed_peek, .. } = self;
        [unmet, refusal, peek, observed_unmet, observed, observed_peek].iter().all(|fault| fault.is_none())
    }

    fn ask_for_headers(&mut self, policy: &Policy, matched: &Matched, head: &Parts) -> Result<(), Fault> {
        for settings in asked(matched, head) {
            for header in policy.required_headers(settings) {
                header.check(&head.headers).or_else(|fault| self.refused(settings, fault))?;
            }
        }
        Ok(())
    }

    fn ask_of_body(
        &mut self,
        policy: &Policy,
        matched: &Matched,
        head: &Parts,
        body: BodyFacts,
        limit: Option<u64>,
    ) -> Result<(), Fault> {
        for settings in asked(matched, head) {
            let Some(types) = policy.content_types(settings) else { continue };
            match (carries_body(head, body), types.declared(&head.headers)) {
                (Carries::No, _) | (_, Declared::Accepted) => {}
                (Carries::Unknown, Declared::Missing) if settings.mode == Mode::Observe => {
                    self.watched.first_byte = true;
                    self.observed_peek = Some(types.refusal());
                }
                (Carries::Unknown, Declared::Missing) => self.peek = Some(types.refusal()),
                _ => self.refused(settings, types.refusal())?,
            }
        }
        for settings in guarding(matched).filter(|settings| settings.mode == Mode::Observe) {
            match self.refuse_size(head, body, settings.body_limit) {
                Err(fault) => self.refused(settings, fault)?,
                Ok(()) => self.watched.limit = self.watched.limit.into_iter().chain(settings.body_limit).min(),
            }
        }
        self.refuse_size(head, body, limit)
    }

    /// G4, as far as the head tells.
    fn refuse_size(&self, head: &Parts, body: BodyFacts, limit: Option<u64>) -> Result<(), Fault> {
        match limit {
            Some(limit) if !self.by_message && !body.is_empty() => {
                let is_over = declared(head, body).is_some_and(|length| length > limit);
                if is_over { Err(body_limit::too_large(limit)) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    /// A route in `observe` refuses nobody; the first that it would have refused for is noted.
    fn refused(&mut self, settings: &Settings, fault: Fault) -> Result<(), Fault> {
        if settings.mode != Mode::Observe {
            return Err(fault);
        }
        self.observed.get_or_insert(fault);
        Ok(())
    }
}

impl RequestFacts {
    /// `drain` is how many bytes are read at most where the connection is to live on.
    #[inline]
    pub(super) fn of(head: &Parts, sent: &Sent, body: BodyFacts, settings: &Settings, drain: u64) -> Self {
        let rpc = sent.call.map(|call| call.rpc);
        let has_body = !body.is_empty();
        let is_http1 = head.version <= Version::HTTP_11;
        let asks = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
        // On HTTP/2 a stream of messages begins without being asked for.
        let begins = matches!(rpc, Some(Rpc::Grpc(_))) && !is_http1;
        let may_expect = has_body && !begins && head.version >= Version::HTTP_11;
        let expects = || fields::first(&head.headers, &EXPECT).is_some_and(asks);
        // Streams of HTTP/2 end by themselves.
        let drops_cheaply = has_body && is_http1;
        Self {
            is_head: head.method == Method::HEAD,
            is_http1,
            has_body,
            expects: may_expect && expects(),
            cheap_rest: drops_cheaply && declared(head, body).is_some_and(|length| length <= drain.min(CHEAP_REST)),
            prefers_problem: sent.chooses && rpc.is_none() && negotiates(settings) && prefers_problem(&head.headers),
            rpc,
            is_stream: is_stream(head, rpc),
            takes_trailers: !is_http1
                || rpc.is_some() && fields::first(&head.headers, &TE).is_some_and(|te| te == "trailers"),
        }
    }

    /// How the body's messages are measured, where it has some.
    pub(super) fn messages(self) -> Option<Messages> {
        let rpc = self.rpc.filter(|_| self.is_stream)?;
        Some(Messages { frames: Frames::new(rpc.is_text()), rest_is_free: !self.is_http1 })
    }
}

impl Aside {
    #[inline]
    pub(super) fn of(
        notes: Option<Notes>,
        asked_for: Option<&Parts>,
        began: Option<SystemTime>,
        deadline: Option<Duration>,
    ) -> Option<Box<Self>> {
        let target = asked_for.map(|head| {
            // What is no path is guarded as the root is (G0).
            let path = head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
            (head.method.clone(), path)
        });
        if notes.is_none() && target.is_none() && began.is_none() && deadline.is_none() {
            return None;
        }
        let notes = notes.unwrap_or_default();
        Some(Box::new(Self { notes, target, began, deadline, ..Self::default() }))
    }
}

/// Whether the client may choose between two shapes (R11).
pub(super) fn negotiates(settings: &Settings) -> bool {
    settings.dialect == Dialect::Standard && settings.negotiate
}

/// A call is a POST. Any other method that claims to be one could slip past the limit of a whole body (G4).
fn is_stream(head: &Parts, rpc: Option<Rpc>) -> bool {
    rpc.is_some_and(Rpc::is_framed) && head.method == Method::POST
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

/// Those whose guards hold for the request.
fn asked<'m>(matched: &'m Matched, head: &Parts) -> impl Iterator<Item = &'m Settings> {
    let preflight = is_preflight(head);
    guarding(matched).filter(move |settings| !preflight || settings.preflight == Preflight::Guard)
}

pub(super) fn is_preflight(head: &Parts) -> bool {
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
