//! Ends a request with a response to the client: the layer's own, or a rewritten inner error (E1, E5). Errors of the
//! inner service are classified first (F1, F3). This module also decides how much of the request must be read so that
//! the client can read the response (G5).

use std::error::Error;

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LENGTH, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, response};

use super::body::{ErrorForm, RetainedBody};
use super::head;
use super::outcome::{Failure, LocalReply, NotCalled, RewrittenBody};
use super::refusals::refusal_before_failure;
use crate::classify::failure::ErrorKind;
use crate::classify::{Retained, Rewrite};
use crate::code::ErrorCode;
use crate::dialect::Dialect;
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::fault::{Fault, length_value};
use crate::guard::auth::challenges_of_service;
use crate::guard::body_limit::{self, BodyFlags, DrainBudget};
use crate::issues::written;
use crate::message::{self, clean};
use crate::policy::Policy;
use crate::session::record::body_capture::CapturedBody;
use crate::session::record::delivery::SentStatus;
use crate::session::record::notes::Origin;
use crate::session::record::proxy_error::ProxyError;
use crate::session::record::request_record::{BoxError, Cause, RequestRecord, SessionConfig};
use crate::session::request::facts::RequestFlags;
use crate::session::request::state::RequestState;
use crate::session::request::view::BodyFacts;
use crate::{cause, classify, fields};

impl RequestState {
    /// Returns true if the layer cut the request's body off (G4, P1).
    #[inline]
    pub(in crate::session) fn is_cut(&self) -> bool {
        self.flags.as_ref().is_some_and(|flags| flags.has(BodyFlags::OVER | BodyFlags::MALFORMED))
    }

    /// Returns the failure for which the layer cut the request's body off, or `None` if it did not. Any later failure
    /// only follows from the cut.
    #[inline]
    pub(in crate::session) fn why_body_was_cut(&self) -> Option<Failure> {
        let flags = self.flags.as_ref().filter(|_| self.is_cut())?;
        let fault = if flags.has(BodyFlags::OVER) {
            self.policy().faults.too_large(flags.limit()?)
        } else {
            body_limit::malformed()
        };
        Some(Failure::new(fault, Origin::Guard))
    }

    /// Returns true if the client left before it had sent its whole request. The request is then recorded as abandoned,
    /// even if a response was sent (F1a).
    #[inline]
    pub(in crate::session) fn client_left(&self) -> bool {
        self.flags.as_ref().is_some_and(|flags| flags.has(BodyFlags::LEFT))
    }

    /// Returns the fault for a failure that the client caused, because the request's body broke off or came too slowly
    /// (F1).
    pub(in crate::session) fn broken_request(&self) -> Option<Fault> {
        let flags = self.flags.as_ref()?;
        if flags.has(BodyFlags::SLOW) {
            Some(Fault::new(ErrorCode::REQUEST_TIMEOUT))
        } else if flags.has(BodyFlags::BROKEN) {
            Some(Fault::new(ErrorCode::BAD_REQUEST))
        } else {
            None
        }
    }

    /// Rewrites the head and the body of an inner error.
    pub(in crate::session) fn replace_with_fault(
        &mut self,
        head: &mut response::Parts,
        fault: Fault,
        origin: Origin,
        read: Option<&[u8]>,
    ) -> RewrittenBody {
        let fault = self.with_policy_settings(fault, origin);
        let cause = (origin == Origin::Fault).then(|| Cause::Fault(fault.clone()));
        if origin == Origin::Fault && !fault.headers().contains_key(WWW_AUTHENTICATE) {
            self.challenge(&fault, &mut head.headers);
        }
        let mut written = self.replace(head, Rewrite::unchanged(fault), origin, read);
        written.record.cause = cause;
        written
    }

    /// Adds the challenges of the route to a service's 401 that has none (G2).
    fn challenge(&self, fault: &Fault, headers: &mut HeaderMap) {
        if fault.status() == StatusCode::UNAUTHORIZED && !headers.contains_key(WWW_AUTHENTICATE) {
            for line in challenges_of_service(&self.settings.auth, fault.code()) {
                headers.append(WWW_AUTHENTICATE, line);
            }
        }
    }

    /// Replaces a response whose status cannot be a final one (E6).
    pub(in crate::session) fn replace_malformed(
        &mut self,
        head: &mut response::Parts,
        body: BodyFacts,
    ) -> RewrittenBody {
        self.mark_own_answer(&mut head.headers, || Some(ProxyError::HttpProtocolError));
        let fault =
            Fault::new(ErrorCode::OTHER).with_source(format!("the service's status is {}", head.status.as_str()));
        let fault = self.with_policy_settings(fault, Origin::Inner);
        let mut rewrite = Rewrite::unchanged(fault);
        rewrite.to_status = Some(StatusCode::BAD_GATEWAY);
        self.replace(head, rewrite, Origin::Inner, body.known_bytes())
    }

    /// Rewrites a response that the proxy itself made (V2).
    pub(in crate::session) fn replace_proxys(
        &mut self,
        head: &mut response::Parts,
        rewrite: Rewrite<'_>,
        cause: &(dyn Error + 'static),
    ) -> RewrittenBody {
        let fault = Fault::new(rewrite.code().clone());
        self.mark_own_answer(&mut head.headers, || ProxyError::of_answer(Origin::Proxy, &fault, Some(cause), None));
        let would_be = refusal_before_failure(self);
        let mut written = self.replace(head, rewrite, Origin::Proxy, Some(&[]));
        written.record.would_be = would_be;
        written
    }

    /// Rewrites the head and the body of an error. `read` is the decoded body, or `None` if it is not known.
    pub(in crate::session) fn replace(
        &mut self,
        head: &mut response::Parts,
        mut rewrite: Rewrite<'_>,
        origin: Origin,
        read: Option<&[u8]>,
    ) -> RewrittenBody {
        let lost = (rewrite.dropped.take(), rewrite.unknown_code.take());
        let kept = rewrite.kept.take();
        let Rewrite { shape, retained, is_code_named, by, rule, body, .. } = rewrite;
        let part = self.settings.part();
        // A proxy's own error does not show what the service sent before.
        let is_known = origin != Origin::Proxy;
        let captures = self.captures_bodies();
        let before = (captures && is_known).then(|| CapturedBody::new(head.status, &head.headers, read));
        let inner_status = head.status;
        head.status = rewrite.to_status.unwrap_or(inner_status);
        let keeps_form = retained.is_some_and(|part| part.format().is_some() || matches!(part, Retained::Page(_)));
        if !keeps_form
            && self.policy().process.cors.is_some()
            && !fields::has(&head.headers, &ACCESS_CONTROL_ALLOW_ORIGIN)
        {
            self.allow_origin(&mut head.headers);
        }
        let writer = ErrorForm { kept: kept.as_deref(), ..ErrorForm::new(self) };
        let known = if retained.is_none() && kept.is_none() {
            let (fault, text) = rewrite.parts();
            writer.prepared_reply(fault, text, head.status, &mut head.headers, false)
        } else {
            None
        };
        // In development, the text that a handler wrote itself is the cause (E11).
        let shown =
            read.filter(|read| self.config.development.is_some() && inner_status.is_server_error() && !read.is_empty());
        let text = |read| Cause::Error(message::cut(String::from_utf8_lossy(read).trim().to_owned(), 1024).into());
        let cause = Cause::of_fault(rewrite.parts().0).or_else(|| shown.map(text));
        let code = rewrite.code().clone();
        let mut outgoing = match known {
            Some(outgoing) => outgoing,
            None => {
                let fault = rewrite.into_fault();
                let retained = retained.map(|part| RetainedBody { part, body, status: inner_status });
                let outgoing = writer.rewritten(&mut head.headers, head.status, &fault, is_code_named, retained);
                self.identify_response(&mut head.headers);
                outgoing
            }
        };
        if let (Some(texts), Some(cause)) = (self.config.development, &cause) {
            self.show_cause(texts(cause.error()), &mut head.headers, &mut outgoing.body);
        }
        head.status = outgoing.sent;
        let body = if self.request.is_head() { Bytes::new() } else { outgoing.body };
        if captures {
            self.note_bodies(before, CapturedBody::new(outgoing.sent, &head.headers, Some(&body)));
        }
        let sent = sent_status(head.status, outgoing.grpc, code);
        let mut written = RewrittenBody { body, record: self.take_error_record(origin, cause, sent) };
        let record = &mut written.record;
        record.note_lost(lost);
        if record.sent.is_some() {
            record.dialect = shape;
            record.note_decision(by, part, rule);
        }
        written
    }

    /// Returns the record of the request. A client that left before its request was complete reads no reply, so its
    /// request is recorded as abandoned (F1a).
    #[inline(always)]
    fn take_error_record(&mut self, origin: Origin, cause: Option<Cause>, sent: SentStatus) -> RequestRecord {
        let is_read = !self.client_left();
        let (origin, sent) = if is_read { (origin, Some(sent)) } else { (Origin::Abandoned, None) };
        self.take_record(origin, cause, sent)
    }

    /// Answers a request that a guard refuses.
    #[inline(never)]
    pub(in crate::session) fn refuse(&mut self, fault: Fault, cause: Option<BoxError>) -> Box<LocalReply> {
        let drain = self.rest_to_drain();
        // The box is made before the reply, because the finished reply is expensive to move into it.
        Box::write(Box::new_uninit(), self.write_reply(drain, Failure::new(fault, Origin::Guard), cause))
    }

    /// Answers a request that the adapter has not forwarded.
    pub(in crate::session) fn answer_unforwarded(&mut self, failure: Failure, cause: Option<BoxError>) -> LocalReply {
        let drain = self.rest_to_drain();
        self.answer_after(drain, failure, cause)
    }

    /// Writes the layer's own response to a request.
    pub(in crate::session) fn answer(&mut self, failure: Failure, cause: Option<BoxError>) -> LocalReply {
        self.answer_after(None, failure, cause)
    }

    #[inline(never)]
    fn answer_after(&mut self, drain: Option<DrainBudget>, failure: Failure, cause: Option<BoxError>) -> LocalReply {
        self.write_reply(drain, failure, cause)
    }

    /// Writes the layer's own reply, and its record. The function is inlined, because the reply and the record are
    /// large to move.
    #[inline(always)]
    fn write_reply(&mut self, drain: Option<DrainBudget>, failure: Failure, cause: Option<BoxError>) -> LocalReply {
        let Failure { fault, origin, .. } = failure;
        let listed =
            classify::with_issue_list(self.with_policy_settings(fault, origin), ErrorForm::new(self).dialect());
        let (fault, close) = (self.policy().faults.prepared(&listed), self.must_close());
        let writer = ErrorForm::new(self);
        let mut reply = Response::new(Bytes::new());
        let prepared = writer.prepared_reply(fault, None, fault.status(), reply.headers_mut(), close);
        let mut outgoing = prepared.unwrap_or_else(|| writer.local_reply(reply.headers_mut(), fault, close));
        if let Some(texts) = self.config.development {
            let cause = cause.as_deref().map(|cause| cause as &(dyn Error + 'static));
            let texts = cause.or(fault.source().map(|_| fault as _)).map(texts).unwrap_or_default();
            self.show_cause(texts, reply.headers_mut(), &mut outgoing.body);
        }
        if origin != Origin::Guard && self.request.rpc.is_none() {
            self.challenge(fault, reply.headers_mut());
        }
        *reply.status_mut() = outgoing.sent;
        if !self.request.is_head() {
            *reply.body_mut() = outgoing.body;
        }
        self.mark_own_answer(reply.headers_mut(), || {
            let cause = cause.as_deref().map(|cause| cause as &(dyn Error + 'static));
            ProxyError::of_answer(origin, fault, cause, self.config.proxy_errors)
        });
        let (cause, code) = (cause.map(Cause::Error).or_else(|| Cause::of_fault(fault)), fault.code().clone());
        if self.captures_bodies() {
            self.note_bodies(None, CapturedBody::new(outgoing.sent, reply.headers(), Some(reply.body())));
        }
        let sent = sent_status(outgoing.sent, outgoing.grpc, code);
        let would_be = if origin == Origin::Guard { None } else { refusal_before_failure(self) };
        let record = RequestRecord { would_be, ..self.take_error_record(origin, cause, sent) };
        LocalReply { reply, drain, record }
    }

    /// Adds the texts of the cause as the last field of `error`, only in the standard envelope (E11).
    #[cold]
    fn show_cause(&self, texts: Vec<String>, headers: &mut HeaderMap, body: &mut Bytes) {
        let form = ErrorForm::new(self);
        let is_canonical = form.dialect() == Dialect::Standard && form.request.rpc.is_none() && form.page().is_none();
        let tail = [br#"},"request_id":""#, form.id.as_bytes(), br#""}"#].concat();
        let error = body.strip_suffix(&*tail).filter(|_| is_canonical && !texts.is_empty());
        if let (Some(error), Ok(texts)) = (error, serde_json::to_vec(&texts)) {
            *body = [error, br#","cause":"#, &texts, &tail].concat().into();
            headers.insert(CONTENT_LENGTH, length_value(body.len()));
        }
    }

    /// Returns the budget for dropping the part of the request that the adapter has not read yet (G5).
    ///
    /// While `Expect` is unanswered, nothing is read, because reading would start the upload. On HTTP/2, the body of
    /// the response is sent first. A client that stops its upload when it receives a 4xx would otherwise lose the body
    /// of the response. On HTTP/2, no reset of the connection can destroy this body. Nothing is read if the answer is
    /// only the head of a gRPC response on HTTP/2. The client finds the status in this head only if the stream ends
    /// with it (P1).
    fn rest_to_drain(&self) -> Option<DrainBudget> {
        let drain = || DrainBudget { body_first: !self.request.is_http1(), ..drain_budget(self.policy()) };
        let ends_with_head = !self.request.is_http1() && self.request.rpc.is_some_and(Rpc::is_grpc);
        (self.request.has(RequestFlags::BODY) && !self.request.has(RequestFlags::EXPECTS) && !ends_with_head)
            .then(drain)
    }

    /// Returns true if bytes of the request may still come on an HTTP/1 connection after the response (G5).
    fn must_close(&self) -> bool {
        let ended = self.flags.as_ref().is_some_and(|flags| flags.has(BodyFlags::ENDED));
        self.request.is_http1()
            && self.request.has(RequestFlags::BODY)
            && !ended
            && (self.request.has(RequestFlags::EXPECTS) || !self.request.has(RequestFlags::CHEAP_REST))
    }
}

#[inline(always)]
fn sent_status(status: StatusCode, grpc: Option<Status>, code: ErrorCode) -> SentStatus {
    SentStatus { status, grpc: grpc.map(Status::number), code: Some(code) }
}

pub(in crate::session) fn drain_budget(policy: &Policy) -> DrainBudget {
    let drain = policy.process.drain;
    DrainBudget { max_bytes: drain.max_bytes, timeout: drain.timeout, body_first: false }
}

/// Classifies an inner error (F1). If the layer cut the request's body off, the failure is the reason for the cut.
/// Otherwise the service's classifier decides, or else the contract's list of errors. The classifier and the list check
/// the whole chain of causes.
pub(in crate::session) fn failure_of(state: &RequestState, error: &(dyn Error + 'static)) -> Failure {
    let failure = state
        .why_body_was_cut()
        .or_else(|| by_classifier(state, error))
        .unwrap_or_else(|| failure_by_kind(&state.config, error, state.broken_request()));
    // Only a proxy can reach its own limits. For other adapters the search is skipped, because it calls user code.
    let is_uncalled = state.config.forwarding.is_some() && cause::find::<NotCalled>(error).is_some();
    Failure { is_uncalled, ..failure }
}

/// Classifies an error only by the contract's list of errors. `broken` is the fault for a failure that the client
/// caused.
pub(in crate::session) fn failure_by_kind(
    config: &SessionConfig,
    error: &(dyn Error + 'static),
    broken: Option<Fault>,
) -> Failure {
    let kind = ErrorKind::new(error, config.recogniser);
    if let ErrorKind::Typed(fault) = kind {
        return Failure::new(fault.clone(), Origin::Fault);
    }
    Failure::new(broken.unwrap_or_else(|| kind.fault(true)), Origin::Error)
}

/// Returns the cause of a failure that a proxy classified by the end of the request's body. The error itself may state
/// no more than that the proxy then reset its own stream to the service.
pub(in crate::session) fn cause_in_request(state: &RequestState, failure: &Failure) -> Option<String> {
    let broken = state.config.forwarding.is_some().then(|| state.broken_request()).flatten()?;
    let is_of_request = failure.origin == Origin::Error && failure.fault.code() == broken.code();
    if is_of_request { state.flags.as_ref()?.cause() } else { None }
}

/// Classifies an error from `poll_ready` (F3).
pub(in crate::session) fn unreadiness_of(state: &RequestState, error: &(dyn Error + 'static)) -> Failure {
    if let Some(failure) = by_classifier(state, error) {
        return failure;
    }
    let kind = ErrorKind::new(error, state.config.recogniser);
    let origin = if matches!(kind, ErrorKind::Typed(_)) { Origin::Fault } else { Origin::Error };
    Failure::new(kind.fault(false), origin)
}

/// Returns the failure that the service's own classifier returns for an error.
fn by_classifier(state: &RequestState, error: &(dyn Error + 'static)) -> Option<Failure> {
    Some(Failure::new(state.config.classifier.as_ref()?(error)?, Origin::Error))
}

/// Returns the failure for a call whose client has stopped waiting. The failure is the same as for a timeout of the
/// inner service (F1).
pub(in crate::session) fn client_timeout() -> (Failure, BoxError) {
    let cause = "the client's time limit for the call passed";
    (Failure::new(Fault::new(ErrorCode::GATEWAY_TIMEOUT), Origin::Error), cause.into())
}

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

impl RequestState {
    /// Marks the head of a response that the service did not make. `error` is only called if the policy sets
    /// `proxy.name`.
    #[inline]
    pub(in crate::session) fn mark_own_answer(
        &self,
        headers: &mut HeaderMap,
        error: impl FnOnce() -> Option<ProxyError>,
    ) {
        if let Some(name) = self.policy().process.proxy_name.as_deref() {
            add_proxy_status(headers, name, error());
        }
        if self.policy().process.cors.is_some() {
            self.allow_origin(headers);
        }
    }

    fn allow_origin(&self, headers: &mut HeaderMap) {
        let Some(cors) = self.policy().process.cors.as_ref() else { return };
        if !cors.is_for_any() {
            head::vary_by(headers, "origin");
        }
        let Some(origin) = self.cold.as_ref().and_then(|cold| cold.origin.clone()) else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if cors.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if self.settings.expose_headers {
            head::expose(headers, &head::EXPOSED);
            // A client without credentials finds in this header where it can get them (RFC 9728).
            if headers.contains_key(WWW_AUTHENTICATE) {
                head::expose(headers, &[WWW_AUTHENTICATE.as_str()]);
            }
            if self.request.rpc.is_some() {
                head::expose(headers, &head::EXPOSED_OF_GRPC);
            }
        }
    }
}

fn add_proxy_status(headers: &mut HeaderMap, name: &str, error: Option<ProxyError>) {
    let value = error.and_then(|error| HeaderValue::try_from(format!("{name}; error={}", error.as_str())).ok());
    if let Some(value) = value {
        headers.append(PROXY_STATUS, value);
    }
}

/// The maximum number of paths that are logged for one fault.
const MOST_PATHS: usize = 16;

/// Returns the cause of a fault that has no source: its own text, and the paths of its issues. Returns `None` if the
/// fault has neither a text nor issues. The result contains no value from the client, unless the service put one into
/// its text.
///
/// ```
/// use error_envelope_core::session::fault_cause;
/// use tower_error_envelope::{ErrorCode, Fault};
///
/// let issues = serde_json::json!({"issues": [{"path": ["items", 0, "qty"], "message": "Required."}]});
/// let fault = Fault::new(ErrorCode::INVALID_REQUEST).with_message("Look at the cart.").with_details(issues);
/// assert_eq!(fault_cause(&fault).as_deref(), Some("Look at the cart. (items[0].qty)"));
/// assert_eq!(fault_cause(&Fault::new(ErrorCode::CONFLICT)), None);
/// ```
#[must_use]
pub fn fault_cause(fault: &Fault) -> Option<String> {
    if fault.source().is_some() {
        return None;
    }
    let text = Some(fault.message()).filter(|text| *text != fault.code().message());
    let paths = fault.details_json().map(written::paths).unwrap_or_default();
    let more = if paths.len() > MOST_PATHS { ", …" } else { "" };
    let paths = paths.iter().take(MOST_PATHS).filter_map(|path| clean(path)).collect::<Vec<_>>().join(", ");
    match (text, paths.is_empty()) {
        (Some(text), true) => Some(text.into_owned()),
        (Some(text), false) => Some(format!("{text} ({paths}{more})")),
        (None, true) => None,
        (None, false) => Some(format!("{paths}{more}")),
    }
}
