//! Inner responses: what passes, what is read first, what is written anew (rules R1, R4, R5, R9, R10, E5, E6).

use std::borrow::Cow;

use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode, response};

use super::request::MAX_HEADERS;
use super::{
    BodyContext, BodyFacts, CapturedBody, Collected, CollectedAction, Event, EventFields, Exchange, Failure,
    ObservedError, Origin, ResponsePlan, RewrittenBody, UnreadReason, fill, head,
};
use crate::classify::credentials::Credentials;
use crate::classify::{self, Inner, KeptProtocols, PolicyView, RequestContext, RewriteDecision, reason};
use crate::code::ErrorCode;
use crate::dialect::protocol::{self, ProtocolType};
use crate::dialect::rpc::Rpc;
use crate::dialect::{self, charset, coding};
use crate::fault::Fault;
use crate::fields;
use crate::grpc_messages;
use crate::guard::body_limit;
use crate::policy::{EventStreams, Mode, NoTransform, Protocols, UnknownCodes};

impl Exchange {
    /// Takes the head of an inner response. `body` is called only where the facts of the body matter.
    #[inline]
    pub fn response_head(self, head: &mut response::Parts, body: impl FnOnce() -> BodyFacts) -> ResponsePlan {
        if let Some(fault) = self.body_fault() {
            return ResponsePlan::Replace(Box::new(self.answer(Failure::new(fault, Origin::Guard), None, None)));
        }
        if head.headers.len() > MAX_HEADERS {
            let failure = Failure::new(Fault::new(ErrorCode::INTERNAL_ERROR), Origin::Inner);
            let cause = format!("{} response headers", head.headers.len());
            return ResponsePlan::Replace(Box::new(self.answer(failure, Some(cause.into()), None)));
        }
        if let Some((rpc, names)) = self.answered_call(head) {
            return self.call_head(rpc, &names, head, body());
        }
        if matches!(head.status.as_u16(), 400..=599) {
            return self.error_head(head, body());
        }
        match self.settings.mode {
            Mode::Off => self.pass(head, body),
            Mode::Observe => self.observe(head, body()),
            Mode::Own | Mode::Fill | Mode::Enforce if is_success(head.status) => self.success(head, body),
            Mode::Own | Mode::Fill | Mode::Enforce => {
                head.status = StatusCode::BAD_GATEWAY;
                ResponsePlan::Rewrite(self.write(head, Fault::new(ErrorCode::OTHER), Origin::Inner))
            }
        }
    }

    fn error_head(self, head: &mut response::Parts, body: BodyFacts) -> ResponsePlan {
        match self.settings.mode {
            Mode::Enforce => self.error(head, body),
            _ if self.is_fault_alone(head, body) => self.error(head, body),
            Mode::Off => self.pass(head, || body),
            Mode::Observe => self.observe(head, body),
            Mode::Own | Mode::Fill if self.keeps(head, body) => self.pass_preserved(head, body),
            Mode::Own | Mode::Fill => self.error(head, body),
        }
    }

    /// Whether a service returned a fault that no layer inside has written: it has no bytes that a mode preserves (M1).
    fn is_fault_alone(&self, head: &response::Parts, body: BodyFacts) -> bool {
        classify::fault_in(&head.extensions).is_some() && self.has_no_bytes(head, body)
    }

    /// Whether unread bytes of a body may still be sent (M1): an adapter that reads it in place cannot.
    #[must_use]
    #[inline]
    pub fn may_restore(&self) -> bool {
        self.settings.mode == Mode::Fill
    }

    /// Takes the collected part of an inner error's body.
    #[inline]
    pub fn response_body(self, head: &mut response::Parts, body: Collected<'_>) -> CollectedAction {
        if let Some(fault) = self.body_fault() {
            return CollectedAction::Replace(Box::new(self.answer(Failure::new(fault, Origin::Guard), None, None)));
        }
        let decoded = self.decoded(&head.headers, body);
        let fills = self.settings.mode != Mode::Fill || fill::is_filled(&head.headers, body, decoded.as_deref());
        if fills && let Some(reported) = self.connect_status(decoded.as_deref()) {
            return self.unary_error(head, &reported, body);
        }
        let reason = self.reason(head, || matches!(body, Collected::Whole([])));
        let (tail, event) = if fills {
            match self.classify(head.status, &head.headers, decoded.as_deref(), reason.as_deref()) {
                RewriteDecision::Rewrite(rewrite) => {
                    let read = decoded.as_deref().unwrap_or_default();
                    return CollectedAction::Rewrite(self.write_read(head, rewrite, Origin::Inner, read));
                }
                RewriteDecision::Pass(rewrite) => {
                    self.preserve_protocol(head, rewrite.code(), decoded.as_deref().unwrap_or_default())
                }
            }
        } else {
            self.preserve(head)
        };
        CollectedAction::Restore(tail, event)
    }

    #[inline(always)]
    fn success(self, head: &mut response::Parts, body: impl FnOnce() -> BodyFacts) -> ResponsePlan {
        // RFC 9110 §15.3.6 requires an empty 205 to be framed as such; 204 and 304 have no framing of their own.
        if head.status == StatusCode::RESET_CONTENT {
            head.headers.remove(TRANSFER_ENCODING);
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        if has_no_body(head.status) {
            let (tail, notes) = self.finish_head(&mut head.headers);
            return ResponsePlan::Strip(tail, notes);
        }
        self.pass(head, body)
    }

    #[inline(always)]
    pub(super) fn pass(self, head: &mut response::Parts, body: impl FnOnce() -> BodyFacts) -> ResponsePlan {
        if self.appends_error(head, body) {
            return ResponsePlan::Stream(self.into_event_stream(head), None);
        }
        let (tail, notes) = self.finish_head(&mut head.headers);
        ResponsePlan::Pass(tail, notes)
    }

    /// Whether a response of this status passes without its head or body being parsed. It then gets [`Exchange::id_header`] as
    /// its `x-request-id` and nothing else: for an adapter whose heads lie elsewhere. One that has an `x-request-id` (I3) or
    /// an `access-control-allow-origin` (E4) is to be shown to [`Exchange::response_head`] all the same.
    #[must_use]
    pub fn passes_unparsed(&self, status: StatusCode) -> bool {
        let passes = match self.settings.mode {
            Mode::Off => true,
            Mode::Observe => false,
            Mode::Own | Mode::Fill | Mode::Enforce => is_success(status) && !has_no_body(status),
        };
        let is_plain = self.request.rpc.is_none() && self.settings.event_streams == EventStreams::Break;
        passes && is_plain && self.body_fault().is_none()
    }

    /// Ends with a response that [passes unparsed](Exchange::passes_unparsed): returns what to log, as for a
    /// [`ResponsePlan::Pass`].
    pub fn finish_unparsed(self) -> (BodyContext, Option<Box<EventFields>>) {
        self.into_context_and_fields()
    }

    /// An error that keeps its shape is logged by its status (L1).
    fn preserve(mut self, head: &mut response::Parts) -> (BodyContext, Box<Event>) {
        self.expose(&mut head.headers);
        self.identify_response(&mut head.headers);
        (self.body_context(), Box::new(self.passed(head.status)))
    }

    /// As [`Exchange::preserve`], for an error whose code is known (R10), with the bytes read of its body.
    fn preserve_protocol(self, head: &mut response::Parts, code: &ErrorCode, read: &[u8]) -> (BodyContext, Box<Event>) {
        head::mark_kept(&mut head.headers, head.status, code);
        let body = self.captures_bodies().then(|| CapturedBody::new(head.status, &head.headers, read));
        let (tail, mut event) = self.preserve(head);
        event.show(body.clone(), body);
        event.code = Some(code.clone());
        (tail, event)
    }

    fn pass_preserved(self, head: &mut response::Parts, body: BodyFacts) -> ResponsePlan {
        if self.appends_error(head, || body) {
            let stream = self.into_event_stream(head);
            let event = stream.preserved(head.status);
            return ResponsePlan::Stream(stream, Some(Box::new(event)));
        }
        let (tail, event) = self.preserve(head);
        ResponsePlan::Keep(tail, event)
    }

    pub(super) fn keep_with(&self, event: Event) -> ResponsePlan {
        ResponsePlan::Keep(self.body_context(), Box::new(event))
    }

    pub(super) fn passed(self, status: StatusCode) -> Event {
        self.event(Origin::Inner, None).preserved(status)
    }

    fn observe(mut self, head: &mut response::Parts, body: BodyFacts) -> ResponsePlan {
        self.identify_response(&mut head.headers);
        if let Some(event) = self.observed_refusal(head.status) {
            return self.keep_with(event);
        }
        match head.status.as_u16() {
            101 | 200..=399 => self.pass(head, || body),
            400..=599 => self.observe_error(head, body),
            // E6.
            _ => self.keep_observed(head.status, &Fault::new(ErrorCode::OTHER), StatusCode::BAD_GATEWAY, Origin::Inner),
        }
    }

    fn observe_error(mut self, head: &mut response::Parts, body: BodyFacts) -> ResponsePlan {
        if let Some(fault) = classify::fault_in(&head.extensions).cloned() {
            let fault = self.adopted(fault);
            return self.keep_observed(head.status, &fault, head.status, Origin::Fault);
        }
        if self.passes(&head.headers) {
            return self.pass_preserved(head, body);
        }
        let inspect = self.policy().inspect();
        let (tail, headers) = (self.body_context(), head.headers.clone());
        let reason = self.reason(head, || self.has_no_bytes(head, body));
        let observed = ObservedError { exchange: self, status: head.status, headers, reason };
        if observed.exchange.request.is_head() || is_unreadable(&head.headers, body, inspect.max_bytes) {
            let mut event = observed.finish(Collected::Unreadable(&[]));
            event.unread = (body.lower > inspect.max_bytes).then_some(UnreadReason::TooLong);
            return ResponsePlan::Keep(tail, Box::new(event));
        }
        ResponsePlan::Tee(tail, Box::new(observed), inspect.max_bytes, inspect.timeout)
    }

    fn keep_observed(self, status: StatusCode, fault: &Fault, rewritten: StatusCode, origin: Origin) -> ResponsePlan {
        self.keep_with(self.would_be(status, fault, rewritten, origin, false))
    }

    #[inline]
    pub(super) fn error(self, head: &mut response::Parts, body: BodyFacts) -> ResponsePlan {
        if let Some(fault) = classify::fault_in(&head.extensions).cloned() {
            return ResponsePlan::Rewrite(self.write_fault(head, fault));
        }
        // A stream that breaks off where it passes is to end with an event (F6).
        let is_stream = self.settings.mode == Mode::Fill && self.appends_error(head, || body);
        if is_stream || self.passes(&head.headers) {
            return self.pass_preserved(head, body);
        }
        let inspect = self.policy().inspect();
        let unreadable = is_unreadable(&head.headers, body, inspect.max_bytes);
        let looks = self.settings.mode == Mode::Fill && fill::must_look(&head.headers) && !body.is_empty();
        if self.request.is_head() || unreadable && !looks {
            let reason = self.reason(head, || self.has_no_bytes(head, body));
            let (RewriteDecision::Rewrite(rewrite) | RewriteDecision::Pass(rewrite)) =
                self.classify(head.status, &head.headers, None, reason.as_deref());
            if self.keeps_head(head) {
                let (tail, event) = self.preserve_protocol(head, rewrite.code(), &[]);
                return ResponsePlan::Keep(tail, event);
            }
            let mut written = self.write_read(head, rewrite, Origin::Inner, &[]);
            written.event.unread = (body.lower > inspect.max_bytes).then_some(UnreadReason::TooLong);
            return ResponsePlan::Rewrite(written);
        }
        let max_bytes = if self.settings.mode == Mode::Fill { fill::worth_reading(&head.headers) } else { None };
        ResponsePlan::Collect(self, max_bytes.unwrap_or(inspect.max_bytes), inspect.timeout)
    }

    /// In `observe`, the fault that would have refused the request is logged beside it.
    fn write_fault(mut self, head: &mut response::Parts, fault: Fault) -> RewrittenBody {
        let unenforced = self.observed_refusal(head.status).map(Box::new);
        let fault = classify::listed(fault, self.writer().dialect());
        RewrittenBody { unenforced, ..self.write(head, fault, Origin::Fault) }
    }

    /// Whether a head without its body is of an error that GET would get in its protocol's shape, as far as it shows (E5). For a
    /// 5xx the status decides: GET's body is unknown.
    fn keeps_head(&self, head: &response::Parts) -> bool {
        let named = || dialect::essence(&head.headers).and_then(ProtocolType::new);
        self.request.is_head()
            && head.status.is_client_error()
            && body_limit::declared(&head.headers).is_some_and(|length| length > 0)
            && named().is_some_and(|it| self.protocols().keep_type(it))
    }

    fn protocols(&self) -> KeptProtocols {
        match self.settings.protocols {
            _ if self.request.rpc.is_some() => KeptProtocols::Nothing,
            Protocols::Pass => KeptProtocols::All,
            Protocols::Rewrite => KeptProtocols::Some,
        }
    }

    /// The body in UTF-8 and without its codings, as far as it can be read (R3–R5).
    pub(super) fn decoded<'b>(&self, headers: &HeaderMap, body: Collected<'b>) -> Option<Cow<'b, [u8]>> {
        let Collected::Whole(body) = body else { return None };
        Some(charset::in_utf8(headers, self.uncoded(headers, body)?))
    }

    fn uncoded<'b>(&self, headers: &HeaderMap, body: &'b [u8]) -> Option<Cow<'b, [u8]>> {
        let codings = coding::codings(headers)?;
        if !codings.is_empty() {
            return coding::decoded(&codings, body, self.policy().inspect().max_bytes).map(Cow::Owned);
        }
        // A translator from gRPC to gRPC-Web's text inside encodes any body.
        let answered = || self.request.rpc?.answered_by(fields::first(headers, &CONTENT_TYPE));
        if answered().is_some_and(Rpc::is_text) {
            return grpc_messages::decode(body).map(Cow::Owned);
        }
        Some(Cow::Borrowed(body))
    }

    /// Whether the response keeps its shape by its head alone (R9, P1).
    pub(super) fn passes(&self, headers: &HeaderMap) -> bool {
        let no_transform = || {
            let lines = headers.get_all(CACHE_CONTROL);
            lines.iter().flat_map(head::list).any(|directive| directive.eq_ignore_ascii_case("no-transform"))
        };
        let is_grpc = || dialect::essence(headers).is_some_and(protocol::names_grpc);
        !headers.is_empty()
            && (self.request.rpc.is_none() && is_grpc()
                || self.settings.no_transform == NoTransform::Respect
                    && fields::has(headers, &CACHE_CONTROL)
                    && no_transform())
    }

    pub(super) fn classify<'b>(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: Option<&'b [u8]>,
        reason: Option<&'b str>,
    ) -> RewriteDecision<'b> {
        self.with_known(Inner { status, headers, body, reason }, classify::response)
    }

    /// The text in the status line of a 4xx that has no body (R3).
    pub(super) fn reason(&self, head: &response::Parts, is_empty: impl FnOnce() -> bool) -> Option<Box<str>> {
        let phrase = if head.status.is_client_error() { self.config.reason_phrase(&head.extensions) } else { None }?;
        reason::own_words(head.status, phrase).filter(|_| is_empty()).map(Into::into)
    }

    /// Whether a response has no body, and would have none for GET.
    fn has_no_bytes(&self, head: &response::Parts, body: BodyFacts) -> bool {
        body.is_empty() && !(self.request.is_head() && body_limit::declared(&head.headers) > Some(0))
    }

    /// Reads an inner error by the facts of the request and of the policy.
    #[inline(always)]
    pub(super) fn with_known<'h, 'b, T>(
        &self,
        inner: Inner<'h, 'b>,
        read: impl FnOnce(&Inner<'h, 'b>, &RequestContext<'_>, &PolicyView<'_>) -> T,
    ) -> T {
        let writer = self.writer();
        let view = RequestContext {
            credentials: self.credentials(),
            method: writer.target.map_or(&Method::GET, |(method, _)| method),
            path: writer.target.map(|(_, path)| path.path()),
            posted: self.request.posted(),
        };
        let known = PolicyView {
            codes: self.policy().codes(),
            shapes: self.policy().shapes(&self.settings),
            rules: self.policy().rules(&self.settings),
            by_status: self.settings.unknown_codes == UnknownCodes::ByStatus,
            protocols: self.protocols(),
            kept: self.policy().kept_fields(&self.settings),
            dialect: writer.dialect(),
            negotiated: writer.negotiated(),
            page: writer.page().is_some(),
        };
        read(&inner, &view, &known)
    }

    /// The credentials that the request carried, as far as an inner 401 needs them.
    fn credentials(&self) -> Credentials<'_> {
        let scheme = self.cold.as_ref().and_then(|cold| cold.scheme.as_deref());
        Credentials::new(self.request.credentials, scheme)
    }
}

/// Whether a final response is no error.
const fn is_success(status: StatusCode) -> bool {
    matches!(status.as_u16(), 101 | 200..=399)
}

/// Whether such a response is its head alone (E5).
const fn has_no_body(status: StatusCode) -> bool {
    matches!(status.as_u16(), 204 | 205 | 304)
}

/// Whether reading a body is useless: there is none, its coding is unknown (R5), or it is too long (R4).
fn is_unreadable(headers: &HeaderMap, body: BodyFacts, max_bytes: u64) -> bool {
    body.is_empty() || body.lower > max_bytes || coding::codings(headers).is_none()
}
