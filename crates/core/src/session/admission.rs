//! Admits a request: sets its id, finds its route, runs its guards, and determines what the adapter must wait for. The
//! contract defines this in I1–I4 and G0–G4.

use std::cell::LazyCell;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Method, Uri};

use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::guard::body_limit::{BodyFlags, BodyMeter, ObservedLimit};
use crate::policy::{Matched, RefusedPath, RouteSettings, Unmatched};
use crate::request_id::RequestId;
use crate::session::answer::reply::drain_budget;
use crate::session::record::request_record::{BoxError, SessionConfig};
use crate::session::request::auth::{self, AuthDecision};
use crate::session::request::facts::RequestFlags;
use crate::session::request::guarded::{self, GuardOutcome, ObservedGuards};
use crate::session::request::identity::{self, AssignedId};
use crate::session::request::sent::HeaderFlags;
use crate::session::request::state::{Peek, Phase, RequestState, Session, Verification};
use crate::session::request::view::{BodyFacts, MAX_HEADERS, RequestView};
use crate::session::response::step::RequestStep;

/// Texts of refusals because of the path or the method (G0). Developers of the client read these texts.
const TOO_MANY_READINGS: &str = "The request's path or method can be read in too many ways.";
const AMBIGUOUS_PATH: &str = "The request's path can be read in several ways.";
const NOT_PLAIN: &str =
    "The request's path may only have letters, digits, - . _ ~ and /, and no empty or dot segments.";

/// The time to wait for the first byte of a body that declares neither a type nor a length (G3).
const PEEK_TIMEOUT: Duration = Duration::from_secs(10);

/// A session, and the first step for its adapter.
pub(super) type Admitted = (Session, RequestStep);

impl Session {
    /// Begins with the head of a request: sets its id, finds its route, and runs the guards.
    ///
    /// `id` generates an id. `id` is called only if no other id is used (I1). If the request is forwarded, its head
    /// changes. The head gets `x-request-id`, and `traceparent` and the headers of `forward_id` if the policy sets
    /// them. The extensions get the [`RequestId`], the caller's [`Identity`](crate::guard::auth::Identity), and the
    /// [`UpstreamUrl`](crate::policy::UpstreamUrl) of the request's scope.
    #[inline]
    pub fn begin(
        config: Arc<SessionConfig>,
        head: &mut Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> (Self, RequestStep) {
        admit(config, head, body, id, mark)
    }

    /// Does the same as [`Session::begin`], but works on a copy of the head that contains only the header lines that
    /// [are read](crate::session::request::header_use::is_read). An adapter whose proxy owns the heads calls this
    /// method. The config must not [read any](SessionConfig::reads_any) other headers.
    ///
    /// The head does not change. If the request is forwarded, the adapter sets its `x-request-id` to
    /// [`Session::id_header`], which replaces any other value. It changes nothing else.
    pub fn begin_copy(
        config: Arc<SessionConfig>,
        head: &mut Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> (Self, RequestStep) {
        admit(config, head, body, id, |_, _| ())
    }
}

/// Finds the request's route, and runs its guards. `mark` is called on the head of a request that is to be forwarded.
#[inline]
pub(super) fn admit(
    config: Arc<SessionConfig>,
    head: &mut Parts,
    body: BodyFacts,
    id: impl FnOnce() -> RequestId,
    mark: impl FnOnce(&RequestState, &mut Parts),
) -> Admitted {
    let policy = &**config.policy();
    let (sent, media_type) = HeaderFlags::scan(head, &policy.key_headers);
    if head.headers.len() > MAX_HEADERS {
        return refuse_headers(config, head, body, &sent, id);
    }
    let mut given = identity::identify(policy.process.ids, head, &sent, id);
    let cached = match config.original_uri(head) {
        None => policy
            .cached_settings(head, sent.has(HeaderFlags::METHOD) || policy.names_methods && sent.is_in_cookie(head)),
        Some(_) => None,
    };
    let Some(settings) = cached else {
        let admitted = ArrivingRequest { config, body, sent: &sent, given }.admit_in_readings(head);
        mark_admitted(&admitted, head, mark);
        return admitted;
    };
    let stream_limit_per = guarded::stream_limit_per(head, &sent, body, || std::iter::once(settings));
    let view = RequestView { head, sent: &sent, body, stream_limit_per };
    // Most routes only guard the body, and most bodies declare a type. If a body declares no type, its first byte may
    // have to be awaited, and the request takes the longer path.
    let (response_settings, limit, mut observed) = (settings.clone(), settings.body_limit, ObservedGuards::default());
    let alone = settings.guards_bodies_alone() && head.method != Method::OPTIONS;
    let checked = alone.then(|| {
        let (routes, observing) = (std::iter::once(settings), std::iter::empty());
        guarded::check_body(policy, routes, observing, limit, &view, || media_type, &mut observed)
    });
    match checked {
        Some(Ok(None)) => {}
        Some(Err(fault)) => {
            let mut state = RequestState::new(config, &view, given, response_settings);
            return refused(&mut state, fault, None);
        }
        Some(Ok(Some(_))) | None => {
            let mut matched = Matched::only(settings.clone());
            let admitted = ArrivingRequest { config, body, sent: &sent, given }.admit_guarded(head, &mut matched, None);
            mark_admitted(&admitted, head, mark);
            return admitted;
        }
    }
    identity::remove_spoofed(policy, &sent, &mut head.headers, &mut given.notes);
    let view = RequestView { head, sent: &sent, body, stream_limit_per };
    // The state is made in the place from which it is returned, because it is expensive to move.
    let mut session = Session::called(RequestState::new(config, &view, given, response_settings));
    let Phase::Called(state) = &mut session.phase else { return (session, RequestStep::Broken) };
    count_body(state, body, limit, ObservedLimit::default());
    mark(state, head);
    let step = forward_step(state);
    (session, step)
}

/// Sets the id in the head of a request that is to be forwarded.
#[inline]
pub(super) fn mark(state: &RequestState, head: &mut Parts) {
    identity::mark(state.policy(), &state.settings, head, state.id, state.id_header.clone());
}

/// Calls `mark` on the head of a request that may be forwarded.
fn mark_admitted((session, _): &Admitted, head: &mut Parts, mark: impl FnOnce(&RequestState, &mut Parts)) {
    if let Some(state) = session.state() {
        mark(state, head);
    }
}

/// Returns the state of a request that no guard checks. The head of the request only decides the form of the response.
pub(super) fn unguarded(
    config: Arc<SessionConfig>,
    (head, sent): (&Parts, &HeaderFlags),
    body: BodyFacts,
    settings: Arc<RouteSettings>,
    id: impl FnOnce() -> RequestId,
) -> RequestState {
    let given = identity::identify(config.policy().process.ids, head, sent, id);
    RequestState::new(config, &RequestView { head, sent, body, stream_limit_per: None }, given, settings)
}

/// Refuses a head with so many headers that a `HeaderMap` cannot take one more. None of the headers is read.
#[cold]
fn refuse_headers(
    config: Arc<SessionConfig>,
    head: &mut Parts,
    body: BodyFacts,
    sent: &HeaderFlags,
    id: impl FnOnce() -> RequestId,
) -> Admitted {
    head.headers.clear();
    let policy = config.policy();
    let settings = policy.matched(head).unwrap_or_else(|why| policy.settings_of_unmatched(head, why)).normal;
    let fault = Fault::new(ErrorCode::HEADERS_TOO_LARGE).with_source("the head has too many headers");
    let mut state = unguarded(config, (head, &sent.of_call_alone()), body, settings, id);
    refused(&mut state, fault, None)
}

/// A request that already has an id, but no state yet.
struct ArrivingRequest<'r> {
    config: Arc<SessionConfig>,
    body: BodyFacts,
    sent: &'r HeaderFlags,
    given: AssignedId,
}

impl ArrivingRequest<'_> {
    /// Admits a request whose path or method may be read in several ways (G0).
    #[inline(never)]
    fn admit_in_readings(self, head: &mut Parts) -> Admitted {
        let policy = self.config.policy();
        let original = self.config.original_uri(head).map(Uri::path);
        let (mut matched, unmatched) = match policy.matched_as(head, original, self.sent.has(HeaderFlags::METHOD)) {
            Ok(matched) => (matched, None),
            Err(why) => (policy.settings_of_unmatched(head, why), Some(why)),
        };
        self.admit_guarded(head, &mut matched, unmatched)
    }

    /// Runs all guards, for every reading of the request.
    fn admit_guarded(self, head: &mut Parts, matched: &mut Matched, unmatched: Option<Unmatched>) -> Admitted {
        let Self { config, body, sent, mut given } = self;
        let policy = &**config.policy();
        identity::remove_spoofed(policy, sent, &mut head.headers, &mut given.notes);
        // A guard may require this header (G1).
        identity::trace(policy.process.ids, head, given.id);
        let stream_limit_per = guarded::stream_limit_per(head, sent, body, || guarded::guarded_readings(matched));
        let view = RequestView { head, sent, body, stream_limit_per };
        let mut guarded = guarded::guard(policy, matched, &view);
        let is_preflight = guarded::is_preflight(&view);
        let refuse =
            |text: &str| Some(Fault::new(ErrorCode::BAD_REQUEST).with_message(text.to_owned()).with_source(text));
        match unmatched {
            // A request that names two hosts has no route (RFC 9112 §3.2).
            Some(Unmatched::NoHost) if policy.refuses() => guarded.unmet = Some(no_host()),
            Some(Unmatched::NoHost) => {
                // If no route enforces its refusals, this refusal is not enforced either (M1).
                guarded.observed_unmet.get_or_insert_with(no_host);
            }
            Some(Unmatched::TooManyReadings) => guarded.unmet = refuse(TOO_MANY_READINGS),
            Some(Unmatched::UnclearMethod(name)) => {
                guarded.unmet =
                    refuse(&format!("The value of {name} is not a method: it may have up to 32 letters and hyphens."));
            }
            None => match matched.refused {
                Some(RefusedPath::Ambiguous) => guarded.unmet = refuse(AMBIGUOUS_PATH),
                Some(RefusedPath::NotPlain) => guarded.unmet = refuse(NOT_PLAIN),
                None => {}
            },
        }
        let mut state = RequestState::new(config, &view, given, matched.normal.clone());
        let now = LazyCell::new(state.config.clock);
        let decision = match guarded.unmet.take() {
            None if !state.policy().has_schemes() => AuthDecision::Open(None, None),
            None => auth::check_auth(matched, (head, is_preflight), &|| *now),
            Some(fault) => AuthDecision::Closed(fault, None, None),
        };
        // The log shows the other readings of the request that matched other guards (G0).
        if !matched.others.is_empty() {
            state.notes_mut().readings = std::mem::take(&mut matched.others);
        }
        note_original_path(&mut state, matched, head);
        admit_after_auth(state, decision, guarded)
    }
}

/// Applies first the result of authentication, then the results of the other guards.
pub(super) fn admit_after_auth(mut state: RequestState, decision: AuthDecision, guarded: GuardOutcome) -> Admitted {
    let (refusal, unenforced) = match decision {
        AuthDecision::Ask(pending) => {
            let timeout = pending.next().map_or(Duration::ZERO, |scheme| scheme.timeout);
            let verification = Verification { state, pending, guarded: Box::new(guarded) };
            return (Session { phase: Phase::Verifying(Box::new(verification)) }, RequestStep::Verify(timeout));
        }
        AuthDecision::Closed(fault, unenforced, caller) => {
            state.note_caller(caller);
            (Some(fault), unenforced)
        }
        AuthDecision::Open(unenforced, caller) => {
            state.note_caller(caller);
            (guarded.refusal, unenforced)
        }
    };
    if unenforced.is_some() {
        state.notes_mut().observes_credentials = true;
    }
    // The first refusal that is not enforced, in the order of the guards, may become an event.
    let observed = [guarded.observed_unmet, unenforced, guarded.observed.refusal, guarded.observed.too_large];
    observed.iter().for_each(|observed| state.note_refusal(observed.as_ref()));
    let observed = observed.into_iter().flatten().next();
    if observed.is_some() || guarded.observed.peek.is_some() {
        let cold = state.cold.get_or_insert_default();
        (cold.observed, cold.observed_peek) = (observed, guarded.observed.peek);
    }
    if let Some(refusal) = refusal {
        return refused(&mut state, refusal, None);
    }
    count_body(&mut state, guarded.body, guarded.limit, guarded.observed.limit);
    match guarded.peek {
        Some(refusal) => {
            let peek = Box::new(Peek { state, refusal });
            (Session { phase: Phase::Peeking(peek) }, RequestStep::Peek(PEEK_TIMEOUT))
        }
        None => forward(state),
    }
}

#[inline(always)]
pub(super) fn forward(mut state: RequestState) -> Admitted {
    let step = forward_step(&mut state);
    (Session::called(state), step)
}

fn forward_step(state: &mut RequestState) -> RequestStep {
    state.request.set(RequestFlags::CALLED, true);
    RequestStep::Forward(meter(state))
}

/// Responds with this fault to a request that is not forwarded.
pub(super) fn refused(state: &mut RequestState, fault: Fault, cause: Option<BoxError>) -> Admitted {
    (Session { phase: Phase::Ended }, RequestStep::Send(state.refuse(fault, cause)))
}

/// Returns the meter of a request's body, or `None` if the request has no body.
#[inline]
fn meter(state: &RequestState) -> Option<BodyMeter> {
    state.flags.clone().map(|flags| BodyMeter::new(flags).by_message(state.request.messages()))
}

#[inline(always)]
fn count_body(state: &mut RequestState, body: BodyFacts, limit: Option<u64>, observed: ObservedLimit) {
    if !body.is_empty() {
        let policy = state.policy();
        let (keeps, is_proxy) = (
            policy.needs_request_facts && state.settings.dialect.spec().has_call_id,
            state.config.forwarding.is_some(),
        );
        state.flags = Some(BodyFlags::new(limit, drain_budget(policy), observed, (keeps, is_proxy)));
    }
}

/// Uses the path that the request had before the framework stripped a prefix (G0), and notes this for the log.
fn note_original_path(state: &mut RequestState, matched: &Matched, head: &Parts) {
    if matched.only_original && state.policy().is_first_original() {
        state.notes_mut().only_original_path = true;
    }
    let original = if matched.follows_original { state.config.original_uri(head) } else { None };
    let (Some(original), Some(cold)) = (original, &mut state.cold) else { return };
    if let (Some((_, target)), Some(path)) = (&mut cold.target, original.path_and_query()) {
        *target = path.clone();
    }
}

fn no_host() -> Fault {
    Fault::new(ErrorCode::BAD_REQUEST).with_source("the request has no host, or two")
}
