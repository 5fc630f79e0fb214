//! The request's head: its id (I1-I4), and the guards (G0-G4).

use std::time::{Duration, SystemTime};

use http::header::{
    ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderMap, HeaderValue,
    ORIGIN, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, Method, Version};

use super::accept::{prefers_problem, tells_apart};
use super::head::{X_REQUEST_ID, list};
use super::{BodyFacts, Event, Notes, Terms};
use crate::classify::credentials::{Credentials, Kind};
use crate::dialect::Dialect;
use crate::dialect::rpc::{Call, CallHeaders, Rpc};
use crate::fault::Fault;
use crate::frames::Frames;
use crate::guard::body_limit::{self, Messages, Watched};
use crate::guard::content_type::Declared;
use crate::message::is_unprintable;
use crate::policy::{IdSettings, Manner, Matched, Mode, Policy, Preflight, Settings};
use crate::request_id::{RequestId, is_traceparent};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What is left of a request on HTTP/1 may be read and dropped without closing the connection, where it is declared and
/// at most this many bytes (G5).
const CHEAP_REST: u64 = 64 * 1024;

/// How much of a foreign id is logged, in characters (I2).
const MAX_NOTE: usize = 128;

/// Half of what a `HeaderMap` holds: one that is full panics at the next insertion (F2). No server lets as many in.
pub(super) const MAX_HEADERS: usize = 12 * 1024;

/// What of the request's head matters later: a few bits that every request carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestFacts {
    bits: u8,
    /// The protocol of a call (section P).
    pub(super) rpc: Option<Rpc>,
    pub(super) credentials: Kind,
}

/// What few requests have, out of the way of the others.
#[derive(Debug, Default)]
pub(super) struct Aside {
    pub(super) notes: Option<Box<Notes>>,
    /// Method and path, where a rule of the policy asks for them.
    pub(super) target: Option<(Method, PathAndQuery)>,
    /// The name of a scheme that is not Bearer, where `authorization` has one.
    pub(super) scheme: Option<Box<str>>,
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

/// What the request's headers tell, noted in one pass: to look at them once is cheaper than to look each up.
#[derive(Default)]
pub(super) struct Sent {
    has: u16,
    pub(super) call: Option<Call>,
    /// The only length that is declared.
    length: Option<u64>,
}

/// A request: its head, what that tells, and what is known of its body.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) head: &'a Parts,
    pub(super) sent: &'a Sent,
    pub(super) body: BodyFacts,
}

/// The id that the request gets.
pub(super) struct Given {
    pub(super) id: RequestId,
    pub(super) header: HeaderValue,
    pub(super) notes: Option<Box<Notes>>,
}

impl Sent {
    /// There is an `x-request-id`.
    const ID: u16 = 1;
    const CREDENTIALS: u16 = 1 << 1;
    /// An `accept` may tell RFC 9457 and the envelope apart (R11).
    const CHOOSES: u16 = 1 << 2;
    const EXPECT: u16 = 1 << 3;
    /// The first `expect` is `100-continue`.
    const EXPECTS: u16 = 1 << 4;
    const TE: u16 = 1 << 5;
    /// The first `te` is `trailers`.
    const TAKES_TRAILERS: u16 = 1 << 6;
    const LENGTH: u16 = 1 << 7;
    const TWO_LENGTHS: u16 = 1 << 8;
    const TRANSFER_CODING: u16 = 1 << 9;
    /// A header that calls alone have.
    const CALL: u16 = 1 << 10;
    /// A content type that may be a call's.
    const CALL_TYPE: u16 = 1 << 14;
    const UPGRADE: u16 = 1 << 11;
    const TYPE: u16 = 1 << 12;
    const TWO_TYPES: u16 = 1 << 13;

    /// Beside what they tell, the first content type. By the length of a name first: most headers are none of these.
    #[inline]
    pub(super) fn of<'h>(head: &'h Parts, key_headers: &[HeaderName]) -> (Self, Option<&'h HeaderValue>) {
        let (mut has, mut length, mut media_type) = (0, None, None);
        for (name, value) in &head.headers {
            has |= match name.as_str().len() {
                2 if *name == TE => first_of(has, Self::TE, || (value == "trailers", Self::TAKES_TRAILERS)),
                6 if *name == ACCEPT => bit(Self::CHOOSES, tells_apart(value.as_bytes())),
                6 if *name == EXPECT => first_of(has, Self::EXPECT, || {
                    (value.as_bytes().eq_ignore_ascii_case(b"100-continue"), Self::EXPECTS)
                }),
                7 if *name == UPGRADE => Self::UPGRADE,
                9 | 13 => bit(Self::CREDENTIALS, Credentials::are_in(name, &[])),
                12 if *name == CONTENT_TYPE => {
                    media_type = media_type.or(Some(value));
                    let second = bit(Self::TWO_TYPES, has & Self::TYPE != 0);
                    Self::TYPE | second | bit(Self::CALL_TYPE, Rpc::may_be_in(value.as_bytes()))
                }
                12 if *name == X_REQUEST_ID => Self::ID,
                12 | 18 | 24 => bit(Self::CALL, CallHeaders::names(name)),
                14 if *name == CONTENT_LENGTH => {
                    length = length.or(Some(value));
                    Self::LENGTH | bit(Self::TWO_LENGTHS, has & Self::LENGTH != 0)
                }
                17 if *name == TRANSFER_ENCODING => Self::TRANSFER_CODING,
                _ => 0,
            };
        }
        has |= bit(Self::CREDENTIALS, key_headers.iter().any(|name| head.headers.contains_key(name)));
        let length = length.filter(|_| has & Self::TWO_LENGTHS == 0).and_then(body_limit::length);
        let headers = match media_type {
            _ if has & (Self::CALL | Self::CALL_TYPE) == 0 => CallHeaders::default(),
            Some(value) if has & (Self::CALL | Self::TWO_TYPES) == 0 => CallHeaders::of_type(value),
            _ => CallHeaders::of(&head.headers),
        };
        (Self { has, call: headers.call(&head.method, &head.uri), length }, media_type)
    }

    /// What is left where the headers are not looked at.
    pub(super) fn of_call_alone(&self) -> Self {
        Self { call: self.call, ..Self::default() }
    }

    #[inline]
    fn has(&self, bit: u16) -> bool {
        self.has & bit != 0
    }

    #[inline]
    pub(super) fn has_two_types(&self) -> bool {
        self.has(Self::TWO_TYPES)
    }

    #[inline]
    pub(super) fn has_credentials(&self) -> bool {
        self.has(Self::CREDENTIALS)
    }
}

#[inline]
fn bit(bit: u16, set: bool) -> u16 {
    if set { bit } else { 0 }
}

/// A header whose first line counts: what it says, where none of it was there before.
#[inline]
fn first_of(has: u16, seen: u16, says: impl FnOnce() -> (bool, u16)) -> u16 {
    if has & seen != 0 {
        return 0;
    }
    let (set, what) = says();
    seen | bit(what, set)
}

impl Asked<'_> {
    /// G4, as far as the head tells. Of a stream of messages no length is declared: each is measured as it comes (P1).
    #[inline]
    pub(super) fn is_over(&self, limit: Option<u64>) -> bool {
        let is_over = |limit: u64| self.declared().is_some_and(|length| length > limit);
        !self.body.is_empty() && limit.is_some_and(is_over) && !self.is_stream()
    }

    /// The length that the request declares: in its head, or by what its body already knows.
    fn declared(&self) -> Option<u64> {
        let BodyFacts { lower, upper, .. } = self.body;
        let known = if lower > 0 { Some(lower) } else { upper.filter(|upper| *upper == 0) };
        // Beside a transfer coding a length says nothing (RFC 9112 §6.3).
        self.sent.length.filter(|_| !self.sent.has(Sent::TRANSFER_CODING)).max(known)
    }

    /// A call is a POST. Any other method that claims to be one could slip past the limit of a whole body (G4).
    fn is_stream(&self) -> bool {
        self.sent.call.is_some_and(|call| call.rpc.is_framed()) && self.head.method == Method::POST
    }
}

/// The request's id: an outer layer's (E7), a trusted peer's (I2), or a fresh one (I1).
#[inline(always)]
pub(super) fn identify(settings: IdSettings, head: &Parts, sent: &Sent, fresh: impl FnOnce() -> RequestId) -> Given {
    let outermost = head.extensions.get::<RequestId>().copied();
    if !sent.has(Sent::ID) {
        let id = outermost.unwrap_or_else(fresh);
        return Given { id, header: id.header_value(), notes: None };
    }
    let theirs = || head.headers.get_all(X_REQUEST_ID).iter();
    let trusted = if settings.trust_valid { only_id(theirs()) } else { None };
    let id = outermost.or(trusted).unwrap_or_else(fresh);
    let header = id.header_value();
    let differs = theirs().any(|it| *it != header) || theirs().count() > 1;
    let notes = differs.then(|| Notes { client_request_id: Some(note(theirs())), ..Notes::default() });
    Given { id, header, notes: notes.map(Box::new) }
}

/// Tells the inner service the id (I1, I4).
#[inline(always)]
pub(super) fn mark(settings: IdSettings, head: &mut Parts, id: RequestId, mut value: HeaderValue) {
    head.extensions.insert(id);
    value.set_sensitive(false);
    head.headers.insert(X_REQUEST_ID, value);
    trace(settings, head, id);
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
    /// What is known of the body, and where it is cut: the smaller limit of both spellings (G0).
    pub(super) body: BodyFacts,
    pub(super) limit: Option<u64>,
}

/// Asks the guards in their order.
pub(super) fn guard(policy: &Policy, matched: &Matched, asked: &Asked<'_>) -> Guarded {
    let limit = body_limit(matched);
    let mut guarded = Guarded { limit, body: asked.body, ..Guarded::default() };
    guarded.unmet = guarded.ask_for_headers(policy, matched, asked).err();
    guarded.observed_unmet = guarded.observed.take();
    if guarded.unmet.is_none() {
        guarded.refusal = guarded.ask_of_body(policy, matched, asked).err();
    }
    guarded
}

impl Guarded {
    fn ask_for_headers(&mut self, policy: &Policy, matched: &Matched, asked: &Asked<'_>) -> Result<(), Fault> {
        for settings in asking(matched, asked.head) {
            for header in policy.required_headers(settings) {
                header.check(&asked.head.headers).or_else(|fault| self.refused(settings, fault))?;
            }
        }
        Ok(())
    }

    fn ask_of_body(&mut self, policy: &Policy, matched: &Matched, asked: &Asked<'_>) -> Result<(), Fault> {
        if asked.body.is_empty() {
            return Ok(());
        }
        for settings in asking(matched, asked.head) {
            let Some(types) = policy.content_types(settings) else { continue };
            match (carries_body(asked), types.declared(&asked.head.headers)) {
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
            match settings.body_limit {
                Some(limit) if asked.is_over(Some(limit)) => self.refused(settings, policy.too_large(limit))?,
                limit => self.watched.limit = self.watched.limit.into_iter().chain(limit).min(),
            }
        }
        match self.limit {
            Some(limit) if asked.is_over(Some(limit)) => Err(policy.too_large(limit)),
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
    const HEAD: u8 = 1;
    const HTTP1: u8 = 1 << 1;
    const BODY: u8 = 1 << 2;
    const EXPECTS: u8 = 1 << 3;
    const CHEAP_REST: u8 = 1 << 4;
    const PROBLEM: u8 = 1 << 5;
    const STREAM: u8 = 1 << 6;
    const TRAILERS: u8 = 1 << 7;

    /// `drain` is how many bytes are read at most where the connection is to live on.
    #[inline]
    pub(super) fn of(asked: &Asked<'_>, settings: &Manner, drain: u64) -> Self {
        let Asked { head, sent, body } = asked;
        let rpc = sent.call.map(|call| call.rpc);
        let is_http1 = head.version <= Version::HTTP_11;
        let mut bits = if is_http1 { Self::HTTP1 } else { Self::TRAILERS };
        if head.method == Method::HEAD {
            bits |= Self::HEAD;
        }
        if !body.is_empty() {
            // On HTTP/2 a stream of messages begins without being asked for.
            let begins = matches!(rpc, Some(Rpc::Grpc(_))) && !is_http1;
            let expects = sent.has(Sent::EXPECTS) && !begins && head.version >= Version::HTTP_11;
            // Streams of HTTP/2 end by themselves.
            let cheap = is_http1 && asked.declared().is_some_and(|length| length <= drain.min(CHEAP_REST));
            bits |= Self::BODY | flag(Self::EXPECTS, expects) | flag(Self::CHEAP_REST, cheap);
        }
        if rpc.is_some() {
            bits |= flag(Self::TRAILERS, sent.has(Sent::TAKES_TRAILERS)) | flag(Self::STREAM, asked.is_stream());
        } else if sent.has(Sent::CHOOSES) {
            bits |= flag(Self::PROBLEM, negotiates(settings) && prefers_problem(&head.headers));
        }
        Self { bits, rpc, credentials: Kind::None }
    }

    #[inline]
    fn is(self, bit: u8) -> bool {
        self.bits & bit != 0
    }

    #[inline]
    pub(super) fn is_head(self) -> bool {
        self.is(Self::HEAD)
    }

    #[inline]
    pub(super) fn is_http1(self) -> bool {
        self.is(Self::HTTP1)
    }

    /// A body is on its way, or will be.
    pub(super) fn has_body(self) -> bool {
        self.is(Self::BODY)
    }

    /// `Expect: 100-continue`: the client sends its body when it is asked to.
    pub(super) fn expects(self) -> bool {
        self.is(Self::EXPECTS)
    }

    /// It has been asked to.
    pub(super) fn expects_no_more(&mut self) {
        self.bits &= !Self::EXPECTS;
    }

    /// What is left of the body is declared and cheap to drop.
    pub(super) fn has_cheap_rest(self) -> bool {
        self.is(Self::CHEAP_REST)
    }

    /// The client would rather have RFC 9457 than the envelope, and may (R11).
    pub(super) fn prefers_problem(self) -> bool {
        self.is(Self::PROBLEM)
    }

    /// What ends a body with trailers reaches the client: gRPC-Web translated outside comes with HTTP/1 heads, too.
    pub(super) fn takes_trailers(self) -> bool {
        self.is(Self::TRAILERS)
    }

    /// How the body's messages are measured, where it has some.
    pub(super) fn messages(self) -> Option<Messages> {
        // Its body is a stream of messages.
        let rpc = self.rpc.filter(|_| self.is(Self::STREAM))?;
        Some(Messages { frames: Frames::new(rpc.is_text()), rest_is_free: !self.is_http1() })
    }
}

#[inline]
fn flag(bit: u8, set: bool) -> u8 {
    if set { bit } else { 0 }
}

impl Aside {
    #[inline]
    pub(super) fn of(
        asked: &Asked<'_>,
        notes: Option<Box<Notes>>,
        settings: &Manner,
        terms: &Terms,
    ) -> Option<Box<Self>> {
        if notes.is_none() && !terms.policy().asks_of_requests() && asked.sent.call.is_none() {
            return None;
        }
        Self::noted(asked, notes, settings, terms)
    }

    #[inline(never)]
    fn noted(asked: &Asked<'_>, notes: Option<Box<Notes>>, settings: &Manner, terms: &Terms) -> Option<Box<Self>> {
        let asks_path = terms.policy().rules_ask_path(settings);
        let tells_time = settings.dialect.form().tells_time;
        let deadline = asked.sent.call.and_then(|call| call.timeout);
        if notes.is_none() && !asks_path && !tells_time && deadline.is_none() {
            return None;
        }
        let target = asks_path.then(|| {
            // What is no path is guarded as the root is (G0).
            let path = asked.head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
            (asked.head.method.clone(), path)
        });
        let began = tells_time.then(terms.clock);
        Some(Box::new(Self { notes, target, began, deadline, ..Self::default() }))
    }
}

/// Whether the client may choose between two shapes (R11).
#[inline]
pub(super) fn negotiates(settings: &Manner) -> bool {
    settings.dialect == Dialect::Standard && settings.negotiate
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
#[inline]
pub(super) fn trace(settings: IdSettings, head: &mut Parts, id: RequestId) {
    if settings.traceparent {
        begin_trace(&mut head.headers, id);
    }
}

fn begin_trace(headers: &mut HeaderMap, id: RequestId) {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let valid = matches!((values.next(), values.next()), (Some(only), None) if is_traceparent(only.as_bytes()));
    if !valid {
        headers.insert(TRACEPARENT, id.traceparent());
        headers.remove("tracestate");
    }
}

fn guarding(matched: &Matched) -> impl Iterator<Item = &Settings> {
    matched.sent.as_deref().into_iter().chain([&matched.normal]).filter(|settings| settings.mode != Mode::Off)
}

/// Those whose guards hold for the request.
fn asking<'m>(matched: &'m Matched, head: &Parts) -> impl Iterator<Item = &'m Settings> {
    let preflight = is_preflight(head);
    guarding(matched).filter(move |settings| !preflight || settings.preflight == Preflight::Guard)
}

pub(super) fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS
        && head.headers.contains_key(ORIGIN)
        && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether a request carries a body, which a guard of its type asks (G3).
#[derive(Clone, Copy)]
pub(super) enum Carries {
    Yes,
    No,
    /// Neither ended nor of a known length: its first byte decides.
    Unknown,
}

pub(super) fn carries_body(asked: &Asked<'_>) -> Carries {
    if asked.body.is_empty() || asked.head.method == Method::CONNECT || is_bodyless_upgrade(asked) {
        return Carries::No;
    }
    match asked.declared() {
        Some(0) => Carries::No,
        Some(_) => Carries::Yes,
        None => Carries::Unknown,
    }
}

fn is_bodyless_upgrade(Asked { head, sent, .. }: &Asked<'_>) -> bool {
    let unframed = || !sent.has(Sent::LENGTH | Sent::TRANSFER_CODING);
    let asks = || head.headers.get_all(CONNECTION).iter().flat_map(list).any(|it| it.eq_ignore_ascii_case("upgrade"));
    head.version == Version::HTTP_11 && sent.has(Sent::UPGRADE) && asks() && unframed()
}
