//! The facts of a request that still matter when its response arrives.

use std::time::{Duration, SystemTime};

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use super::accept::{OtherForm, preferred};
use super::identity::TRACEPARENT;
use super::sent::{HeaderFlags, bit};
use super::view::RequestView;
use crate::classify::BodyFormat;
use crate::classify::credentials::Credentials;
use crate::dialect::Dialect;
use crate::dialect::rpc::Rpc;
use crate::fault::Fault;
use crate::fields;
use crate::grpc_messages::MessageDecoder;
use crate::guard::auth::Identity;
use crate::guard::body_limit::Messages;
use crate::guard::call_path::names_method;
use crate::page::PageType;
use crate::policy::{BodyLimitPer, Policy, RouteSettings};
use crate::session::record::notes::{RecordFields, RequestFacts};
use crate::session::record::request_record::{RecordLabel, SessionConfig};

/// The maximum declared length, in bytes, of a request body whose rest may be read and dropped to keep an HTTP/1
/// connection open (G5).
const CHEAP_REST: u64 = 64 * 1024;

/// The facts of a request's head that matter later: a few bits, because every request stores them.
#[derive(Clone, Copy, Debug)]
pub(in crate::session) struct RequestFlags {
    bits: u16,
    /// The protocol of an RPC call (section P).
    pub(in crate::session) rpc: Option<Rpc>,
    pub(in crate::session) credentials: Credentials,
}

impl RequestFlags {
    const HEAD: u16 = 1;
    const HTTP1: u16 = 1 << 1;
    /// Set if the request has a body, whether or not the body has arrived yet.
    pub(in crate::session) const BODY: u16 = 1 << 2;
    /// Set if the client only sends its body after a `100 Continue`, because it sent `Expect: 100-continue`.
    pub(in crate::session) const EXPECTS: u16 = 1 << 3;
    /// Set if the rest of the body has a declared length and is cheap to drop.
    pub(in crate::session) const CHEAP_REST: u16 = 1 << 4;
    /// Set if the client prefers RFC 9457 to the envelope, and the route lets it choose (R11).
    pub(in crate::session) const PROBLEM: u16 = 1 << 5;
    const STREAM: u16 = 1 << 6;
    /// Set if trailers at the end of a body reach the client. Trailers may reach the client over HTTP/1, too, because a
    /// proxy may translate gRPC-Web.
    pub(in crate::session) const TRAILERS: u16 = 1 << 7;
    const FORM: u16 = 1 << 8;
    const JSON: u16 = 1 << 9;
    /// Set if the request is forwarded.
    pub(in crate::session) const CALLED: u16 = 1 << 10;
    pub(in crate::session) const NESTED: u16 = 1 << 11;
    /// Set if the client requests a page. The flag shares a bit with a flag of RPC calls, because no call requests a
    /// page.
    const PAGE: u16 = Self::STREAM;
    const MARKDOWN: u16 = 1 << 12;
    /// Set if the request is a unary call of Connect to a path that names a method of a service. Any client can claim to
    /// use Connect.
    pub(in crate::session) const METHOD: u16 = 1 << 13;

    /// Returns the flags that records contain.
    #[inline]
    pub(in crate::session) fn record_bits(self) -> u8 {
        bit(RecordLabel::NESTED, self.has(Self::NESTED))
            | bit(RecordLabel::CALLED, self.has(Self::CALLED))
            | bit(RecordLabel::BODILESS, self.has(Self::HEAD))
    }

    #[inline]
    pub(in crate::session) fn new(view: &RequestView<'_>, settings: &RouteSettings, policy: &Policy) -> Self {
        let RequestView { head, sent, body, .. } = view;
        let rpc = sent.call.map(|call| call.rpc);
        let is_http1 = head.version <= Version::HTTP_11;
        let mut bits = if is_http1 { Self::HTTP1 } else { Self::TRAILERS };
        if head.method == Method::HEAD {
            bits |= Self::HEAD;
        }
        if !body.is_empty() {
            // On HTTP/2, gRPC clients send messages without waiting for a `100 Continue`.
            let begins = matches!(rpc, Some(Rpc::Grpc(_))) && !is_http1;
            let expects = sent.has(HeaderFlags::EXPECTS) && !begins && head.version >= Version::HTTP_11;
            // On HTTP/2 each stream ends on its own, so the rest of the body need not be read.
            let cheap = is_http1
                && view.declared().is_some_and(|length| length <= policy.process.drain.max_bytes.min(CHEAP_REST));
            bits |= Self::BODY | bit(Self::EXPECTS, expects) | bit(Self::CHEAP_REST, cheap);
            if head.method == Method::POST {
                bits |= bit(Self::FORM, sent.has(HeaderFlags::FORM)) | bit(Self::JSON, sent.has(HeaderFlags::JSON));
            }
        }
        if rpc.is_some() {
            let names = || settings.body_limit_per == BodyLimitPer::Message || names_method(head.uri.path());
            bits |= bit(Self::TRAILERS, sent.has(HeaderFlags::TAKES_TRAILERS))
                | bit(Self::STREAM, view.counts_messages())
                | bit(Self::METHOD, rpc == Some(Rpc::ConnectUnary) && names());
        } else if settings.has_pages() || has_problem(settings) && sent.has(HeaderFlags::CHOOSES) {
            bits |= chosen(&head.headers, settings);
        }
        Self { bits, rpc, credentials: Credentials::None }
    }

    #[inline]
    pub(in crate::session) fn has(self, flag: u16) -> bool {
        self.bits & flag != 0
    }

    /// Sets a flag, or clears it.
    pub(in crate::session) fn set(&mut self, flag: u16, is_set: bool) {
        self.bits = if is_set { self.bits | flag } else { self.bits & !flag };
    }

    #[inline]
    pub(in crate::session) fn is_head(self) -> bool {
        self.has(Self::HEAD)
    }

    #[inline]
    pub(in crate::session) fn is_http1(self) -> bool {
        self.has(Self::HTTP1)
    }

    /// Returns the format of the request's body: one that OAuth servers accept, or another (R10).
    pub(in crate::session) fn body_format(self) -> BodyFormat {
        if self.has(Self::FORM) {
            BodyFormat::Form
        } else if self.has(Self::JSON) {
            BodyFormat::Json
        } else {
            BodyFormat::Other
        }
    }

    /// Returns the page that the client prefers to JSON (R16, R18).
    pub(in crate::session) fn page(self) -> Option<PageType> {
        match self.rpc {
            None if self.has(Self::PAGE) => Some(PageType::Html),
            None if self.has(Self::MARKDOWN) => Some(PageType::Markdown),
            _ => None,
        }
    }

    /// Returns these facts as for a client without a preference (R11, R16, R18).
    pub(in crate::session) fn without_preference(self) -> Self {
        Self { bits: self.bits & !(Self::PROBLEM | Self::PAGE | Self::MARKDOWN), ..self }
    }

    /// Returns how to measure the messages of the body, if the limit counts messages (P1).
    pub(in crate::session) fn messages(self) -> Option<Messages> {
        let rpc = self.rpc.filter(|_| self.has(Self::STREAM))?;
        Some(Messages { frames: MessageDecoder::new(rpc.is_text()), rest_is_free: !self.is_http1() })
    }
}

/// Returns the flag of the form that the client chose.
#[cold]
fn chosen(headers: &HeaderMap, settings: &RouteSettings) -> u16 {
    let forms = [
        (has_problem(settings), OtherForm::Problem, RequestFlags::PROBLEM),
        (settings.html.is_some(), OtherForm::Page(PageType::Html), RequestFlags::PAGE),
        (settings.markdown, OtherForm::Page(PageType::Markdown), RequestFlags::MARKDOWN),
    ];
    let is_offered = |form| forms.iter().any(|(is_on, offered, _)| *is_on && *offered == form);
    let preferred = preferred(headers, settings.dialect.spec().media_type, is_offered);
    forms.iter().find(|(_, form, _)| Some(*form) == preferred).map_or(0, |(_, _, bit)| *bit)
}

/// Returns true if the client may choose between forms (R11, R16, R18).
#[inline]
pub(in crate::session) fn negotiates(settings: &RouteSettings) -> bool {
    has_problem(settings) || settings.has_pages()
}

/// Returns true if the client may choose RFC 9457 (R11).
#[inline]
fn has_problem(settings: &RouteSettings) -> bool {
    settings.dialect == Dialect::Standard && settings.negotiate
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// State that few requests need. The state is boxed, so that all other requests stay small.
#[derive(Debug, Default)]
pub(in crate::session) struct ColdState {
    pub(in crate::session) notes: Option<Box<RecordFields>>,
    /// The method and the path, if a rule of the policy compares them.
    pub(in crate::session) target: Option<(Method, PathAndQuery)>,
    /// The scheme of `authorization`, if it is not Bearer.
    pub(in crate::session) scheme: Option<Box<str>>,
    /// The fault with which a guard that only observes would have refused the request, until it is logged (M1).
    pub(in crate::session) observed: Option<Fault>,
    /// The fault of a guard that only observes, if the refusal depends on the first byte of the body (G3).
    pub(in crate::session) observed_peek: Option<Fault>,
    /// The time when the request began, if the dialect writes that time.
    pub(in crate::session) began: Option<SystemTime>,
    /// True if the request claims to be a stream of messages, but the limit counts its whole body (P1).
    pub(in crate::session) counts_whole: bool,
    /// The time that the client waits for the whole call.
    pub(in crate::session) deadline: Option<Duration>,
    /// The origin whose scripts may read the responses that the layer itself makes (R6a), as the client sent the
    /// origin.
    pub(in crate::session) origin: Option<HeaderValue>,
    /// The caller that the credentials name.
    pub(in crate::session) caller: Option<Identity>,
    /// The path, if the log shows it.
    path: Option<PathAndQuery>,
    /// The `traceparent` as received, valid or not.
    traceparent: Option<HeaderValue>,
}

impl ColdState {
    /// Returns these notes with the fields of a record that do not depend on its error.
    pub(in crate::session) fn completed(&self, mut notes: Option<Box<RecordFields>>) -> Option<Box<RecordFields>> {
        if self.counts_whole {
            notes.get_or_insert_default().counts_whole = true;
        }
        if self.caller.is_some() {
            notes.get_or_insert_default().caller = self.caller.clone();
        }
        if self.path.is_some() {
            notes.get_or_insert_default().shown_path = self.path.clone();
        }
        if self.traceparent.is_some() {
            notes.get_or_insert_default().traceparent = self.traceparent.clone();
        }
        notes
    }

    #[inline]
    pub(in crate::session) fn new(
        view: &RequestView<'_>,
        notes: Option<Box<RecordFields>>,
        settings: &RouteSettings,
        config: &SessionConfig,
    ) -> Option<Box<Self>> {
        let is_traced = view.sent.has(HeaderFlags::TRACED);
        if notes.is_none()
            && !is_traced
            && !config.policy().needs_request_facts
            && view.sent.call.is_none()
            && config.observer().is_none()
            && !config.policy().process.shows_paths
        {
            return None;
        }
        Self::with_notes(view, notes, settings, config)
    }

    #[inline(never)]
    fn with_notes(
        view: &RequestView<'_>,
        mut notes: Option<Box<RecordFields>>,
        settings: &RouteSettings,
        config: &SessionConfig,
    ) -> Option<Box<Self>> {
        if config.observer().is_some() {
            let path = view.head.uri.path_and_query().cloned();
            let forwarded_for = view.head.headers.get_all(X_FORWARDED_FOR).into_iter().next_back().cloned();
            let began = (config.clock)();
            notes.get_or_insert_default().request = Some(RequestFacts { path, forwarded_for, began });
        }
        let uses_path = config.policy().rules_use_path(settings);
        let has_time = settings.dialect.spec().has_time;
        let deadline = view.sent.call.and_then(|call| call.timeout);
        let counts_whole = view.stream_limit_per == Some(BodyLimitPer::Body);
        let is_traced = view.sent.has(HeaderFlags::TRACED);
        let traceparent =
            if is_traced { fields::single_value(&view.head.headers, &TRACEPARENT).cloned() } else { None };
        let origin = config.policy().process.cors.as_ref().and_then(|cors| cors.allowed(&view.head.headers));
        let shows_path = view.sent.call.is_some() || config.policy().process.shows_paths;
        let path = if shows_path { view.head.uri.path_and_query().cloned() } else { None };
        let is_plain = origin.is_none() && notes.is_none() && path.is_none() && traceparent.is_none();
        if is_plain && !uses_path && !has_time && !counts_whole {
            return None;
        }
        let target = uses_path.then(|| {
            // A target that is not a path is guarded like the root (G0).
            let path = view.head.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
            (view.head.method.clone(), path)
        });
        let began = has_time.then(config.clock);
        let rest = Self::default();
        Some(Box::new(Self { notes, target, began, counts_whole, deadline, origin, path, traceparent, ..rest }))
    }
}
