//! Mode `observe` (rule M1): logs what mode `enforce` would have done.
//!
//! The response passes unchanged except for its id. The log gets the error with which a guard would have refused the
//! request, or else the error that would have replaced an inner one. With `auth_observe`, a guard observes in any mode.

use http::StatusCode;

use super::body::ErrorForm;
use super::reply::cause_of;
use super::state::RequestState;
use super::{Cause, Event, Origin, rpc};
use crate::fault::Fault;
use crate::guard::body_limit::BodyFlags;
use crate::policy::Mode;

/// The event of the refusal that the request would have got, if a guard only observes. A second call returns `None`.
#[inline]
pub(super) fn observed_refusal(state: &mut RequestState, status: StatusCode) -> Option<Event> {
    let observes = state.settings.mode == Mode::Observe || state.has_observed_refusal();
    if observes { would_refuse(state, status) } else { None }
}

fn would_refuse(state: &mut RequestState, status: StatusCode) -> Option<Event> {
    let fault = refusal(state)?;
    let mut event = would_be(state, status, &fault, fault.status_code(), Origin::Guard, false);
    event.grpc = state.request.rpc.map(|rpc| rpc::grpc_status(rpc, &fault, fault.status_code(), true));
    if let Some(notes) = &mut event.notes {
        notes.also = None;
    }
    Some(event)
}

/// The fault with which the request would have been refused.
pub(super) fn refusal(state: &mut RequestState) -> Option<Fault> {
    let (observed, peeked) = match &mut state.cold {
        Some(cold) => (cold.observed.take(), cold.observed_peek.take()),
        None => (None, None),
    };
    let flags = state.flags.as_ref();
    let begun = flags.is_some_and(|flags| flags.has(BodyFlags::BEGUN));
    let too_large = || flags.and_then(BodyFlags::exceeded_observed_limit).map(|limit| state.policy().too_large(limit));
    observed.or(peeked.filter(|_| begun)).or_else(too_large)
}

/// The event of a response that passes, but would have been rewritten as an error with the status `rewritten`.
pub(super) fn would_be(
    state: &RequestState,
    status: StatusCode,
    fault: &Fault,
    rewritten: StatusCode,
    origin: Origin,
    kept: bool,
) -> Event {
    Event {
        status: Some(status),
        would_be: Some(ErrorForm::new(state).outward_status(fault, rewritten, kept)),
        code: Some(fault.code().clone()),
        cause: if origin == Origin::Fault { Some(Cause::Fault(fault.clone())) } else { cause_of(fault) },
        ..state.event(origin)
    }
}
