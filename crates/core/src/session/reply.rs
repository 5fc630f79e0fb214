//! The response to the client: the layer's own, or a rewritten inner error (E1, E5). Also decides how much of the
//! request must be read so that the client can read the response (G5).

use std::error::Error;

use bytes::Bytes;
use http::{Response, response};

use super::body::{ErrorForm, OutgoingReply, RetainedBody};
use super::outcome::ErrorFacts;
use super::proxy_error::ProxyError;
use super::state::RequestState;
use super::writer::ErrorWriter;
use super::{BoxError, CapturedBody, Cause, DrainBudget, Event, Failure, LocalReply, Origin, RewrittenBody};
use crate::classify::{self, Rewrite};
use crate::code::ErrorCode;
use crate::dialect::rpc::Rpc;
use crate::fault::Fault;
use crate::guard::body_limit::BodyFlags;
use crate::policy::Policy;

/// Ends a request with an error that the layer writes.
pub(super) struct ErrorReply {
    pub(super) state: RequestState,
}

impl ErrorReply {
    /// Rewrites an inner error: its head and its body.
    pub(super) fn rewrite(mut self, head: &mut response::Parts, fault: Fault, origin: Origin) -> RewrittenBody {
        let fault = self.state.with_policy_settings(fault, origin);
        let cause = (origin == Origin::Fault).then(|| Cause::Fault(fault.clone()));
        let mut written = self.rewrite_parsed(head, Rewrite::unchanged(fault), origin, &[]);
        written.event.cause = cause;
        written
    }

    /// Replaces a response whose status cannot be a final one (E6).
    pub(super) fn replace_malformed(self, head: &mut response::Parts) -> RewrittenBody {
        self.state.mark_own_answer(&mut head.headers, || Some(ProxyError::HttpProtocolError));
        self.rewrite(head, Fault::new(ErrorCode::OTHER), Origin::Inner)
    }

    /// Rewrites an answer that the proxy itself made (V2).
    pub(super) fn replace_proxys(
        self,
        head: &mut response::Parts,
        rewrite: Rewrite<'_>,
        cause: &(dyn Error + 'static),
    ) -> RewrittenBody {
        let fault = Fault::new(rewrite.code().clone());
        self.state
            .mark_own_answer(&mut head.headers, || ProxyError::of_answer(Origin::Proxy, &fault, Some(cause), None));
        self.rewrite_parsed(head, rewrite, Origin::Proxy, &[])
    }

    /// Rewrites an inner error whose body was parsed.
    pub(super) fn rewrite_parsed(
        mut self,
        head: &mut response::Parts,
        mut rewrite: Rewrite<'_>,
        origin: Origin,
        read: &[u8],
    ) -> RewrittenBody {
        let lost = (rewrite.dropped.take(), rewrite.unknown_code.take());
        let kept = rewrite.kept.take();
        let Rewrite { shape, retained, is_code_named, by, rule, body, .. } = rewrite;
        let part = self.state.settings.part();
        let before = self.state.captures_bodies().then(|| CapturedBody::new(head.status, &head.headers, read));
        let inner_status = head.status;
        head.status = rewrite.to_status.unwrap_or(inner_status);
        let writer = ErrorWriter { form: ErrorForm { kept: kept.as_deref(), ..ErrorForm::new(&self.state) } };
        let known = if retained.is_none() && kept.is_none() {
            let (fault, text) = rewrite.parts();
            writer.prepared_reply(fault, text, head.status, &mut head.headers, false)
        } else {
            None
        };
        let (code, cause) = (rewrite.code().clone(), cause_of(rewrite.parts().0));
        let outgoing = match known {
            Some(outgoing) => outgoing,
            None => {
                let fault = rewrite.into_fault();
                let retained = retained.map(|part| RetainedBody { part, body, status: inner_status });
                let outgoing = writer.rewritten(&mut head.headers, head.status, &fault, is_code_named, retained);
                self.state.identify_response(&mut head.headers);
                outgoing
            }
        };
        head.status = outgoing.sent;
        let body = if self.state.request.is_head() { Bytes::new() } else { outgoing.body };
        if before.is_some() {
            self.state.note_bodies(before, CapturedBody::new(outgoing.sent, &head.headers, &body));
        }
        let OutgoingReply { status, grpc, .. } = outgoing;
        let facts = ErrorFacts { status: Some(status), grpc, code: Some(code) };
        let mut written = RewrittenBody { body, event: self.into_event(origin, cause, facts) };
        let event = &mut written.event;
        event.note_lost(lost);
        if event.status.is_some() {
            event.dialect = shape;
            event.note_decision(by, part, rule);
        }
        written
    }

    /// The event for the log. If the client left before its request was complete, it reads no reply, so the request
    /// counts as abandoned (F1a).
    #[inline(always)]
    fn into_event(self, origin: Origin, cause: Option<Cause>, facts: ErrorFacts) -> Event {
        let is_read = !self.state.client_left();
        let (origin, facts) = if is_read { (origin, facts) } else { (Origin::Abandoned, ErrorFacts::default()) };
        self.state.into_event_with(origin, cause, facts)
    }

    /// Answers a request that a guard refuses.
    #[inline(never)]
    pub(super) fn refuse(self, fault: Fault, cause: Option<BoxError>) -> Box<LocalReply> {
        let drain = self.drain();
        Box::new(self.written(drain, Failure::new(fault, Origin::Guard), cause))
    }

    /// Answers a request that the adapter has not forwarded.
    pub(super) fn answer_unforwarded(self, failure: Failure, cause: Option<BoxError>) -> LocalReply {
        let drain = self.drain();
        self.answer_after(drain, failure, cause)
    }

    /// Answers a request in the layer's own name.
    pub(super) fn answer(self, failure: Failure, cause: Option<BoxError>) -> LocalReply {
        self.answer_after(None, failure, cause)
    }

    #[inline(never)]
    fn answer_after(self, drain: Option<DrainBudget>, failure: Failure, cause: Option<BoxError>) -> LocalReply {
        self.written(drain, failure, cause)
    }

    /// Writes the layer's own reply, and its event. Inlined, so that both are written where they are needed: they are large
    /// to move.
    #[inline(always)]
    fn written(mut self, drain: Option<DrainBudget>, failure: Failure, cause: Option<BoxError>) -> LocalReply {
        let Failure { fault, origin } = failure;
        let listed = classify::with_issue_list(
            self.state.with_policy_settings(fault, origin),
            ErrorForm::new(&self.state).dialect(),
        );
        let (fault, close) = (self.state.policy().prepared_fault(&listed), self.must_close());
        let writer = ErrorWriter::new(&self.state);
        let mut reply = Response::new(Bytes::new());
        let prepared = writer.prepared_reply(fault, None, fault.status_code(), reply.headers_mut(), close);
        let outgoing = prepared.unwrap_or_else(|| writer.local_reply(reply.headers_mut(), fault, close));
        *reply.status_mut() = outgoing.sent;
        if !self.state.request.is_head() {
            *reply.body_mut() = outgoing.body;
        }
        self.state.mark_own_answer(reply.headers_mut(), || {
            let cause = cause.as_deref().map(|cause| cause as &(dyn Error + 'static));
            ProxyError::of_answer(origin, fault, cause, self.state.config.proxy_errors())
        });
        let (cause, code) = (cause.map(Cause::Error).or_else(|| cause_of(fault)), fault.code().clone());
        if self.state.captures_bodies() {
            self.state.note_bodies(None, CapturedBody::new(outgoing.sent, reply.headers(), reply.body()));
        }
        let OutgoingReply { status, grpc, .. } = outgoing;
        let facts = ErrorFacts { status: Some(status), grpc, code: Some(code) };
        LocalReply { reply, drain, event: self.into_event(origin, cause, facts) }
    }

    /// How much of a request that the adapter has not read yet is dropped (G5). Nothing is read while `Expect` is
    /// unanswered, because reading would start the upload. On HTTP/2 the body of the answer is sent first: a client
    /// that stops its upload when it receives a 4xx would otherwise lose that body, and no reset of the connection can
    /// destroy it there. The same holds for a gRPC answer that consists of a head: the client recognises the status in
    /// it by the end of the stream (P1).
    fn drain(&self) -> Option<DrainBudget> {
        let drain = || DrainBudget { body_first: !self.state.request.is_http1(), ..drain_budget(self.state.policy()) };
        let ends_with_head = !self.state.request.is_http1() && self.state.request.rpc.is_some_and(Rpc::is_grpc);
        (self.state.request.has_body() && !self.state.request.expects() && !ends_with_head).then(drain)
    }

    /// Whether bytes of the request may still come on an HTTP/1 connection after the answer (G5).
    fn must_close(&self) -> bool {
        let ended = self.state.flags.as_ref().is_some_and(|flags| flags.has(BodyFlags::ENDED));
        self.state.request.is_http1()
            && self.state.request.has_body()
            && !ended
            && (self.state.request.expects() || !self.state.request.has_cheap_rest())
    }
}

pub(super) fn drain_budget(policy: &Policy) -> DrainBudget {
    let drain = policy.drain();
    DrainBudget { max_bytes: drain.max_bytes, timeout: drain.timeout, body_first: false }
}

/// The cause of a fault, if it has a source. The source has the user's own type, whose `Display` may panic (F2), so
/// only the adapter formats it.
pub(super) fn cause_of(fault: &Fault) -> Option<Cause> {
    fault.source().map(|_| Cause::Fault(fault.clone()))
}
