//! The methods that an adapter calls, in the order of a request. Each method that ends a request consumes the exchange.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "openapi")]
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode, response};

use super::body::ErrorForm;
use super::inner_error::InnerErrorReader;
use super::reply::ErrorReply;
use super::request::HeaderFlags;
use super::responding::{self, ResponseHead};
use super::{
    Admission, BodyContext, BodyFacts, BoxError, Cause, Collected, CollectedAction, Event, EventFields, Exchange,
    ExchangeConfig, Failure, LocalReply, MapRuleId, Origin, ResponsePlan, admission, collected, failing,
};
use crate::classify::{self, Explanation, Rewrite};
use crate::code::ErrorCode;
use crate::dialect::Dialect;
use crate::fault::Fault;
use crate::policy::{ExtProcBodies, Mode};
use crate::request_id::RequestId;

/// A request on its way to the service.
impl Exchange {
    /// Begins a request from its head: sets its id, finds its route, and runs the guards.
    ///
    /// `id` generates an id; it is called only if no other id is used (I1). If the request is forwarded, its head
    /// changes. It gets `x-request-id`, and `traceparent` and the headers of `forward_id` if the policy sets them. The
    /// extensions get the [`RequestId`], the caller's [`Identity`](crate::guard::auth::Identity), and the
    /// [`UpstreamUrl`](crate::policy::UpstreamUrl) of the request's scope.
    #[inline]
    pub fn begin(
        config: Arc<ExchangeConfig>,
        head: &mut Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> Admission {
        admission::admit(config, head, body, id, admission::mark)
    }

    /// Like [`Exchange::begin`], but on a copy that only has those header lines that are [read](super::is_read). It is
    /// for an adapter whose proxy owns the heads, and needs a config that does not [read
    /// any](ExchangeConfig::reads_any) others.
    ///
    /// The head does not change. If the request is forwarded, the adapter sets its `x-request-id` to
    /// [`Exchange::id_header`], which replaces any other value. It changes nothing else.
    pub fn begin_copy(
        config: Arc<ExchangeConfig>,
        head: &mut Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> Admission {
        admission::admit(config, head, body, id, |_, _| ())
    }

    /// Begins a request that must not be forwarded, because its head never arrived or could not be read (V4).
    ///
    /// It has no route, and no guard has checked it. `head` decides the protocol of the response; use an empty head if
    /// none arrived. End it with [`Exchange::malformed`], [`Exchange::unready_panicked`] or [`Exchange::proxy_failed`].
    pub fn unread(config: Arc<ExchangeConfig>, head: &Parts, body: BodyFacts, id: impl FnOnce() -> RequestId) -> Self {
        let (sent, _) = HeaderFlags::scan(head, config.policy().key_headers());
        let settings = config.policy().settings_without_host().normal.response_settings();
        Self { state: admission::unguarded(config, (head, &sent), body, settings, id) }
    }

    /// Begins a request that another gateway handed over after it had failed. That gateway has already run its guards.
    /// The route is the one of this policy.
    ///
    /// `head` is the head of the client's request. The exchange ends with [`Exchange::proxy_failed`].
    pub fn handed_over(
        config: Arc<ExchangeConfig>,
        head: &Parts,
        body: BodyFacts,
        id: impl FnOnce() -> RequestId,
    ) -> Self {
        let policy = config.policy();
        let (sent, _) = HeaderFlags::scan(head, policy.key_headers());
        let settings = policy
            .matched(head)
            .unwrap_or_else(|why| policy.settings_of_unmatched(head, why))
            .normal
            .response_settings();
        Self { state: admission::unguarded(config, (head, &sent), body, settings, id) }
    }

    /// The request's id.
    #[must_use]
    #[inline]
    pub fn request_id(&self) -> RequestId {
        self.state.id
    }

    /// The request's id as the value of `x-request-id`.
    #[must_use]
    #[inline]
    pub fn id_header(&self) -> &HeaderValue {
        &self.state.id_header
    }

    /// The request's route, as events report it (L1): the framework's, else the pattern in the policy.
    #[must_use]
    #[inline]
    pub fn shared_route(&self) -> Option<&Arc<str>> {
        self.state.route()
    }

    /// The name of the policy's scope.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.state.scope()
    }

    /// How long an RPC client waits for the whole call (`grpc-timeout`, `connect-timeout-ms`). After that time, an
    /// adapter calls [`Exchange::timed_out`], or, if it has received the head,
    /// [`RpcResponse::timed_out`](super::RpcResponse::timed_out).
    #[must_use]
    #[inline]
    pub fn deadline(&self) -> Option<Duration> {
        if self.state.changes_responses() { self.state.cold.as_ref()?.deadline } else { None }
    }
}

/// A response of the inner service.
impl Exchange {
    /// Decides by the head of an inner response. `body` is only called if facts about the body matter.
    #[inline(always)]
    pub fn response_head(self, head: &mut response::Parts, body: impl FnOnce() -> BodyFacts) -> ResponsePlan {
        ResponseHead { state: self.state }.plan(head, body)
    }

    /// The short way for nearly every response.
    #[inline(always)]
    pub(crate) fn passed(
        self,
        head: &mut response::Parts,
    ) -> Result<(BodyContext, Option<Box<EventFields>>), Self> {
        let is_plain = head.extensions.is_empty() && head.headers.len() <= super::request::MAX_HEADERS;
        if is_plain && responding::passes_unparsed(&self.state, head.status) {
            Ok(self.state.finish_head(&mut head.headers))
        } else {
            Err(self)
        }
    }

    #[inline(always)]
    pub(crate) fn response_head_parsed(
        self,
        head: &mut response::Parts,
        body: impl FnOnce() -> BodyFacts,
    ) -> ResponsePlan {
        ResponseHead { state: self.state }.plan_parsed(head, body)
    }

    /// Decides by the body of an inner error, as far as it was collected.
    #[inline]
    pub fn response_body(self, head: &mut response::Parts, body: Collected<'_>) -> CollectedAction {
        collected::response_body(self.state, head, body)
    }

    /// Whether a collected body may have to be sent unchanged after all (M1). An adapter that reads bodies without
    /// keeping them cannot do that.
    #[must_use]
    #[inline]
    pub fn may_restore(&self) -> bool {
        self.state.settings.mode == Mode::Fill
    }

    /// Whether an external processor on this route must read an error even if its length is not declared.
    #[must_use]
    pub fn buffers_unsized_errors(&self) -> bool {
        self.state.settings.ext_proc_bodies == ExtProcBodies::Buffered
    }

    /// Whether a response with this status passes without being parsed, for adapters whose proxy owns the heads. The
    /// adapter then only sets its `x-request-id` to [`Exchange::id_header`]. But a response that has an `x-request-id`
    /// (I3) or an `access-control-allow-origin` (E4) must still go to [`Exchange::response_head`].
    #[must_use]
    pub fn passes_unparsed(&self, status: StatusCode) -> bool {
        responding::passes_unparsed(&self.state, status)
    }

    /// Ends with a response that [passes unparsed](Exchange::passes_unparsed): returns what to log, as for a
    /// [`ResponsePlan::Pass`].
    pub fn finish_unparsed(self) -> (BodyContext, Option<Box<EventFields>>) {
        self.state.into_context_and_fields()
    }
}

/// A request without a response from the service: errors, panics, a service that is not ready, clients that disconnect
/// (F1–F3), and answers of the proxy itself (V2–V4).
impl Exchange {
    /// Classifies an inner error (F1). If the request's body was over its limit, that decides. Else the classifier
    /// decides, else the contract's list. Both look at the whole chain of causes.
    ///
    /// # Panics
    ///
    /// If the classifier does, or the error's `source`.
    pub fn failure_of(&self, error: &(dyn Error + 'static)) -> Failure {
        failing::failure_of(&self.state, error)
    }

    /// Classifies an error from `poll_ready` (F3).
    ///
    /// # Panics
    ///
    /// If the classifier does, or the error's `source`.
    pub fn unreadiness_of(&self, error: &(dyn Error + 'static)) -> Failure {
        failing::unreadiness_of(&self.state, error)
    }

    /// The inner service was not ready for the request, which was not forwarded (F3).
    pub fn unready(self, failure: Failure, cause: BoxError) -> LocalReply {
        ErrorReply { state: self.state }.answer_unforwarded(failure, Some(cause))
    }

    /// A panic kept the request from being forwarded (F2).
    pub fn unready_panicked(self, text: Box<str>) -> LocalReply {
        self.unready(Failure::panicked(), String::from(text).into())
    }

    /// The head of the request cannot be read. The answer is 400 in any mode, because no guard could run (V4).
    pub fn malformed(self, cause: BoxError) -> LocalReply {
        *ErrorReply { state: self.state }.refuse(Fault::new(ErrorCode::BAD_REQUEST), Some(cause))
    }

    /// The meter has reported ([`MeterAction::Over`](super::MeterAction::Over)) that the request's body is over its
    /// limit, and no response has begun (G4). Only for an adapter that need not wait for the service's response.
    pub fn overran(self) -> LocalReply {
        let unknown = || Failure::new(Fault::new(ErrorCode::INTERNAL_ERROR), Origin::Error);
        let failure = self.state.why_body_was_cut().unwrap_or_else(unknown);
        ErrorReply { state: self.state }.answer_unforwarded(failure, None)
    }

    /// The inner service failed with `cause` (F1).
    pub fn failed(self, failure: Failure, cause: BoxError) -> LocalReply {
        ErrorReply { state: self.state }.answer(failure, Some(cause))
    }

    /// The inner service panicked with this text (F2).
    pub fn panicked(self, text: Box<str>) -> LocalReply {
        let failure = self.state.why_body_was_cut().unwrap_or_else(Failure::panicked);
        self.failed(failure, String::from(text).into())
    }

    /// The call took longer than its client waits. The response is the same as for a time-out of the inner service
    /// (F1).
    pub fn timed_out(self) -> LocalReply {
        let (failure, cause) = failing::client_timeout();
        let failure = self.state.why_body_was_cut().unwrap_or(failure);
        self.failed(failure, cause)
    }

    /// The client disconnected before the response head (F2).
    pub fn abandoned(self) -> Event {
        self.state.into_event(Origin::Abandoned)
    }

    /// The proxy itself sends a response with this head, whose status is that of the proxy's failure (V2). As for any
    /// failure, the response is rewritten in every mode (F1): this returns [`ResponsePlan::Rewrite`]. If the layer cut
    /// the request's body off, it returns the answer to that (G4) as [`ResponsePlan::Replace`].
    ///
    /// The status is kept, and also decides the code. `cause` is only for the log. This method may also end an exchange
    /// whose response is being collected (V3).
    pub fn proxy_failed(self, head: &mut response::Parts, cause: BoxError) -> ResponsePlan {
        if let Some(failure) = self.state.why_body_was_cut() {
            return ResponsePlan::Replace(Box::new(self.failed(failure, cause)));
        }
        let fault = Fault::new(ErrorCode::of_status(head.status)).status(head.status);
        let mut rewrite = Rewrite::unchanged(classify::with_issue_list(fault, ErrorForm::new(&self.state).dialect()));
        rewrite.is_code_named = false;
        let mut written = ErrorReply { state: self.state }.replace_proxys(head, rewrite, &*cause);
        written.event.cause = Some(Cause::Error(cause));
        ResponsePlan::Rewrite(written)
    }
}

/// For programs that inspect policies and recorded exchanges: shows why an inner error is rewritten as it is, and how
/// it would be rewritten elsewhere. No request that is served uses these methods.
impl Exchange {
    /// Continues with this dialect instead of the route's.
    #[must_use]
    pub fn as_if(mut self, dialect: Option<Dialect>) -> Self {
        let state = &mut self.state;
        if let Some(index) = dialect.and_then(|dialect| state.policy().dialect_index(dialect)) {
            (state.settings.dialect, state.settings.html) = (index, None);
        }
        if state.policy().dialect(&state.settings).spec().has_time {
            let now = state.config.clock;
            state.cold.get_or_insert_default().began.get_or_insert_with(now);
        }
        self
    }

    /// Returns what an inner error contains, and which rules matched.
    #[must_use]
    pub fn explain(&self, head: &response::Parts, body: Collected<'_>) -> Explanation {
        InnerErrorReader { state: &self.state }.explanation(head, body)
    }

    /// The rule at this index, in the order in which rules are tried.
    #[must_use]
    pub fn map_rule(&self, index: usize) -> MapRuleId {
        MapRuleId::new(self.state.settings.part(), index)
    }

    /// The answer to a service that fails with `fault`, on the route of `head`. No guards run.
    #[cfg(feature = "openapi")]
    pub(crate) fn example(
        config: Arc<ExchangeConfig>,
        head: &Parts,
        fault: Fault,
        id: RequestId,
    ) -> http::Response<Bytes> {
        let policy = config.policy();
        let (sent, _) = HeaderFlags::scan(head, policy.key_headers());
        let settings =
            policy.matched(head).unwrap_or_else(|_| policy.settings_without_host()).normal.response_settings();
        let state = admission::unguarded(config, (head, &sent), BodyFacts::default(), settings, || id);
        let cause = Box::new(fault.clone());
        Self { state }.failed(Failure::new(fault, Origin::Fault), cause).reply
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::header::{CONTENT_TYPE, RETRY_AFTER};
    use http::{HeaderValue, Request, Response, StatusCode};

    use super::super::{Admission, MeterAction, RewrittenBody};
    use super::*;
    use crate::policy::Policy;

    fn parts(lines: &[(&'static str, &'static str)]) -> Parts {
        let builder = lines.iter().fold(Request::builder(), |builder, (name, value)| builder.header(*name, *value));
        builder.body(()).unwrap().into_parts().0
    }

    fn config() -> Arc<ExchangeConfig> {
        Arc::new(ExchangeConfig::new(Policy::default(), || SystemTime::UNIX_EPOCH))
    }

    fn failed(request: &[(&'static str, &'static str)], status: u16) -> (response::Parts, RewrittenBody) {
        let exchange =
            Exchange::unread(config(), &parts(request), BodyFacts::default(), || RequestId::from_parts(1, 2));
        let mut head = Response::new(()).into_parts().0;
        head.status = StatusCode::from_u16(status).unwrap();
        head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        head.headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        match exchange.proxy_failed(&mut head, "upstream_reset".into()) {
            ResponsePlan::Rewrite(written) => (head, written),
            plan => unreachable!("{plan:?}"),
        }
    }

    #[test]
    fn v2_a_proxy_s_failure_has_its_status_and_says_nothing_else_of_it() {
        let (head, written) = failed(&[], 426);
        assert_eq!((head.status.as_u16(), head.headers["x-error-code"].to_str().unwrap()), (426, "upgrade_required"));
        assert_eq!(head.headers["retry-after"], "7");
        assert_eq!(written.event.origin(), Origin::Proxy);
        assert_eq!(written.event.cause().unwrap().to_string(), "upstream_reset");
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
        let exchange = Exchange::unread(config(), &parts(&[]), BodyFacts::default(), || RequestId::from_parts(1, 2));
        let local = exchange.malformed("a header".into());
        assert_eq!(local.reply.status(), StatusCode::BAD_REQUEST);
        assert_eq!(local.event.origin(), Origin::Guard);
    }

    #[test]
    fn g4_what_ran_over_is_answered_by_one_call() {
        let mut head = parts(&[]);
        head.method = http::Method::POST;
        let policy = Policy::builder().body_limit(4).build().unwrap();
        let config = Arc::new(ExchangeConfig::new(policy, || SystemTime::UNIX_EPOCH));
        let begun = Exchange::begin(config, &mut head, BodyFacts::default(), || RequestId::from_parts(1, 2));
        let Admission::Forward(exchange, Some(mut meter), _) = begun else { unreachable!() };
        assert!(matches!(meter.request_data(b"12345"), MeterAction::Over(_)));
        assert_eq!(exchange.overran().reply.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
