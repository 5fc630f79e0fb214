//! A request on its way in: its id, its route, its guards, and its waits (rules I1-I4, G0-G4).

use std::cell::LazyCell;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Method, Uri, Version};

use super::auth::{self, AuthDecision};
use super::path_form::path_form;
use super::request::{
    self, AssignedId, ColdState, GuardOutcome, HeaderFlags, MAX_HEADERS, ObservedGuards, RequestFlags, RequestView,
};
use super::{
    Admission, BodyFacts, BodyMeter, Event, Exchange, ExchangeConfig, KnownMethod, Origin, PendingPeek,
    PendingVerification, reply,
};
use crate::classify::credentials::Credentials;
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::guard::body_limit::{BodyFlags, ObservedLimit};
use crate::policy::{Matched, MatchedReading, Mode, ResponseSettings, Unmatched};
use crate::request_id::RequestId;

/// G0's own refusals, worded for the developer of the client.
const TOO_MANY_READINGS: &str = "The request's path or method can be read in too many ways.";
const AMBIGUOUS_PATH: &str = "The request's path can be read in several ways.";

/// How long the first body byte is awaited where the content type is missing and the length unknown (G3).
const PEEK_TIMEOUT: Duration = Duration::from_secs(10);

impl Exchange {
    /// Takes a request's head: gives it its id, finds its route, and runs the guards.
    ///
    /// `id` makes a fresh id; it is called only where no other id holds (I1). The head of a request that goes on is changed:
    /// `x-request-id`; `traceparent` and the headers of `forward_id` where the policy sets them; the [`RequestId`], the
    /// caller's [`Identity`](crate::guard::auth::Identity), and the [`UpstreamUrl`](crate::policy::UpstreamUrl) that
    /// the request's scope names, go into the extensions.
    #[inline]
    pub fn begin(
        config: Arc<ExchangeConfig>,
        head: &mut Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> Admission {
        Self::begin_head::<true>(config, head, body, id)
    }

    /// As [`Exchange::begin`], with a copy of those lines of a head that are [read](super::is_read): for an adapter whose
    /// heads lie elsewhere, with a config that does not [read any](ExchangeConfig::reads_any).
    ///
    /// The head stays as it is. If the request goes on, the adapter sets its `x-request-id` to [`Exchange::id_header`],
    /// replacing any other, and changes nothing else.
    pub fn begin_copy(
        config: Arc<ExchangeConfig>,
        head: &mut Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> Admission {
        Self::begin_head::<false>(config, head, body, id)
    }

    /// `HERE`: whether this head carries the id to the inner service.
    #[inline]
    fn begin_head<const HERE: bool>(
        config: Arc<ExchangeConfig>,
        head: &mut Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> Admission {
        let policy = &**config.policy();
        let (sent, media_type) = HeaderFlags::scan(head, policy.key_headers());
        if head.headers.len() > MAX_HEADERS {
            return Self::begin_without_headers(config, head, body, &sent, id);
        }
        let mut given = request::identify(policy.ids(), head, &sent, id);
        let cached = match config.original_uri(head) {
            None => policy.cached_settings(head, sent.overrides_method()),
            Some(_) => None,
        };
        let Some(settings) = cached else {
            return Self::begin_in_readings::<HERE>(config, head, body, &sent, given);
        };
        let claimed = request::claimed(head, &sent, body, || std::iter::once(settings));
        let view = RequestView { head, sent: &sent, body, claimed };
        // Most routes have only body guards, and most bodies have a type: without one the first byte
        // may decide.
        let (response_settings, limit, mut observed) =
            (settings.response_settings(), settings.body_limit, ObservedGuards::default());
        let alone = settings.guards_bodies_alone() && head.method != Method::OPTIONS;
        let checked = alone.then(|| {
            let (routes, observing) = (std::iter::once(settings), std::iter::empty());
            request::check_body(policy, routes, observing, limit, &view, || media_type, &mut observed)
        });
        match checked {
            Some(Ok(None)) => {}
            Some(Err(fault)) => {
                let exchange = Self::new(config, &view, given, response_settings);
                return Admission::Answer(Box::new(exchange.refuse(fault, None)));
            }
            Some(Ok(Some(_))) | None => {
                let mut matched = Matched::only(*settings);
                return Self::begin_guarded::<HERE>(config, head, body, &sent, given, &mut matched, None);
            }
        }
        request::remove_forged(policy, &sent, &mut head.headers, &mut given.notes);
        let assigned = HERE.then(|| (given.id, given.header.clone()));
        let view = RequestView { head, sent: &sent, body, claimed };
        let mut exchange = Self::new(config, &view, given, response_settings);
        if let Some((id, header)) = assigned {
            request::mark(exchange.policy(), &exchange.settings, head, id, header);
        }
        if body.is_empty() {
            return Admission::Forward(exchange, None, None);
        }
        exchange.meet(body, limit, ObservedLimit::default());
        exchange.forward()
    }

    /// As [`Exchange::begin`], for a request that may have several readings (G0).
    #[inline(never)]
    fn begin_in_readings<const HERE: bool>(
        config: Arc<ExchangeConfig>,
        head: &mut Parts,
        body: BodyFacts,
        sent: &HeaderFlags,
        given: AssignedId,
    ) -> Admission {
        let policy = config.policy();
        let original = config.original_uri(head).map(Uri::path);
        let (mut matched, unmatched) = match policy.matched_as(head, original, sent.overrides_method()) {
            Ok(matched) => (matched, None),
            Err(why) => (policy.unmatched(head, why), Some(why)),
        };
        Self::begin_guarded::<HERE>(config, head, body, sent, given, &mut matched, unmatched)
    }

    /// As [`Exchange::begin`], on a route that may have several guards.
    fn begin_guarded<const HERE: bool>(
        config: Arc<ExchangeConfig>,
        head: &mut Parts,
        body: BodyFacts,
        sent: &HeaderFlags,
        mut given: AssignedId,
        matched: &mut Matched,
        unmatched: Option<Unmatched>,
    ) -> Admission {
        let policy = &**config.policy();
        request::remove_forged(policy, sent, &mut head.headers, &mut given.notes);
        // A guard may require it (G1).
        request::trace(policy.ids(), head, given.id);
        let claimed = request::claimed(head, sent, body, || request::guarding(matched));
        let view = RequestView { head, sent, body, claimed };
        let mut guarded = request::guard(policy, matched, &view);
        let is_preflight = request::is_preflight(&view);
        let refuse = |text: &'static str| Some(Fault::new(ErrorCode::BAD_REQUEST).message(text).caused_by(text));
        match unmatched {
            // RFC 9112 §3.2: a request that names two hosts has no route.
            Some(Unmatched::NoHost) if policy.refuses() => guarded.unmet = Some(no_host()),
            Some(Unmatched::NoHost) => {
                // Where nothing refuses, this does not either (M1).
                guarded.observed_unmet.get_or_insert_with(no_host);
            }
            Some(Unmatched::TooManyReadings) => guarded.unmet = refuse(TOO_MANY_READINGS),
            None if matched.is_refused => guarded.unmet = refuse(AMBIGUOUS_PATH),
            None => {}
        }
        let mut exchange = Self::new(config, &view, given, matched.normal.response_settings());
        let now = LazyCell::new(exchange.config.clock);
        let decision = match guarded.unmet.take() {
            None if !exchange.policy().has_schemes() => AuthDecision::Open(None),
            None => auth::check_auth(exchange.policy(), matched, (head, is_preflight), &|| *now),
            Some(fault) => AuthDecision::Closed(fault, None),
        };
        exchange.note_readings(std::mem::take(&mut matched.others));
        exchange.note_original_path(matched, head);
        exchange.after_auth(decision, guarded, HERE.then_some(head))
    }

    /// The head is too full for a map to take one more header: none of them is read.
    #[cold]
    fn begin_without_headers(
        config: Arc<ExchangeConfig>,
        head: &mut Parts,
        body: BodyFacts,
        sent: &HeaderFlags,
        id: impl FnOnce() -> RequestId,
    ) -> Admission {
        head.headers.clear();
        let sent = sent.of_call_alone();
        let policy = &**config.policy();
        let matched = policy.matched(head).unwrap_or_else(|why| policy.unmatched(head, why));
        let given = request::identify(policy.ids(), head, &sent, id);
        let fault = Fault::new(ErrorCode::HEADERS_TOO_LARGE).caused_by("more headers than a head may have");
        let view = RequestView { head, sent: &sent, body, claimed: None };
        let exchange = Self::new(config, &view, given, matched.normal.response_settings());
        Admission::Answer(Box::new(exchange.refuse(fault, None)))
    }

    #[inline(always)]
    pub(super) fn new(
        config: Arc<ExchangeConfig>,
        view: &RequestView<'_>,
        given: AssignedId,
        settings: ResponseSettings,
    ) -> Self {
        let AssignedId { id, header: mut id_header, notes } = given;
        // HPACK's tables are for values that come again. h2 indexes every other value, and compares each new id with some
        // fifty old ones that have displaced useful entries.
        id_header.set_sensitive(view.head.version == Version::HTTP_2);
        let mut request = RequestFlags::new(view, &settings, config.policy());
        let mut cold = ColdState::new(view, notes, &settings, &config);
        if view.sent.has_credentials() {
            let credentials = Credentials::from_headers(&view.head.headers, view.sent.has_key());
            request.credentials = credentials.kind();
            if let Credentials::Scheme(name) = credentials {
                cold.get_or_insert_default().scheme = Some(name.into());
            }
        }
        let method = KnownMethod::from(&view.head.method);
        let has_route = settings.label().has_route();
        let framework_route = config.framework_route(&view.head.extensions);
        if !has_route && framework_route.is_none() && config.observer().is_some() && config.policy().observes_bodies() {
            note_path_form(&mut cold, view.head.uri.path());
        }
        Self { settings, id, id_header, request, method, framework_route, flags: None, cold, config }
    }

    /// Notes for the log which further readings matched guards of their own (G0).
    fn note_readings(&mut self, readings: Vec<MatchedReading>) {
        if !readings.is_empty() {
            self.notes_mut().readings = readings;
        }
    }

    /// Uses the path from before a prefix was stripped (G0), and notes it for the log.
    fn note_original_path(&mut self, matched: &Matched, head: &Parts) {
        if matched.only_original && self.policy().is_first_original() {
            self.notes_mut().only_original_path = true;
        }
        let original = if matched.follows_original { self.config.original_uri(head) } else { None };
        let (Some(original), Some(cold)) = (original, &mut self.cold) else { return };
        if let (Some((_, target)), Some(path)) = (&mut cold.target, original.path_and_query()) {
            *target = path.clone();
        }
    }

    /// Gives the inner service the id.
    #[inline(always)]
    fn mark(&self, head: &mut Parts) {
        request::mark(self.policy(), &self.settings, head, self.id, self.id_header.clone());
    }

    /// Counts the body of a request that goes on.
    #[inline(always)]
    fn meet(&mut self, body: BodyFacts, limit: Option<u64>, watched: ObservedLimit) {
        if !body.is_empty() {
            self.flags = Some(BodyFlags::new(limit, reply::drain_budget(self.policy()), watched));
        }
    }

    /// Credentials first, then the guards that are left. The head of this request does not have its id yet.
    pub(super) fn after_auth(
        mut self,
        decision: AuthDecision,
        guarded: GuardOutcome,
        head: Option<&mut Parts>,
    ) -> Admission {
        let (refusal, unenforced) = match decision {
            AuthDecision::Ask(pending) => {
                if let Some(head) = head {
                    self.mark(head);
                }
                let timeout = pending.next().map_or(Duration::ZERO, |scheme| scheme.timeout());
                return Admission::Verify(
                    PendingVerification { exchange: self, pending, guarded: Box::new(guarded) },
                    timeout,
                );
            }
            AuthDecision::Closed(fault, unenforced) => (Some(fault), unenforced),
            AuthDecision::Open(unenforced) => (guarded.refusal, unenforced),
        };
        // In the order of the guards: the first that would have refused is reported.
        let observed = guarded.observed_unmet.or(unenforced).or(guarded.observed.refusal);
        if self.settings.mode != Mode::Observe {
            self.leave_unenforced(observed);
        } else if observed.is_some() || guarded.observed.peek.is_some() {
            let cold = self.cold.get_or_insert_default();
            (cold.observed, cold.observed_peek) = (observed, guarded.observed.peek);
        }
        if let Some(refusal) = refusal {
            return Admission::Answer(Box::new(self.refuse(refusal, None)));
        }
        if let Some(head) = head {
            self.mark(head);
        }
        self.meet(guarded.body, guarded.limit, guarded.observed.limit);
        match guarded.peek {
            Some(refusal) => Admission::Peek(PendingPeek { exchange: self, refusal }, PEEK_TIMEOUT),
            None => self.forward(),
        }
    }

    #[inline]
    pub(super) fn forward(mut self) -> Admission {
        let meter = self.flags.clone().map(|flags| self.meter(flags));
        let unenforced = self.unenforced();
        Admission::Forward(self, meter, unenforced)
    }

    /// Notes for the log a fault that `auth_observe` kept from refusing the request (M1). A route in `observe` logs it with
    /// the outcome of the request.
    pub(super) fn leave_unenforced(&mut self, fault: Option<Fault>) {
        let Some(fault) = fault else { return };
        let event = Event {
            code: Some(fault.code().clone()),
            would_be: Some(fault.status_code()),
            cause: reply::cause_of(&fault),
            ..self.body_context().event(Origin::Guard)
        };
        self.cold.get_or_insert_default().unenforced = Some(Box::new(event));
    }

    #[inline]
    fn meter(&self, flags: BodyFlags) -> BodyMeter {
        BodyMeter::new(flags).by_message(self.request.messages())
    }

    #[inline]
    pub(super) fn unenforced(&mut self) -> Option<Box<Event>> {
        self.cold.as_mut().and_then(|cold| cold.unenforced.take())
    }
}

fn no_host() -> Fault {
    Fault::new(ErrorCode::BAD_REQUEST).caused_by("the request names no host, or two")
}

/// The form of the path, for a user who looks for the missing route.
#[cold]
fn note_path_form(cold: &mut Option<Box<ColdState>>, path: &str) {
    cold.get_or_insert_default().notes.get_or_insert_default().path_form = Some(path_form(path));
}
