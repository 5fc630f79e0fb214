//! One request, from its head to the last decision about its response, without I/O.
//!
//! An adapter asks and moves the bytes; an [`Exchange`] decides, and answers with data:
//!
//! 1. [`Exchange::begin`] reads the request head: id (I1–I4), route (G0), guards (G1–G4). It says to forward the
//!    request, to answer it, or to wait for its first body byte (G3).
//! 2. The [`Meter`] counts the request body on its way in.
//! 3. [`Exchange::response_head`] reads the inner head, and says to pass the body, to replace it, or to collect it first
//!    (R4). [`Exchange::response_body`] decides what was collected.
//! 4. [`Exchange::failed`], [`Exchange::panicked`] and [`Exchange::abandoned`] end what has no response (F1–F3).
//!
//! Each terminal call takes the exchange; each error yields one [`Event`] to log (L1).
//!
//! It knows no clock, no random source, no body type, no future and no log: an adapter brings those.

mod event;
mod head;
mod outcome;
mod reply;
mod request;

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode, response};

use crate::classify::credentials::Credentials;
use crate::classify::{self, Asked, Inner, Known, Verdict, failure};
use crate::code::ErrorCode;
use crate::dialect::{self, coding, protocol};
use crate::fault::Fault;
use crate::guard::body_limit::{self, Flags};
use crate::policy::{Mode, NoTransform, Policy, Protocols, Settings, UnknownCodes};
use crate::request_id::RequestId;
use request::{Aside, MAX_HEADERS, RequestFacts};

pub use crate::guard::body_limit::{Linger, Meter, Metered};
pub use event::{Event, Notes, Origin};
use head::X_REQUEST_ID;
pub use outcome::{
    Admission, Answered, BodyFacts, Collected, Failure, FirstByte, ResponsePlan, Rewritten, Tail, Written,
};

/// A boxed error, as tower has them.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What a service's own errors are, asked before the contract's list (F1).
pub type Classifier = dyn Fn(&(dyn Error + 'static)) -> Option<Fault> + Send + Sync;

/// How long the first body byte is awaited where the content type is missing and the length unknown (G3).
const PEEK_TIMEOUT: Duration = Duration::from_secs(10);

/// One request.
#[derive(Debug)]
pub struct Exchange {
    policy: Arc<Policy>,
    /// Those of the path in its normal form; the limit is the smaller one of both spellings (G0).
    settings: Settings,
    id: RequestId,
    id_header: HeaderValue,
    credentials: Credentials,
    request: RequestFacts,
    flags: Option<Flags>,
    aside: Option<Box<Aside>>,
}

/// A request whose first body byte decides.
#[derive(Debug)]
pub struct Pending {
    exchange: Exchange,
    refusal: Fault,
}

impl Exchange {
    /// Takes a request's head: gives it its id, finds its route, and asks the guards.
    ///
    /// `id` is asked for a fresh id where no other one holds (I1). The head is changed: `x-request-id`, and
    /// `traceparent` where the policy says so; the [`RequestId`] goes into the extensions.
    pub fn begin(
        policy: Arc<Policy>,
        head: &mut http::request::Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> Admission {
        let too_many = head.headers.len() > MAX_HEADERS;
        if too_many {
            head.headers.clear();
        }
        let (id, id_header, notes) = request::identify(policy.ids(), head, id);
        let matched = policy.matched(&head.method, head.uri.path());
        let settings = matched.normal.with_body_limit(request::body_limit(&matched));
        let guarded = request::guard(&policy, &matched, head, body, settings.body_limit);
        let exchange = Self {
            settings,
            id,
            id_header,
            credentials: Credentials::of(&head.headers),
            request: RequestFacts::of(head, body, policy.drain().max_bytes),
            flags: (!body.is_empty()).then(|| Flags::new(reply::linger_of(&policy))),
            aside: Aside::of(notes, policy.rules_ask_path().then_some(&*head)),
            policy,
        };
        match guarded {
            _ if too_many => Admission::Answer(exchange.refuse(Fault::new(ErrorCode::HEADERS_TOO_LARGE), None)),
            Ok(None) => exchange.forward(),
            Ok(Some(refusal)) => Admission::Peek(Pending { exchange, refusal }, PEEK_TIMEOUT),
            Err(fault) => Admission::Answer(exchange.refuse(fault, None)),
        }
    }

    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> RequestId {
        self.id
    }

    /// What an inner error is (F1): a body over its limit whatever the error says, then what `classifier` says, then the
    /// contract's list over the whole chain of causes.
    ///
    /// # Panics
    ///
    /// If the classifier does, or the error's `source`.
    pub fn failure_of(&self, error: &(dyn Error + 'static), classifier: Option<&Classifier>) -> Failure {
        if let Some(fault) = self.over_limit() {
            return Failure { fault, origin: Origin::Guard };
        }
        if let Some(fault) = classifier.and_then(|classify| classify(error)) {
            return Failure { fault, origin: Origin::Error };
        }
        if let Some(fault) = crate::cause::find::<Fault>(error) {
            return Failure { fault: fault.clone(), origin: Origin::Fault };
        }
        let fault = self.broken_request().unwrap_or_else(|| failure::of_error(error));
        Failure { fault, origin: Origin::Error }
    }

    /// What an error from `poll_ready` is (F3).
    ///
    /// # Panics
    ///
    /// If the classifier does, or the error's `source`.
    pub fn unreadiness_of(&self, error: &(dyn Error + 'static), classifier: Option<&Classifier>) -> Failure {
        if let Some(fault) = classifier.and_then(|classify| classify(error)) {
            return Failure { fault, origin: Origin::Error };
        }
        let typed = crate::cause::find::<Fault>(error).is_some();
        Failure { fault: failure::of_readiness(error), origin: if typed { Origin::Fault } else { Origin::Error } }
    }

    /// The inner service was not ready for the request, which was not forwarded (F3).
    pub fn unready(self, failure: Failure, cause: BoxError) -> Answered {
        let linger = self.linger();
        self.answer(failure.fault, failure.origin, Some(cause), linger)
    }

    /// A panic kept the request from being forwarded (F2).
    pub fn unready_panicked(self, text: Box<str>) -> Answered {
        let linger = self.linger();
        self.answer(Fault::new(ErrorCode::INTERNAL_ERROR), Origin::Panic, Some(String::from(text).into()), linger)
    }

    /// The inner service failed with `cause` (F1).
    pub fn failed(self, failure: Failure, cause: BoxError) -> Answered {
        self.answer(failure.fault, failure.origin, Some(cause), None)
    }

    /// The inner service panicked with this text (F2).
    pub fn panicked(self, text: Box<str>) -> Answered {
        let cause = Some(String::from(text).into());
        match self.over_limit() {
            Some(fault) => self.answer(fault, Origin::Guard, cause, None),
            None => self.answer(Fault::new(ErrorCode::INTERNAL_ERROR), Origin::Panic, cause, None),
        }
    }

    /// The client went away before its head (F2).
    pub fn abandoned(self) -> Event {
        self.event(Origin::Abandoned, None)
    }

    /// Takes the head of an inner response.
    pub fn response_head(self, head: &mut response::Parts, body: BodyFacts) -> ResponsePlan {
        if let Some(fault) = self.over_limit() {
            return ResponsePlan::Replace(Box::new(self.answer(fault, Origin::Guard, None, None)));
        }
        if head.headers.len() > MAX_HEADERS {
            let fault = Fault::new(ErrorCode::INTERNAL_ERROR);
            let cause = format!("{} response headers", head.headers.len());
            return ResponsePlan::Replace(Box::new(self.answer(fault, Origin::Inner, Some(cause.into()), None)));
        }
        if self.settings.mode == Mode::Off {
            return self.pass(&mut head.headers);
        }
        match head.status.as_u16() {
            101 | 200..=399 => self.success(head),
            400..=599 => self.error(head, body),
            _ => {
                head.status = StatusCode::BAD_GATEWAY;
                ResponsePlan::Rewrite(self.write(head, Fault::new(ErrorCode::OTHER), Origin::Inner, None))
            }
        }
    }

    /// Takes what was collected of an inner error's body.
    pub fn response_body(self, head: &mut response::Parts, body: Collected<'_>) -> Rewritten {
        if let Some(fault) = self.over_limit() {
            return Rewritten::Replace(Box::new(self.answer(fault, Origin::Guard, None, None)));
        }
        let decoded = self.decoded(&head.headers, body);
        match self.classify(head, decoded.as_deref()) {
            Verdict::Rewrite(fault, dialect) => Rewritten::Rewrite(self.write(head, fault, Origin::Inner, dialect)),
            Verdict::Pass => {
                let (tail, event) = self.keep(head);
                Rewritten::Restore(tail, event)
            }
        }
    }

    fn forward(self) -> Admission {
        let meter = self.flags.clone().map(|flags| Meter::new(self.settings.body_limit, flags));
        Admission::Forward(self, meter)
    }

    fn success(self, head: &mut response::Parts) -> ResponsePlan {
        match head.status.as_u16() {
            // RFC 9110 §15.3.6 wants an empty 205 framed as such; 204 and 304 have no framing of their own.
            205 => {
                head.headers.remove(TRANSFER_ENCODING);
                head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
                self.strip(&mut head.headers)
            }
            204 | 304 => self.strip(&mut head.headers),
            _ => self.pass(&mut head.headers),
        }
    }

    fn error(self, head: &mut response::Parts, body: BodyFacts) -> ResponsePlan {
        if let Some(fault) = head.extensions.get::<Fault>().cloned() {
            let fault = classify::with_issues(fault).status(head.status);
            return ResponsePlan::Rewrite(self.write(head, fault, Origin::Fault, None));
        }
        if !head.headers.is_empty() && self.passes(&head.headers) {
            let (tail, event) = self.keep(head);
            return ResponsePlan::Keep(tail, event);
        }
        let inspect = self.policy.inspect();
        if self.request.is_head || is_unreadable(&head.headers, body, inspect.max_bytes) {
            return match self.classify(head, None) {
                Verdict::Rewrite(fault, dialect) => {
                    ResponsePlan::Rewrite(self.write(head, fault, Origin::Inner, dialect))
                }
                Verdict::Pass => {
                    let (tail, event) = self.keep(head);
                    ResponsePlan::Keep(tail, event)
                }
            };
        }
        ResponsePlan::Collect(self, inspect.max_bytes, inspect.timeout)
    }

    /// The body without its codings, as far as it can be read (R4, R5).
    fn decoded<'b>(&self, headers: &HeaderMap, body: Collected<'b>) -> Option<Cow<'b, [u8]>> {
        let Collected::Whole(body) = body else { return None };
        let codings = coding::codings(headers)?;
        if codings.is_empty() {
            return Some(Cow::Borrowed(body));
        }
        coding::decoded(&codings, body, self.policy.inspect().max_bytes).map(Cow::Owned)
    }

    /// What keeps its shape by its head alone (R9, R10).
    fn passes(&self, headers: &HeaderMap) -> bool {
        let no_transform = || {
            let lines = headers.get_all(CACHE_CONTROL);
            lines.iter().flat_map(head::list).any(|directive| directive.eq_ignore_ascii_case("no-transform"))
        };
        dialect::media_type(headers).is_some_and(protocol::names_itself)
            || self.settings.no_transform == NoTransform::Respect && no_transform()
    }

    fn classify(&self, head: &response::Parts, body: Option<&[u8]>) -> Verdict {
        let inner = Inner { status: head.status, headers: &head.headers, body };
        let target = self.aside.as_ref().and_then(|aside| aside.target.as_ref());
        let asked = Asked {
            credentials: &self.credentials,
            method: target.map_or(&Method::GET, |(method, _)| method),
            path: target.map(|(_, path)| &**path),
        };
        let known = Known {
            codes: self.policy.codes(),
            rules: self.policy.rules(),
            by_status: self.settings.unknown_codes == UnknownCodes::ByStatus,
            protocols_pass: self.settings.protocols == Protocols::Pass,
        };
        classify::response(&inner, &asked, &known)
    }

    fn over_limit(&self) -> Option<Fault> {
        let over = self.flags.as_ref().is_some_and(|flags| flags.has(Flags::OVER));
        if over { self.settings.body_limit.map(body_limit::too_large) } else { None }
    }

    /// The client's part in a failure: its body broke off, or came too slowly (F1).
    fn broken_request(&self) -> Option<Fault> {
        let flags = self.flags.as_ref()?;
        if flags.has(Flags::SLOW) {
            Some(Fault::new(ErrorCode::REQUEST_TIMEOUT))
        } else if flags.has(Flags::BROKEN) {
            Some(Fault::new(ErrorCode::BAD_REQUEST))
        } else {
            None
        }
    }

    fn pass(self, headers: &mut HeaderMap) -> ResponsePlan {
        let (tail, notes) = self.tail(headers);
        ResponsePlan::Pass(tail, notes)
    }

    /// An error that keeps its shape is logged by its status (L1).
    fn keep(mut self, head: &mut response::Parts) -> (Tail, Box<Event>) {
        self.expose(&mut head.headers);
        self.identify_response(&mut head.headers);
        let tail = Tail { policy: self.policy.clone(), id: self.id, label: self.settings.label() };
        let mut event = self.event(Origin::Inner, None);
        event.status = Some(head.status);
        event.code = Some(ErrorCode::of_status(head.status));
        (tail, Box::new(event))
    }

    fn strip(self, headers: &mut HeaderMap) -> ResponsePlan {
        let (tail, notes) = self.tail(headers);
        ResponsePlan::Strip(tail, notes)
    }

    fn tail(mut self, headers: &mut HeaderMap) -> (Tail, Option<Box<Notes>>) {
        self.expose(headers);
        self.identify_response(headers);
        let notes = self.aside.map(|aside| aside.notes).filter(|notes| !notes.is_empty());
        (Tail { policy: self.policy, id: self.id, label: self.settings.label() }, notes.map(Box::new))
    }

    /// E4, in every mode but `off`.
    fn expose(&self, headers: &mut HeaderMap) {
        if self.settings.expose_headers && self.settings.mode != Mode::Off {
            head::expose(headers);
        }
    }

    /// I3: the inner service's own id gives way, and is noted where it differs.
    fn identify_response(&mut self, headers: &mut HeaderMap) {
        if let Some(theirs) = headers.insert(X_REQUEST_ID, self.id_header.clone())
            && theirs != self.id_header
        {
            let aside = self.aside.get_or_insert_default();
            aside.notes.upstream_request_id = Some(request::printable(theirs.as_bytes()));
        }
    }
}

impl Pending {
    /// A panic kept the request from waiting (F2).
    pub fn panicked(self, text: Box<str>) -> Answered {
        self.exchange.unready_panicked(text)
    }

    /// The client went away (F2).
    pub fn abandoned(self) -> Event {
        self.exchange.abandoned()
    }

    /// What an error is that came instead of the first byte.
    ///
    /// # Panics
    ///
    /// If the error's `source` does.
    pub fn failure_of(&self, error: &(dyn Error + 'static)) -> Failure {
        if let Some(flags) = &self.exchange.flags {
            Meter::new(None, flags.clone()).request_failed(error);
        }
        self.exchange.failure_of(error, None)
    }

    /// The first byte came, or did not (G3).
    pub fn first_byte(self, first: FirstByte) -> Admission {
        let Self { mut exchange, refusal } = self;
        // Waiting for the byte has asked for the body: a `100 Continue` is out (G5).
        exchange.request.expects = false;
        let (fault, cause) = match first {
            FirstByte::End => {
                if let Some(flags) = &exchange.flags {
                    Meter::new(None, flags.clone()).request_ended();
                }
                return exchange.forward();
            }
            FirstByte::Data => (refusal, None),
            FirstByte::TooSlow => (Fault::new(ErrorCode::REQUEST_TIMEOUT), None),
            FirstByte::Failed(failure, error) => (failure.fault, Some(error)),
        };
        Admission::Answer(exchange.refuse(fault, cause))
    }
}

/// Whether reading a body is of no use: there is none, its coding is not known here (R5), or it is too long (R4).
fn is_unreadable(headers: &HeaderMap, body: BodyFacts, max_bytes: u64) -> bool {
    body.is_empty() || body.lower > max_bytes || coding::codings(headers).is_none()
}
