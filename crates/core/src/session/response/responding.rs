//! Decides by the head of an inner response whether it passes, is read first, or is rewritten, and decides by the body
//! of an error that was read. The contract defines this in R1, R4, R5, R9, R10, E5, E6 and M1.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode, response};

use super::calls;
use super::calls::{answered_call, call_head};
use super::event_stream::appends_error;
use super::follow::{Follow, Needs};
use super::reading::{Read, Reading};
use super::step::{ResponseStep, Rest};
use crate::classify;
use crate::classify::ChangedBody;
use crate::code::ErrorCode;
use crate::dialect::coding;
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::fault::Fault;
use crate::guard::body_limit;
use crate::policy::{EventStreams, Mode};
use crate::session::answer::body::ErrorForm;
use crate::session::answer::head::X_UPSTREAM_ERROR_CODE;
use crate::session::answer::observe::{ObservedError, observed_refusal, would_be};
use crate::session::answer::outcome::{Failure, ReadBytes, RewrittenBody};
use crate::session::answer::refusals::note_refusals;
use crate::session::answer::{fill, head};
use crate::session::record::delivery::ServiceAnswer;
use crate::session::record::notes::{Origin, UnreadReason};
use crate::session::record::request_record::RequestRecord;
use crate::session::request::state::{Phase, RequestState, Session};
use crate::session::request::view::{BodyFacts, MAX_HEADERS};

/// The response of the inner service.
impl Session {
    /// Decides about the response by its head. `body` is only called if facts about the body matter.
    #[inline(always)]
    pub fn respond(&mut self, head: &mut response::Parts, body: impl FnOnce() -> BodyFacts) -> ResponseStep {
        let Phase::Called(state) = &mut self.phase else { return ResponseStep::Broken };
        // This is the short way for nearly every response. [`ResponseHead::decide`] returns the same in more steps.
        let is_plain = head.extensions.is_empty() && head.headers.len() <= MAX_HEADERS;
        let passes = is_plain && passes_unparsed(state, head.status);
        state.service = Some(ServiceAnswer::new(head.status));
        if passes {
            state.finish_head(&mut head.headers);
            let follow = Follow::tail(state.take_body_context());
            self.phase = Phase::Ended;
            return ResponseStep::Pass(follow);
        }
        let step = ResponseHead { state }.decide(head, body);
        if !matches!(step, ResponseStep::Read(_)) {
            self.phase = Phase::Ended;
        }
        step
    }

    /// Decides about an inner error by the part of its body that was read.
    #[inline]
    pub fn decide(&mut self, head: &mut response::Parts, read: Read) -> ResponseStep {
        let Phase::Called(state) = &mut self.phase else { return ResponseStep::Broken };
        let step = decide_by_body(state, head, read);
        self.phase = Phase::Ended;
        step
    }

    /// Returns true if a response with this status passes without being parsed. Adapters whose proxy owns the heads
    /// call this method. If it returns true, an adapter only sets the response's `x-request-id` to
    /// [`Session::id_header`]. But a response that has an `x-request-id` (I3) or an `access-control-allow-origin` (E4)
    /// must still go to [`Session::respond`].
    #[must_use]
    pub fn passes_unparsed(&self, status: StatusCode) -> bool {
        self.called_state().is_some_and(|state| passes_unparsed(state, status))
    }

    /// Ends the session with a response that [passes unparsed](Session::passes_unparsed). Returns the value of
    /// [`ResponseStep::Pass`].
    pub fn finish_unparsed(&mut self, status: StatusCode) -> Option<Follow> {
        let Phase::Called(state) = &mut self.phase else { return None };
        state.service = Some(ServiceAnswer::new(status));
        let follow = Follow::tail(state.take_body_context());
        self.phase = Phase::Ended;
        Some(follow)
    }
}

/// Decides about the response of a request by its head.
pub(in crate::session) struct ResponseHead<'s> {
    pub(in crate::session) state: &'s mut RequestState,
}

/// The treatment of a response that follows from its status and the mode of the route.
enum StatusTreatment {
    Pass,
    /// The head passes without a body (E5).
    Strip,
    /// The response is rewritten, unless its content prevents that. Such a response is an error, or its status cannot
    /// be a final status (E6).
    Rewrite,
    /// The response passes, and the log shows how it would have been rewritten.
    Observe,
}

impl ResponseHead<'_> {
    /// Decides about a response whose head must be read first. `body` is only called if facts about the body matter.
    #[inline(never)]
    pub(in crate::session) fn decide(
        self,
        head: &mut response::Parts,
        body: impl FnOnce() -> BodyFacts,
    ) -> ResponseStep {
        if let Some(failure) = self.state.why_body_was_cut() {
            return ResponseStep::Send(Box::new(self.state.answer(failure, None)));
        }
        if head.headers.len() > MAX_HEADERS {
            let failure = Failure::new(Fault::new(ErrorCode::INTERNAL_ERROR), Origin::Inner);
            let cause = format!("{} response headers", head.headers.len()).into();
            return ResponseStep::Send(Box::new(self.state.answer(failure, Some(cause))));
        }
        if self.state.request.rpc == Some(Rpc::ConnectUnary) && head.status == StatusCode::OK {
            self.state.note_grpc(Some(Status::OK.number()));
        }
        if let Some((rpc, names)) = answered_call(self.state, head) {
            return call_head(self.state.take(), rpc, &names, head, body());
        }
        if matches!(head.status.as_u16(), 400..=599) {
            return self.decide_error(head, body());
        }
        let is_call = self.state.request.rpc.is_some();
        let record = if is_call { calls::status_behind_any_head(self.state, head) } else { None };
        let step = match StatusTreatment::new(self.state, head.status) {
            StatusTreatment::Pass => self.state.pass(head, body),
            StatusTreatment::Strip => self.strip(head),
            StatusTreatment::Observe => self.decide_observed(head, body()),
            StatusTreatment::Rewrite => return ResponseStep::Write(self.state.replace_malformed(head, body())),
        };
        match (record, step) {
            (Some(record), ResponseStep::Pass(follow)) if follow.needs() == Needs::Nothing => {
                ResponseStep::Pass(Follow::decided(record))
            }
            (Some(record), ResponseStep::Strip(_)) => ResponseStep::Strip(Follow::decided(record)),
            (_, step) => step,
        }
    }

    fn strip(self, head: &mut response::Parts) -> ResponseStep {
        // RFC 9110 §15.3.6 requires the length 0 for a 205. A 204 and a 304 declare no length.
        if head.status == StatusCode::RESET_CONTENT {
            head.headers.remove(TRANSFER_ENCODING);
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let refusal = observed_refusal(self.state, head.status);
        self.state.finish_head(&mut head.headers);
        ResponseStep::Strip(match refusal {
            Some(record) => Follow::decided(record),
            None => Follow::tail(self.state.take_body_context()),
        })
    }

    fn decide_error(self, head: &mut response::Parts, body: BodyFacts) -> ResponseStep {
        match StatusTreatment::new(self.state, head.status) {
            _ if self.state.settings.mode == Mode::Enforce || self.is_fault_alone(head, body) => {
                self.rewrite_error(head, body)
            }
            StatusTreatment::Pass => self.state.pass(head, || body),
            StatusTreatment::Observe => self.decide_observed(head, body),
            _ if fill::keeps(self.state, head, body) => self.state.pass_error(head, body),
            _ => self.rewrite_error(head, body),
        }
    }

    /// Returns true if a service returned a fault that no inner layer wrote. Such a response has no bytes that a mode
    /// could preserve (M1).
    fn is_fault_alone(&self, head: &response::Parts, body: BodyFacts) -> bool {
        Fault::in_extensions(&head.extensions).is_some() && self.has_no_bytes(head, body)
    }

    fn decide_observed(self, head: &mut response::Parts, body: BodyFacts) -> ResponseStep {
        self.state.identify_response(&mut head.headers);
        if matches!(head.status.as_u16(), 400..=599) {
            return self.observe_error(head, body);
        }
        // The status cannot be a final one (E6).
        if !matches!(head.status.as_u16(), 101 | 200..=399) {
            note_refusals(self.state);
            let fault = Fault::new(ErrorCode::OTHER);
            return self.keep_observed(head.status, &fault, StatusCode::BAD_GATEWAY, Origin::Inner);
        }
        match observed_refusal(self.state, head.status) {
            Some(record) => ResponseStep::Pass(Follow::decided(record)),
            None => self.state.pass(head, || body),
        }
    }

    fn observe_error(self, head: &mut response::Parts, body: BodyFacts) -> ResponseStep {
        note_refusals(self.state);
        if let Some(fault) = Fault::in_extensions(&head.extensions).cloned() {
            let fault = self.state.with_policy_settings(fault, Origin::Fault);
            return self.keep_observed(head.status, &fault, head.status, Origin::Fault);
        }
        if self.state.keeps_shape(&head.headers) {
            return self.state.pass_error(head, body);
        }
        let inspect = self.state.policy().process.inspect;
        let headers = head.headers.clone();
        let reason = self.state.reason_phrase(head, || true);
        let no_bytes = if self.has_no_bytes(head, body) { ReadBytes::Whole(&[]) } else { ReadBytes::Part(&[]) };
        let mut observed = ObservedError { state: self.state.take(), status: head.status, headers, reason };
        if observed.state.request.is_head() || is_unreadable(&head.headers, body, inspect.max_bytes) {
            let mut record = observed.finish(no_bytes);
            record.note_unread((body.lower > inspect.max_bytes).then_some(UnreadReason::TooLong));
            return ResponseStep::Pass(Follow::decided(record));
        }
        ResponseStep::Pass(Follow::copy(Box::new(observed), inspect.max_bytes, inspect.timeout))
    }

    fn keep_observed(self, status: StatusCode, fault: &Fault, rewritten: StatusCode, origin: Origin) -> ResponseStep {
        ResponseStep::Pass(Follow::decided(would_be(self.state, status, fault, rewritten, origin, (false, true))))
    }

    #[inline]
    fn rewrite_error(self, head: &mut response::Parts, body: BodyFacts) -> ResponseStep {
        if let Some(fault) = Fault::in_extensions(&head.extensions).cloned() {
            return ResponseStep::Write(self.write_fault(head, fault, body));
        }
        let fills = self.state.settings.mode == Mode::Fill;
        // A stream that passes must still end with an event if it is cut off (F6).
        if fills && appends_error(self.state, head, || body) || self.state.keeps_shape(&head.headers) {
            return self.state.pass_error(head, body);
        }
        let inspect = self.state.policy().process.inspect;
        let looks = fills && fill::must_be_read(&head.headers) && !body.is_empty();
        let unreadable = is_unreadable(&head.headers, body, inspect.max_bytes);
        if self.state.request.is_head() || unreadable && !looks {
            return self.rewrite_unread(head, body, inspect.max_bytes);
        }
        let max_bytes = if fills { fill::more_bytes_to_read(&head.headers) } else { None };
        let reading = Reading::new(max_bytes.unwrap_or(inspect.max_bytes), inspect.timeout, fills);
        ResponseStep::Read(reading)
    }

    /// Rewrites an error by its head, without reading its body.
    fn rewrite_unread(self, head: &mut response::Parts, body: BodyFacts, max_bytes: u64) -> ResponseStep {
        let changed = ChangedBody::default();
        let reason = self.state.reason_phrase(head, || self.has_no_bytes(head, body));
        let rewrite = self.state.inner_decision(head.status, &head.headers, (None, &changed), reason.as_deref());
        if self.state.request.is_head() {
            self.keep_service_code(head, rewrite.code());
        }
        if self.state.keeps_head(head.status, &head.headers) {
            return ResponseStep::Pass(Follow::decided(self.state.preserve_protocol(head, rewrite.code(), Some(&[]))));
        }
        let mut written = self.state.replace(head, rewrite, Origin::Inner, body.known_bytes());
        written.record.note_unread((body.lower > max_bytes).then_some(UnreadReason::TooLong));
        ResponseStep::Write(written)
    }

    /// Copies the service's own code into another header, because a response to HEAD has no body that could contain the
    /// code (E9).
    fn keep_service_code(&self, head: &mut response::Parts, code: &ErrorCode) {
        let theirs = classify::service_code(&head.headers, head.status, self.state.policy().codes());
        let theirs = theirs.filter(|theirs| *theirs != code.as_str()).and_then(|it| HeaderValue::from_str(it).ok());
        let Some(theirs) = theirs.filter(|_| !head.headers.contains_key(X_UPSTREAM_ERROR_CODE)) else { return };
        head.headers.insert(X_UPSTREAM_ERROR_CODE, theirs);
        if self.state.settings.expose_headers {
            head::expose(&mut head.headers, &[X_UPSTREAM_ERROR_CODE.as_str()]);
        }
    }

    /// Writes the service's fault. In mode `observe`, a field of the request's record reports the refusal that the
    /// request would have got.
    fn write_fault(self, head: &mut response::Parts, fault: Fault, body: BodyFacts) -> RewrittenBody {
        note_refusals(self.state);
        let fault = classify::with_issue_list(fault, ErrorForm::new(self.state).dialect());
        self.state.replace_with_fault(head, fault, Origin::Fault, body.known_bytes())
    }

    /// Returns true if a response has no body, and would not have one for GET either.
    fn has_no_bytes(&self, head: &response::Parts, body: BodyFacts) -> bool {
        body.is_empty() && !(self.state.request.is_head() && body_limit::declared(&head.headers) > Some(0))
    }
}

impl StatusTreatment {
    #[inline(always)]
    fn new(state: &RequestState, status: StatusCode) -> Self {
        match (state.settings.mode, status.as_u16()) {
            (Mode::Off, _) => Self::Pass,
            (Mode::Observe, _) => Self::Observe,
            (_, 204 | 205 | 304) => Self::Strip,
            (_, 101 | 200..=399) => Self::Pass,
            _ => Self::Rewrite,
        }
    }
}

/// Returns true if a response with this status passes regardless of its other headers. Only its ids change.
#[inline(always)]
pub(in crate::session) fn passes_unparsed(state: &RequestState, status: StatusCode) -> bool {
    matches!(StatusTreatment::new(state, status), StatusTreatment::Pass)
        && state.request.rpc.is_none()
        && state.settings.event_streams == EventStreams::Break
        && !state.is_cut()
        && !state.has_observed_refusal()
}

/// Returns true if reading a body would be useless, because it is empty, its coding is unknown (R5), or it is too long
/// (R4).
fn is_unreadable(headers: &HeaderMap, body: BodyFacts, max_bytes: u64) -> bool {
    body.is_empty() || body.lower > max_bytes || coding::codings(headers).is_none()
}

/// Decides about an inner error by the part of its body that was read.
#[inline]
fn decide_by_body(state: &mut RequestState, head: &mut response::Parts, read: Read) -> ResponseStep {
    if let Some(failure) = state.why_body_was_cut() {
        let mut reply = state.answer(failure, None);
        reply.record.note_unread(read.unread);
        return ResponseStep::Send(Box::new(reply));
    }
    // In mode `fill`, the media type of most bodies already shows that they pass. The bytes after the first one then do
    // not matter.
    let passes_by_type = state.settings.mode == Mode::Fill && fill::more_bytes_to_read(&head.headers).is_some();
    match decided(state, head, read.as_bytes()) {
        Ok(mut written) => {
            written.record.note_unread(read.unread);
            ResponseStep::Write(written)
        }
        Err(kept) => resume(read, kept, passes_by_type),
    }
}

/// Returns the body that replaces an error, or the record of an error that keeps its shape.
#[inline(always)]
fn decided(
    state: &mut RequestState,
    head: &mut response::Parts,
    body: ReadBytes<'_>,
) -> Result<RewrittenBody, Box<RequestRecord>> {
    let decoded = state.decoded_body(&head.headers, body);
    if state.settings.mode == Mode::Fill && !fill::is_to_rewrite(&head.headers, body, decoded.as_deref()) {
        return Err(Box::new(state.preserve(head)));
    }
    if let Some(reported) = state.connect_status(&head.headers, decoded.as_deref()) {
        return calls::unary_error(state, head, &reported, body);
    }
    let reason = state.reason_phrase(head, || matches!(body, ReadBytes::Whole(_)));
    let changed = ChangedBody::default();
    let rewrite = state.inner_decision(head.status, &head.headers, (decoded.as_deref(), &changed), reason.as_deref());
    if !rewrite.passes {
        return Ok(state.replace(head, rewrite, Origin::Inner, decoded.as_deref()));
    }
    head.status = rewrite.to_status.unwrap_or(head.status);
    Err(Box::new(state.preserve_protocol(head, rewrite.code(), decoded.as_deref())))
}

/// Sends the bytes that were read, and then the rest of the body.
fn resume(read: Read, mut record: Box<RequestRecord>, passes_by_type: bool) -> ResponseStep {
    let Read { bytes, trailers, unread } = read;
    record.note_unread(unread.filter(|why| !passes_by_type || *why != UnreadReason::TooLong));
    // Nothing follows trailers, even if they came too late.
    let rest = if unread.is_some() && trailers.is_none() { Rest::Body } else { Rest::Trailers(trailers) };
    ResponseStep::Resume(bytes, rest, Follow::decided(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r4_a_body_that_is_declared_too_long_is_not_read() {
        let declared = |lower| BodyFacts { ended: false, lower, upper: Some(lower) };
        for (length, is) in [(0, true), (1, false), (40, false), (41, true)] {
            assert_eq!(is_unreadable(&HeaderMap::new(), declared(length), 40), is, "{length}");
        }
        let coding = HeaderMap::from_iter([(http::header::CONTENT_ENCODING, HeaderValue::from_static("unknown"))]);
        assert!(is_unreadable(&coding, declared(1), 40));
    }
}
