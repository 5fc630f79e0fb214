//! The calls of an adapter that do not depend on a response of the service. A call that the session does not expect
//! changes nothing.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, response};

use crate::classify::{self, Explanation, Rewrite};
use crate::code::ErrorCode;
use crate::dialect::Dialect;
use crate::fault::Fault;
#[cfg(feature = "jwt")]
use crate::guard::auth::RemoteKeys;
use crate::guard::auth::Verified;
use crate::guard::body_limit::BodyMeter;
use crate::policy::ExtProcBodies;
use crate::request_id::RequestId;
use crate::session::admission::{self, admit_after_auth, forward, refused};
use crate::session::answer::body::ErrorForm;
use crate::session::answer::outcome::{Failure, FirstByte, LocalReply, ReadBytes};
use crate::session::answer::refusals::refusal_before_failure;
use crate::session::answer::reply;
use crate::session::record::notes::{MapRuleId, Origin};
use crate::session::record::request_record::{BoxError, Cause, RequestRecord, SessionConfig};
use crate::session::request::facts::RequestFlags;
use crate::session::request::sent::HeaderFlags;
use crate::session::request::state::{Peek, Phase, Session, Verification};
use crate::session::request::view::BodyFacts;
use crate::session::response::step::{Ending, RequestStep, ResponseStep};

/// Takes the value of the session's phase, and ends the session. Does nothing if the session is in another phase.
macro_rules! take {
    ($session:ident, $phase:path) => {
        match std::mem::take(&mut $session.phase) {
            $phase(inside) => Some(inside),
            other => {
                $session.phase = other;
                None
            }
        }
    };
}

/// Calls about the request, until it is forwarded.
impl Session {
    /// Creates a request that must not be forwarded, because its head never arrived or could not be read (V4).
    ///
    /// The request has no route, and no guard has checked it. `head` decides the protocol of the response. Pass an
    /// empty head if no head arrived. End the request with [`Session::end`] or [`Session::proxy_failed`].
    pub fn unread(config: Arc<SessionConfig>, head: &Parts, body: BodyFacts, id: impl FnOnce() -> RequestId) -> Self {
        let (sent, _) = HeaderFlags::scan(head, &config.policy().key_headers);
        let settings = config.policy().settings_without_host().normal;
        Self::called(admission::unguarded(config, (head, &sent), body, settings, id))
    }

    /// Creates a request that another gateway handed over after it had failed. The other gateway has already run its
    /// guards. The policy of `config` chooses the route.
    ///
    /// `head` is the head of the client's request. The session ends with [`Session::proxy_failed`].
    pub fn handed_over(
        config: Arc<SessionConfig>,
        head: &Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> Self {
        let policy = config.policy();
        let (sent, _) = HeaderFlags::scan(head, &policy.key_headers);
        let settings = policy.matched(head).unwrap_or_else(|why| policy.settings_of_unmatched(head, why)).normal;
        Self::called(admission::unguarded(config, (head, &sent), body, settings, id))
    }

    /// Returns the verifier, or the keys, for which a request waits after [`RequestStep::Verify`].
    #[must_use]
    pub fn verification(&self) -> Option<&Verification> {
        if let Phase::Verifying(verification) = &self.phase { Some(verification) } else { None }
    }

    /// Continues with the result of the verifier, or with the error, panic or timeout that prevented a result. If the
    /// session waited for keys, `result` is ignored, and the token is checked with the keys that are available now
    /// (G2).
    pub fn verified(&mut self, head: &mut Parts, result: Result<Verified, BoxError>) -> RequestStep {
        let Some(verification) = take!(self, Phase::Verifying) else { return RequestStep::Broken };
        let Verification { state, pending, guarded } = *verification;
        let now = state.config.clock;
        let decision = pending.verified(result.map_err(Into::into), head, &now);
        self.step(admit_after_auth(state, decision, *guarded))
    }

    /// Continues after the wait for the first byte of the request's body (G3). If reading failed, get the failure from
    /// [`Session::classify`].
    pub fn first_byte(&mut self, first: FirstByte) -> RequestStep {
        let Some(peek) = take!(self, Phase::Peeking) else { return RequestStep::Broken };
        let Peek { mut state, refusal } = *peek;
        // Waiting for the byte has requested the body, so a `100 Continue` was sent (G5).
        state.request.set(RequestFlags::EXPECTS, false);
        let (failure, cause) = match first {
            FirstByte::End => {
                if let Some(flags) = &state.flags {
                    BodyMeter::new(flags.clone()).body_ended();
                }
                return self.step(forward(state));
            }
            FirstByte::Data => return self.step(refused(&mut state, refusal, None)),
            FirstByte::TooSlow => {
                let failure = Failure::new(Fault::new(ErrorCode::REQUEST_TIMEOUT), Origin::Error);
                (failure, Some("the first byte of the body came too late".into()))
            }
            FirstByte::Failed(failure, error) => (failure, Some(error)),
        };
        let reply = Box::new(state.answer_unforwarded(failure, cause));
        self.step((Self::default(), RequestStep::Send(reply)))
    }

    fn step(&mut self, (session, step): admission::Admitted) -> RequestStep {
        *self = session;
        step
    }
}

/// Facts about a request.
impl Session {
    /// Returns true if everything about the request is decided.
    #[must_use]
    #[inline]
    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// Returns the request's id, until the session ends.
    #[must_use]
    #[inline]
    pub fn id(&self) -> Option<RequestId> {
        Some(self.state()?.id)
    }

    /// Returns the request's id as the value of `x-request-id`, until the session ends.
    #[must_use]
    #[inline]
    pub fn id_header(&self) -> Option<&HeaderValue> {
        Some(&self.state()?.id_header)
    }

    /// Returns the request's id, even if `step` ended the session.
    #[must_use]
    pub fn request_id(&self, step: &RequestStep) -> Option<RequestId> {
        self.id().or_else(|| Some(step.reply()?.record.request_id()))
    }

    /// Returns the scope and the route of the request, as records report them (L1), even if `step` ended the session. A
    /// scope is reported as its first host and its prefix. The route is the framework's, or else the pattern in the
    /// policy.
    #[must_use]
    #[inline]
    pub fn labels<'s>(&'s self, step: &'s RequestStep) -> (Option<&'s str>, Option<&'s Arc<str>>) {
        match (self.state(), step.reply()) {
            (Some(state), _) => (state.scope(), state.route()),
            (None, Some(reply)) => (reply.record.scope(), reply.record.route_ref()),
            (None, None) => (None, None),
        }
    }

    /// Returns how long an RPC client waits for the whole call (`grpc-timeout`, `connect-timeout-ms`). After that time,
    /// an adapter ends the session with [`Ending::TimedOut`], or, if the head has been sent, calls
    /// [`Follow::timed_out`](crate::session::response::follow::Follow::timed_out).
    #[must_use]
    #[inline]
    pub fn call_time(&self) -> Option<Duration> {
        self.called_state().filter(|state| state.changes_responses())?.cold.as_ref()?.deadline
    }

    /// Returns true if an external processor on this route must read an error even if its length is not declared.
    #[must_use]
    pub fn buffers_unsized_errors(&self) -> bool {
        self.called_state().is_some_and(|state| state.settings.ext_proc_bodies == ExtProcBodies::Buffered)
    }
}

impl Verification {
    /// Returns the name of the scheme whose verifier is to run.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.pending.next().map_or("", |scheme| &*scheme.name)
    }

    /// Returns the keys that must be fetched, or `None` if a verifier must run instead.
    #[cfg(feature = "jwt")]
    #[must_use]
    pub fn keys(&self) -> Option<&RemoteKeys> {
        self.pending.next()?.remote_keys()
    }
}

/// A request without a response from the service. The cases are errors, panics, a service that is not ready, clients
/// that disconnect (F1–F3), and responses of the proxy itself (V2–V4).
impl Session {
    /// Classifies an error of the service (F1), or an error of the request's body while its first byte is awaited. If
    /// the layer cut the request's body off, the failure is the reason for the cut. Otherwise the service's classifier
    /// decides, or else the contract's list of errors. The classifier and the list check the whole chain of causes.
    ///
    /// # Panics
    ///
    /// Panics if the classifier or the error's `source` panics. The error is borrowed because its drop may panic, too.
    #[must_use]
    pub fn classify(&self, error: &(dyn Error + 'static)) -> Option<Failure> {
        let state = self.state()?;
        if let (Phase::Peeking(_), Some(flags)) = (&self.phase, &state.flags) {
            BodyMeter::new(flags.clone()).body_failed(error);
        }
        Some(reply::failure_of(state, error))
    }

    /// Classifies an error from `poll_ready` (F3).
    ///
    /// # Panics
    ///
    /// Panics in the same cases as [`Session::classify`].
    #[must_use]
    pub fn classify_unready(&self, error: &(dyn Error + 'static)) -> Option<Failure> {
        Some(reply::unreadiness_of(self.state()?, error))
    }

    /// Ends the request without a response of the service. Returns `None` if the request has already ended.
    pub fn end(&mut self, why: Ending) -> Option<LocalReply> {
        let was_forwarded = matches!(self.phase, Phase::Called(_));
        let mut ended = std::mem::take(self);
        let state = ended.state_mut()?;
        let is_called = match &why {
            Ending::Failed(failure, _) => !failure.is_uncalled,
            Ending::Unready(..) | Ending::UnreadyPanicked(_) => false,
            _ => true,
        };
        if !is_called {
            state.request.set(RequestFlags::CALLED, false);
        }
        let (failure, cause, forwarded) = match why {
            Ending::Failed(failure, cause) => (failure, Some(cause), true),
            Ending::Panicked(text) => (Failure::panicked(), Some(String::from(text).into()), true),
            Ending::TimedOut => {
                let (failure, cause) = reply::client_timeout();
                (failure, Some(cause), true)
            }
            Ending::Unready(failure, cause) => (failure, Some(cause), false),
            Ending::UnreadyPanicked(text) => (Failure::panicked(), Some(String::from(text).into()), false),
            // The 413 replaces this failure below.
            Ending::Overran => (Failure::new(Fault::new(ErrorCode::INTERNAL_ERROR), Origin::Error), None, false),
            Ending::Malformed(cause) => {
                return Some(*state.refuse(Fault::new(ErrorCode::BAD_REQUEST), Some(cause)));
            }
        };
        // If the layer cut the body off, the cut is the cause, and the failure only followed from it.
        let (failure, cause) = state.why_body_was_cut().map_or((failure, cause), |cut| (cut, None));
        let of_request = reply::cause_in_request(state, &failure);
        let mut reply = if forwarded && was_forwarded {
            state.answer(failure, cause)
        } else {
            state.answer_unforwarded(failure, cause)
        };
        reply.record.cause = of_request.map(|text| Cause::Error(text.into())).or(reply.record.cause);
        Some(reply)
    }

    /// Ends the request of a client that left before the response head (F2). Returns the record to close, or `None` if
    /// the request has already ended.
    pub fn abandon(&mut self) -> Option<RequestRecord> {
        let mut ended = std::mem::take(self);
        let state = ended.state_mut()?;
        let would_be = refusal_before_failure(state);
        Some(RequestRecord { would_be, ..state.take_body_context().record(None, None, None) })
    }

    /// Rewrites a response that the proxy itself sends because of a failure (V2). `head` is the head of the proxy's
    /// response. As after any failure, the response is rewritten in every mode (F1), so this method returns
    /// [`ResponseStep::Write`]. If the layer cut the request's body off, this method returns the refusal of the body
    /// (G4) as [`ResponseStep::Send`].
    ///
    /// The response keeps its status, which also decides the code. Only the log shows `cause`. This call may also end a
    /// session while its response is being read (V3).
    pub fn proxy_failed(&mut self, head: &mut response::Parts, cause: BoxError) -> ResponseStep {
        let mut ended = std::mem::take(self);
        let Some(state) = ended.state_mut() else { return ResponseStep::Broken };
        if let Some(failure) = state.why_body_was_cut() {
            return ResponseStep::Send(Box::new(state.answer(failure, None)));
        }
        let fault = Fault::new(ErrorCode::of_status(head.status)).with_status(head.status);
        let mut rewrite = Rewrite::unchanged(classify::with_issue_list(fault, ErrorForm::new(state).dialect()));
        rewrite.is_code_named = false;
        let mut written = state.replace_proxys(head, rewrite, &*cause);
        written.record.cause = Some(Cause::Error(cause));
        ResponseStep::Write(written)
    }
}

/// Methods for programs that inspect policies and recorded exchanges. These methods show why an inner error is
/// rewritten in a certain way, and how the error would be rewritten in another dialect. No request that is served uses
/// these methods.
impl Session {
    /// Decides about a response whose whole body is in memory.
    pub fn respond_whole(&mut self, head: &mut response::Parts, body: &Bytes) -> ResponseStep {
        let length = body.len() as u64;
        match self.respond(head, || BodyFacts { ended: body.is_empty(), lower: length, upper: Some(length) }) {
            ResponseStep::Read(reading) => self.decide(head, reading.whole(body.clone())),
            ResponseStep::Pass(mut follow) => {
                follow.whole(body);
                ResponseStep::Pass(follow)
            }
            step => step,
        }
    }

    /// Continues with this dialect instead of the route's dialect.
    #[must_use]
    pub fn as_if(mut self, dialect: Option<Dialect>) -> Self {
        if let Phase::Called(state) = &mut self.phase {
            if let Some(dialect) = dialect.filter(|dialect| state.policy().dialects().any(|it| it == *dialect)) {
                let settings = Arc::make_mut(&mut state.settings);
                (settings.dialect, settings.html, settings.markdown) = (dialect, Default::default(), false);
                if dialect != Dialect::Standard {
                    state.request.set(RequestFlags::PROBLEM, false);
                }
            }
            if state.settings.dialect.spec().has_time {
                let now = state.config.clock;
                state.cold.get_or_insert_default().began.get_or_insert_with(now);
            }
        }
        self
    }

    /// Returns what an inner error contains, and which rules matched, or `None` if the session has ended. `body` is
    /// `None` if it was not read.
    #[must_use]
    pub fn explain(&self, head: &response::Parts, body: Option<&[u8]>) -> Option<Explanation> {
        let body = body.map_or(ReadBytes::Part(&[]), ReadBytes::Whole);
        Some(self.state()?.explanation(head, body))
    }

    /// Returns the `[[map]]` rule at this index, in the order in which rules are tried, or `None` if the session has
    /// ended.
    #[must_use]
    pub fn map_rule(&self, index: usize) -> Option<MapRuleId> {
        Some(MapRuleId::new(self.state()?.settings.part(), index))
    }

    /// Returns the response for a service that fails with `fault`, on the route of `head`. No guards run.
    #[cfg(feature = "openapi")]
    pub(crate) fn example(
        config: Arc<SessionConfig>,
        head: &Parts,
        fault: Fault,
        id: RequestId,
    ) -> http::Response<Bytes> {
        let policy = config.policy();
        let (sent, _) = HeaderFlags::scan(head, &policy.key_headers);
        let settings = policy.matched(head).unwrap_or_else(|_| policy.settings_without_host()).normal;
        let mut state = admission::unguarded(config, (head, &sent), BodyFacts::default(), settings, || id);
        let cause = Box::new(fault.clone());
        state.answer(Failure::new(fault, Origin::Fault), Some(cause)).reply
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::header::{CONTENT_TYPE, RETRY_AFTER};
    use http::{HeaderValue, Request, Response, StatusCode};

    use super::super::{Delivery, End, MeterAction, RewrittenBody};
    use super::*;
    use crate::policy::{Mode, Policy};

    fn parts(lines: &[(&'static str, &'static str)]) -> Parts {
        let builder = lines.iter().fold(Request::builder(), |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).unwrap().into_parts().0
    }

    fn config() -> Arc<SessionConfig> {
        Arc::new(SessionConfig::new(Policy::default(), || SystemTime::UNIX_EPOCH))
    }

    fn failed(request: &[(&'static str, &'static str)], status: u16) -> (response::Parts, RewrittenBody) {
        let mut session =
            Session::unread(config(), &parts(request), BodyFacts::default(), || RequestId::from_parts(1, 2));
        let mut head = Response::new(()).into_parts().0;
        head.status = StatusCode::from_u16(status).unwrap();
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        head.headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        match session.proxy_failed(&mut head, "upstream_reset".into()) {
            ResponseStep::Write(written) => (head, written),
            step => unreachable!("{step:?}"),
        }
    }

    #[test]
    fn v2_a_proxy_s_failure_has_its_status_and_says_nothing_else_of_it() {
        let (head, written) = failed(&[], 426);
        assert_eq!((head.status.as_u16(), head.headers["x-error-code"].to_str().unwrap()), (426, "upgrade_required"));
        assert_eq!(head.headers["retry-after"], "7");
        assert_eq!(written.record.origin(), Some(Origin::Proxy));
        assert_eq!(written.record.cause().unwrap().to_string(), "upstream_reset");
        assert!(!String::from_utf8_lossy(&written.body).contains("upstream"));
    }

    #[test]
    fn v2_a_grpc_client_gets_the_status_of_grpc_s_table() {
        let (head, written) = failed(&[("content-type", "application/grpc"), ("te", "trailers")], 404);
        assert_eq!((head.status.as_u16(), head.headers["grpc-status"].to_str().unwrap()), (200, "12"));
        assert!(written.body.is_empty());
    }

    #[test]
    fn v4_what_was_not_read_is_refused_in_its_own_protocol() {
        let mut session = Session::unread(config(), &parts(&[]), BodyFacts::default(), || RequestId::from_parts(1, 2));
        let local = session.end(Ending::Malformed("a header".into())).unwrap();
        assert_eq!(local.reply.status(), StatusCode::BAD_REQUEST);
        assert_eq!(local.record.origin(), Some(Origin::Guard));
    }

    #[test]
    fn l5_an_error_of_the_service_stays_one_if_its_delivery_ends_early() {
        for (mode, end) in [
            (Mode::Off, End::ClientLeft),
            (Mode::Off, End::Stalled),
            (Mode::Off, End::Stopped),
            (Mode::Own, End::Stalled),
        ] {
            let policy = Policy::builder().mode(mode).build().unwrap();
            let config = Arc::new(SessionConfig::new(policy, || SystemTime::UNIX_EPOCH));
            let mut session =
                Session::unread(config, &parts(&[]), BodyFacts::default(), || RequestId::from_parts(1, 2));
            let mut head = Response::new(()).into_parts().0;
            head.status = StatusCode::INTERNAL_SERVER_ERROR;
            head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let ResponseStep::Pass(mut follow) = session.respond(&mut head, BodyFacts::default) else { unreachable!() };
            let delivery = Delivery { head_sent: true, request_bytes: None, response_bytes: None, end };
            let record = follow.close(delivery, || unreachable!("no body is copied")).unwrap();
            assert_eq!(record.origin(), Some(Origin::Inner), "{mode:?}, {end:?}");
        }
    }

    #[test]
    fn g4_what_ran_over_is_answered_by_one_call() {
        let mut head = parts(&[]);
        head.method = http::Method::POST;
        let policy = Policy::builder().body_limit(4).build().unwrap();
        let config = Arc::new(SessionConfig::new(policy, || SystemTime::UNIX_EPOCH));
        let begun = Session::begin(config, &mut head, BodyFacts::default(), || RequestId::from_parts(1, 2));
        let (mut session, RequestStep::Forward(Some(mut meter))) = begun else { unreachable!() };
        assert!(matches!(meter.request_data(b"12345"), MeterAction::Over(_)));
        let local = session.end(Ending::Overran).unwrap();
        assert_eq!(local.reply.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
