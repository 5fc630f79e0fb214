//! The refusals that a request would have got from guards that only observe (M1). In `enforce`, such a refusal would have
//! come before anything that the service did.

use http::StatusCode;

use super::body::{self, ErrorForm};
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::guard::body_limit::{self, BodyFlags};
use crate::session::record::delivery::SentStatus;
use crate::session::record::request_record::RequestRecord;
use crate::session::request::state::RequestState;

/// Returns the refusal that a request would have got, if its call failed or its client left while a guard only observed.
/// In `enforce`, the refusal would have come first (M1). The record also gets the refusals that the request's body would
/// have caused.
pub(in crate::session) fn refusal_before_failure(state: &mut RequestState) -> Option<SentStatus> {
    if !state.observes_guards() {
        return None;
    }
    note_refusals(state);
    predicted_refusal(state)
}

#[cold]
fn predicted_refusal(state: &RequestState) -> Option<SentStatus> {
    pending_refusal(state).map(|refusal| prediction(state, &refusal, refusal.status(), (false, true)))
}

/// Adds to the record of a service's error with this code, which passes, the refusal that the request would have got
/// instead (M1). `enforce` would not have called the service.
pub(in crate::session) fn predict_refusal(state: &RequestState, record: &mut RequestRecord, code: &ErrorCode) {
    if let Some(refusal) = predicted_refusal(state) {
        record.would_be = Some(refusal);
        record.notes.get_or_insert_default().service_code = Some(code.clone());
    }
}

/// Returns the fault with which the request would have been refused. A fault that follows from the head is returned
/// only once.
pub(in crate::session) fn take_refusal(state: &mut RequestState) -> Option<Fault> {
    let refusal = pending_refusal(state);
    if let Some(cold) = &mut state.cold {
        (cold.observed, cold.observed_peek) = (None, None);
    }
    refusal
}

/// Returns the fault of [`take_refusal`], but leaves it in the state.
pub(in crate::session) fn pending_refusal(state: &RequestState) -> Option<Fault> {
    let cold = state.cold.as_ref();
    let peeked = || cold?.observed_peek.clone().filter(|_| has_begun(state));
    cold.and_then(|cold| cold.observed.clone()).or_else(peeked).or_else(|| by_limit(state))
}

/// Notes, for the request's only error event (L1), the refusals that its body would have caused. The refusals that
/// follow from the request's head are already noted.
pub(in crate::session) fn note_refusals(state: &mut RequestState) {
    let peeked = state.cold.as_ref().and_then(|cold| cold.observed_peek.clone()).filter(|_| has_begun(state));
    let by_limit = by_limit(state);
    state.note_refusal(peeked.as_ref());
    state.note_refusal(by_limit.as_ref());
}

fn has_begun(state: &RequestState) -> bool {
    state.flags.as_ref().is_some_and(|flags| flags.has(BodyFlags::BEGUN))
}

fn by_limit(state: &RequestState) -> Option<Fault> {
    let flags = state.flags.as_ref()?;
    let too_large = flags.exceeded_observed_limit().map(|limit| state.policy().faults.too_large(limit));
    too_large.or_else(|| flags.has(BodyFlags::NOTED_MALFORMED).then(body_limit::malformed))
}

/// Returns the status that a mode which enforces this fault would have sent.
pub(in crate::session) fn prediction(
    state: &RequestState,
    fault: &Fault,
    status: StatusCode,
    (kept, is_code_named): (bool, bool),
) -> SentStatus {
    let form = ErrorForm::new(state);
    let grpc = state.request.rpc.map(|rpc| body::grpc_status(rpc, fault, status, is_code_named).number());
    let status = form.http_status(fault, status, kept);
    SentStatus { status, grpc, code: Some(fault.code().clone()) }
}
