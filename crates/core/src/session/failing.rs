//! Classifies errors of the inner service, and notes where they come from (rules F1, F3).

use std::error::Error;

use super::state::RequestState;
use super::{Failure, Origin};
use crate::classify::failure::ErrorKind;
use crate::code::ErrorCode;
use crate::fault::Fault;

/// Classifies an inner error (F1). If the request's body was over its limit, that decides. Else the classifier decides,
/// else the contract's list. Both look at the whole chain of causes.
pub(super) fn failure_of(state: &RequestState, error: &(dyn Error + 'static)) -> Failure {
    if let Some(failure) = state.why_body_was_cut().or_else(|| by_classifier(state, error)) {
        return failure;
    }
    let kind = ErrorKind::new(error, state.config.recogniser());
    if let ErrorKind::Typed(fault) = kind {
        return Failure::new(fault.clone(), Origin::Fault);
    }
    Failure::new(state.broken_request().unwrap_or_else(|| kind.call_fault()), Origin::Error)
}

/// Classifies an error from `poll_ready` (F3).
pub(super) fn unreadiness_of(state: &RequestState, error: &(dyn Error + 'static)) -> Failure {
    if let Some(failure) = by_classifier(state, error) {
        return failure;
    }
    let kind = ErrorKind::new(error, state.config.recogniser());
    let origin = if matches!(kind, ErrorKind::Typed(_)) { Origin::Fault } else { Origin::Error };
    Failure::new(kind.readiness_fault(), origin)
}

/// How the service's own classifier classifies an error.
fn by_classifier(state: &RequestState, error: &(dyn Error + 'static)) -> Option<Failure> {
    Some(Failure::new(state.config.classifier()?(error)?, Origin::Error))
}

/// The failure for a call whose client has stopped waiting: the same as for a time-out of the inner service (F1).
pub(super) fn client_timeout() -> (Failure, super::BoxError) {
    let cause = "the client's time limit for the call passed";
    (Failure::new(Fault::new(ErrorCode::GATEWAY_TIMEOUT), Origin::Error), cause.into())
}
