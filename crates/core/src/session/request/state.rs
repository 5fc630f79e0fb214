//! The request in each phase of its session.

use std::sync::Arc;

use http::{HeaderValue, Method, Version};

use super::auth::PendingAuth;
use super::body_context::BodyContext;
use super::facts::{ColdState, RequestFlags};
use super::guarded::GuardOutcome;
use super::identity::AssignedId;
use super::sent::HeaderFlags;
use super::view::RequestView;
use crate::classify::credentials::Credentials;
use crate::fault::Fault;
use crate::guard::auth::Identity;
use crate::guard::body_limit::BodyFlags;
use crate::policy::{Adopted, Mode, Policy, RouteSettings, rule};
use crate::request_id::RequestId;
use crate::session::record::body_capture::{BodyCapture, CapturedBody};
use crate::session::record::delivery::{SentStatus, ServiceAnswer};
use crate::session::record::notes::{KnownMethod, Origin, RecordFields};
use crate::session::record::request_record::{Cause, RecordLabel, RequestRecord, SessionConfig};
use crate::target::Target;

/// Follows one request from its head to the last decision about its response.
///
/// Every future of the layer contains a session. To keep the session small, parts that few requests need are boxed.
#[derive(Debug, Default)]
pub struct Session {
    pub(in crate::session) phase: Phase,
}

/// What a session waits for, which determines the adapter's next call.
#[derive(Debug, Default)]
pub(in crate::session) enum Phase {
    /// The session waits for a response, or for the end of the request without a response.
    Called(RequestState),
    /// The session waits for the first byte of the request's body, because the guard of the content type depends on it
    /// (G3).
    Peeking(Box<Peek>),
    /// The session waits for the result of a user's verifier, or for keys (G2).
    Verifying(Box<Verification>),
    /// The session waits for nothing, because everything is decided.
    #[default]
    Ended,
}

/// A request whose first body byte is awaited.
#[derive(Debug)]
pub(in crate::session) struct Peek {
    pub(in crate::session) state: RequestState,
    /// The refusal that the client gets if the body has a byte.
    pub(in crate::session) refusal: Fault,
}

/// A request that depends on a verifier, or on keys that must be fetched (G2).
#[derive(Debug)]
pub struct Verification {
    pub(in crate::session) state: RequestState,
    pub(in crate::session) pending: Box<PendingAuth>,
    /// The decisions of all guards except the check of the credentials.
    pub(in crate::session) guarded: Box<GuardOutcome>,
}

impl Session {
    #[inline(always)]
    pub(in crate::session) fn state(&self) -> Option<&RequestState> {
        match &self.phase {
            Phase::Called(state) => Some(state),
            Phase::Peeking(peek) => Some(&peek.state),
            Phase::Verifying(verification) => Some(&verification.state),
            Phase::Ended => None,
        }
    }

    #[inline(always)]
    pub(in crate::session) fn called_state(&self) -> Option<&RequestState> {
        if let Phase::Called(state) = &self.phase { Some(state) } else { None }
    }

    pub(in crate::session) fn called(state: RequestState) -> Self {
        Self { phase: Phase::Called(state) }
    }

    pub(in crate::session) fn state_mut(&mut self) -> Option<&mut RequestState> {
        match &mut self.phase {
            Phase::Called(state) => Some(state),
            Phase::Peeking(peek) => Some(&mut peek.state),
            Phase::Verifying(verification) => Some(&mut verification.state),
            Phase::Ended => None,
        }
    }
}

/// The facts of a request, its config and its id.
#[derive(Debug)]
pub(in crate::session) struct RequestState {
    pub(in crate::session) config: Arc<SessionConfig>,
    /// The settings of the request's path in its normal form.
    pub(in crate::session) settings: Arc<RouteSettings>,
    pub(in crate::session) id: RequestId,
    pub(in crate::session) id_header: HeaderValue,
    pub(in crate::session) request: RequestFlags,
    pub(in crate::session) method: KnownMethod,
    pub(in crate::session) framework_route: Option<Arc<str>>,
    /// The path and the query. Errors do not repeat text from the path or the query (E9).
    pub(in crate::session) target: Target,
    pub(in crate::session) flags: Option<BodyFlags>,
    /// The response of the service.
    pub(in crate::session) service: Option<ServiceAnswer>,
    pub(in crate::session) cold: Option<Box<ColdState>>,
}

impl RequestState {
    #[inline(always)]
    pub(in crate::session) fn new(
        config: Arc<SessionConfig>,
        view: &RequestView<'_>,
        given: AssignedId,
        settings: Arc<RouteSettings>,
    ) -> Self {
        let AssignedId { id, header: mut id_header, notes, is_nested } = given;
        // HPACK's tables help only with repeated values, and no id is repeated. Otherwise h2 would index each id,
        // compare it with about fifty old ids, and displace useful entries.
        id_header.set_sensitive(view.head.version == Version::HTTP_2);
        let mut request = RequestFlags::new(view, &settings, config.policy());
        request.set(RequestFlags::NESTED, is_nested);
        let mut cold = ColdState::new(view, notes, &settings, &config);
        if view.sent.has(HeaderFlags::CREDENTIALS | HeaderFlags::KEY) {
            let (credentials, scheme) = Credentials::from_headers(&view.head.headers, view.sent.has(HeaderFlags::KEY));
            request.credentials = credentials;
            if let Some(name) = scheme {
                cold.get_or_insert_default().scheme = Some(name.into());
            }
        }
        let method = KnownMethod::from(&view.head.method);
        let framework_route = config.framework_route(&view.head.extensions);
        let is_kept = settings.mode != Mode::Off;
        let target = Target::new(view.head.uri.path_and_query().filter(|_| is_kept));
        let (flags, service) = (None, None);
        Self { settings, id, id_header, request, method, framework_route, target, flags, service, cold, config }
    }

    #[inline]
    pub(in crate::session) fn policy(&self) -> &Policy {
        self.config.policy()
    }

    /// Returns the route that the framework found, else the pattern in the policy (L1).
    #[inline]
    pub(in crate::session) fn route(&self) -> Option<&Arc<str>> {
        let pattern = || self.policy().route_pattern(self.settings.label()).map(|pattern| &pattern.written);
        self.framework_route.as_ref().or_else(pattern)
    }

    /// Returns the name of the policy's scope (L1).
    #[inline]
    pub(in crate::session) fn scope(&self) -> Option<&str> {
        self.policy().scope_name(self.settings.label())
    }

    /// Returns true if the mode changes more of a response than its ids.
    pub(in crate::session) fn changes_responses(&self) -> bool {
        !matches!(self.settings.mode, Mode::Off | Mode::Observe)
    }

    /// Returns true if the mode rewrites errors that have a body.
    pub(in crate::session) fn rewrites(&self) -> bool {
        matches!(self.settings.mode, Mode::Fill | Mode::Enforce)
    }

    pub(in crate::session) fn notes(&self) -> Option<&RecordFields> {
        self.cold.as_ref()?.notes.as_deref()
    }

    pub(in crate::session) fn notes_mut(&mut self) -> &mut RecordFields {
        self.cold.get_or_insert_default().notes.get_or_insert_default()
    }

    /// Notes the bodies of an error for the observer.
    pub(in crate::session) fn note_bodies(&mut self, before: Option<CapturedBody>, after: CapturedBody) {
        self.notes_mut().captured = Some(BodyCapture { before, after: Some(after) });
    }

    /// Returns true if a guard that only observes would have refused the request, and this refusal is not logged yet.
    #[inline]
    pub(in crate::session) fn has_observed_refusal(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| cold.observed.is_some())
    }

    /// Returns true if the response may be one that a stricter guard would have refused (M1).
    #[inline]
    pub(in crate::session) fn observes_guards(&self) -> bool {
        self.settings.mode == Mode::Observe || self.has_observed_refusal()
    }

    /// Notes, for the request's error event (L1), a refusal that the request would also have got.
    pub(in crate::session) fn note_refusal(&mut self, refusal: Option<&Fault>) {
        if let Some(refusal) = refusal
            && !self.notes().is_some_and(|notes| notes.also.contains(refusal.code()))
        {
            self.notes_mut().also.push(refusal.code().clone());
        }
    }

    /// Returns true if an observer gets bodies.
    #[inline]
    pub(in crate::session) fn captures_bodies(&self) -> bool {
        self.config.observer().is_some() && self.config.policy().process.observes_bodies
    }

    /// Applies the policy to a fault that the layer did not create: the settings of its code, and the message of a
    /// rule.
    #[inline(always)]
    pub(in crate::session) fn with_policy_settings(&mut self, fault: Fault, origin: Origin) -> Fault {
        let fault = if origin == Origin::Fault { self.with_rule_message(fault) } else { fault };
        let Adopted { fault, other_status } = self.policy().adopt(fault);
        if other_status.is_some() {
            self.notes_mut().policy_status = other_status;
        }
        fault
    }

    /// Replaces the message of a service's fault with the `say` of the first `[[map]]` rule that matches the fault and
    /// names the fault's code (R1). Without such a text, returns the fault unchanged.
    fn with_rule_message(&self, fault: Fault) -> Fault {
        let target = self.cold.as_ref().and_then(|cold| cold.target.as_ref());
        let (method, path) = target.map_or((&Method::GET, None), |(method, path)| (method, Some(path.path())));
        match rule::message_for(self.policy().rules(&self.settings), &fault, method, path) {
            Some(text) => fault.with_message(text.to_owned()),
            None => fault,
        }
    }

    /// Returns a record in which only the origin is set. The session continues.
    pub(in crate::session) fn record(&self, origin: Origin) -> RequestRecord {
        let notes = self.cold.as_ref().and_then(|cold| cold.completed(cold.notes.clone()));
        let label = self.label(self.framework_route.clone());
        RequestRecord::new(self.config.clone(), self.id, label, notes, (Some(origin), None, None))
    }

    /// Notes the caller that the credentials name.
    pub(in crate::session) fn note_caller(&mut self, caller: Option<Identity>) {
        if caller.is_some() {
            self.cold.get_or_insert_default().caller = caller;
        }
    }

    /// Notes the gRPC status that the service sent.
    pub(in crate::session) fn note_grpc(&mut self, number: Option<u8>) {
        if let (Some(service), Some(_)) = (&mut self.service, number) {
            service.grpc = number;
        }
    }

    /// Takes the state, to keep it beyond the session. All other steps leave it in its place, because it is expensive to
    /// move.
    pub(in crate::session) fn take(&mut self) -> Self {
        Self {
            config: Arc::clone(&self.config),
            settings: Arc::clone(&self.settings),
            id_header: self.take_id_header(),
            framework_route: self.framework_route.take(),
            target: std::mem::take(&mut self.target),
            flags: self.flags.take(),
            cold: self.cold.take(),
            ..*self
        }
    }

    /// Takes the id out of the state, because the session ends. Returns the id as the value of the response's header.
    #[inline(always)]
    pub(in crate::session) fn take_id_header(&mut self) -> HeaderValue {
        std::mem::replace(&mut self.id_header, HeaderValue::from_static(""))
    }

    /// Returns the record that ends the session.
    #[inline(always)]
    pub(in crate::session) fn take_record(
        &mut self,
        origin: Origin,
        cause: Option<Cause>,
        sent: Option<SentStatus>,
    ) -> RequestRecord {
        self.take_body_context().record(Some(origin), cause, sent)
    }

    /// Returns the record of a request without an error, which ends the session.
    #[inline(always)]
    pub(in crate::session) fn take_body_context(&mut self) -> BodyContext {
        let framework_route = self.framework_route.take();
        let label = self.label(framework_route);
        BodyContext { config: Arc::clone(&self.config), id: self.id, label, cold: self.cold.take() }
    }

    #[inline(always)]
    fn label(&self, framework_route: Option<Arc<str>>) -> RecordLabel {
        let (settings, method) = (self.settings.label(), self.method);
        let mut bits = self.request.record_bits();
        // The layer that cut the body off responds to the request, and logs it.
        if bits & RecordLabel::NESTED != 0 && self.flags.as_ref().is_some_and(|it| it.has(BodyFlags::CUT_OUTSIDE)) {
            bits |= RecordLabel::WRITTEN_ELSEWHERE | RecordLabel::OBSERVED_ELSEWHERE;
        }
        RecordLabel { settings, method, framework_route, bits, service: self.service, flags: self.flags.clone() }
    }
}
