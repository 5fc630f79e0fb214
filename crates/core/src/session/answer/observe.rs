//! Mode `observe` logs what mode `enforce` would have done (M1).
//!
//! The response passes unchanged except for its id. The log gets the error that `enforce` would have sent. The error is
//! the refusal of a guard, or else the error that would have replaced an inner error. With `auth_observe`, the check of
//! the credentials only observes, in any mode.

use std::fmt;

use http::{HeaderMap, StatusCode};

use super::body::{ErrorForm, RetainedBody};
use super::outcome::ReadBytes;
use super::{body, fill};
use crate::classify::{ChangedBody, Rewrite};
use crate::fault::Fault;
use crate::guard::body_limit::BodyFlags;
use crate::policy::Mode;
use crate::session::record::body_capture::CapturedBody;
use crate::session::record::delivery::SentStatus;
use crate::session::record::notes::Origin;
use crate::session::record::request_record::{Cause, RequestRecord};
use crate::session::request::state::RequestState;

/// Returns the record of the refusal that the request would have got from a guard that only observes. The first call
/// takes a refusal that follows from the head out of the state, so a second call does not return it.
#[inline]
pub(in crate::session) fn observed_refusal(state: &mut RequestState, status: StatusCode) -> Option<RequestRecord> {
    if state.observes_guards() { would_refuse(state, status) } else { None }
}

fn would_refuse(state: &mut RequestState, status: StatusCode) -> Option<RequestRecord> {
    note_refusals(state);
    let fault = refusal(state)?;
    let mut record = would_be(state, status, &fault, fault.status(), Origin::Guard, (false, true));
    if let Some(notes) = &mut record.notes {
        // The record itself reports this code, so it is not also one of the other codes.
        if let Some(own) = notes.also.iter().position(|code| code == fault.code()) {
            notes.also.remove(own);
        }
    }
    Some(record)
}

/// Returns the refusal that a request would have got, if its call failed while a guard only observed. In `enforce`, the
/// refusal would have come first (M1). The record also gets the refusals that the request's body would have caused.
#[cold]
pub(in crate::session) fn refusal_before_failure(state: &mut RequestState) -> Option<SentStatus> {
    note_refusals(state);
    pending_refusal(state).map(|refusal| prediction(state, &refusal, refusal.status(), (false, true)))
}

/// Returns the fault with which the request would have been refused. A fault that follows from the head is returned
/// only once.
fn refusal(state: &mut RequestState) -> Option<Fault> {
    let refusal = pending_refusal(state);
    if let Some(cold) = &mut state.cold {
        (cold.observed, cold.observed_peek) = (None, None);
    }
    refusal
}

/// Returns the fault of [`refusal`], but leaves it in the state.
fn pending_refusal(state: &RequestState) -> Option<Fault> {
    let cold = state.cold.as_ref();
    let peeked = || cold?.observed_peek.clone().filter(|_| has_begun(state));
    cold.and_then(|cold| cold.observed.clone()).or_else(peeked).or_else(|| too_large(state))
}

/// Notes, for the request's only error event (L1), the refusals that its body would have caused. The refusals that
/// follow from the request's head are already noted.
pub(in crate::session) fn note_refusals(state: &mut RequestState) {
    let peeked = state.cold.as_ref().and_then(|cold| cold.observed_peek.clone()).filter(|_| has_begun(state));
    let too_large = too_large(state);
    state.note_refusal(peeked.as_ref());
    state.note_refusal(too_large.as_ref());
}

fn has_begun(state: &RequestState) -> bool {
    state.flags.as_ref().is_some_and(|flags| flags.has(BodyFlags::BEGUN))
}

fn too_large(state: &RequestState) -> Option<Fault> {
    let limit = state.flags.as_ref().and_then(BodyFlags::exceeded_observed_limit)?;
    Some(state.policy().faults().too_large(limit))
}

/// Returns the record of a response that passes, but would have been rewritten as an error with the status `rewritten`.
/// If a guard would have refused the request, the record predicts that refusal instead, because `enforce` would not
/// have called the service.
pub(in crate::session) fn would_be(
    state: &RequestState,
    status: StatusCode,
    fault: &Fault,
    rewritten: StatusCode,
    origin: Origin,
    (kept, is_code_named): (bool, bool),
) -> RequestRecord {
    let refusal = pending_refusal(state).filter(|_| origin != Origin::Guard);
    let mut record = RequestRecord {
        sent: Some(SentStatus { grpc: state.service.and_then(|service| service.grpc), ..SentStatus::new(status) }),
        would_be: Some(match &refusal {
            Some(refusal) => prediction(state, refusal, refusal.status(), (false, true)),
            None => prediction(state, fault, rewritten, (kept, is_code_named)),
        }),
        rewriting: Some(Mode::Fill),
        cause: if origin == Origin::Fault { Some(Cause::Fault(fault.clone())) } else { Cause::of_fault(fault) },
        ..state.record(origin)
    };
    if refusal.is_some() {
        record.notes.get_or_insert_default().service_code = Some(fault.code().clone());
    }
    record
}

/// Returns the status that a mode which enforces this fault would have sent.
fn prediction(
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

/// An inner error that passes on a route in mode `observe` while its body is copied.
pub(in crate::session) struct ObservedError {
    pub(in crate::session) state: RequestState,
    pub(in crate::session) status: StatusCode,
    pub(in crate::session) headers: HeaderMap,
    /// The text in the status line.
    pub(in crate::session) reason: Option<Box<str>>,
}

/// The service's headers may contain values that must not be logged (L3).
impl fmt::Debug for ObservedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, status, .. } = self;
        f.debug_struct("Observed").field("id", &state.id).field("status", status).finish_non_exhaustive()
    }
}

impl ObservedError {
    /// Returns the record when the body has ended, or when no more of it is read. The received bytes decide the record,
    /// as they would decide the error in `enforce`.
    pub(in crate::session) fn finish(&self, body: ReadBytes<'_>) -> RequestRecord {
        let Self { state, status, headers, reason } = self;
        let decoded = state.decoded_body(headers, body);
        if let Some(reported) = state.connect_status(headers, decoded.as_deref()) {
            return state.rpc_record(&reported, *status);
        }
        let changed = ChangedBody::default();
        let reason = reason.as_deref().filter(|_| matches!(body, ReadBytes::Whole(_)));
        let rewrite = state.inner_decision(*status, headers, (decoded.as_deref(), &changed), reason);
        if rewrite.passes {
            return would_keep(state, *status, &rewrite);
        }
        let is_filled = fill::would_rewrite(state.request.is_head(), headers, body, decoded.as_deref());
        RequestRecord {
            rewriting: Some(if is_filled { Mode::Fill } else { Mode::Enforce }),
            ..would_rewrite((state, *status, headers), rewrite, Some(decoded.as_deref().unwrap_or_default()))
        }
    }
}

/// Returns the record of an inner error whose body the mode does not read. `enforce` would decide in the same way if it
/// could not read the body (R4).
pub(in crate::session) fn as_unread(state: &RequestState, status: StatusCode, headers: &HeaderMap) -> RequestRecord {
    let changed = ChangedBody::default();
    let rewrite = state.inner_decision(status, headers, (None, &changed), None);
    if rewrite.passes {
        return would_keep(state, status, &rewrite);
    }
    RequestRecord { rewriting: Some(Mode::Enforce), ..would_rewrite((state, status, headers), rewrite, None) }
}

/// Returns the record of an error that keeps its shape in `enforce`, too. In `enforce`, the head of this error contains
/// the code (E4).
fn would_keep(state: &RequestState, status: StatusCode, rewrite: &Rewrite<'_>) -> RequestRecord {
    let would_be = state.record(Origin::Inner).preserved(status, rewrite.code().clone()).sent;
    let sent = would_be.clone().map(|sent| SentStatus { code: None, ..sent });
    RequestRecord { would_be, sent, ..state.record(Origin::Inner) }
}

fn would_rewrite(
    (state, status, headers): (&RequestState, StatusCode, &HeaderMap),
    mut rewrite: Rewrite<'_>,
    read: Option<&[u8]>,
) -> RequestRecord {
    let lost = (rewrite.dropped.take(), rewrite.unknown_code.take());
    let Rewrite { shape, retained, is_code_named, by, rule, to_status, body, .. } = rewrite;
    let sent = to_status.unwrap_or(status);
    let fault = rewrite.into_fault();
    // The observer gets nothing of a body that was not read.
    let captured = read.filter(|_| state.captures_bodies()).map(|read| {
        let before = CapturedBody::new(status, headers, read);
        let mut headers = headers.clone();
        let retained = retained.map(|part| RetainedBody { part, body, status });
        let written = ErrorForm::new(state).rewritten(&mut headers, sent, &fault, is_code_named, retained);
        let body = if state.request.is_head() { &[][..] } else { &written.body };
        (before, CapturedBody::new(written.sent, &headers, body))
    });
    let mut record = would_be(state, status, &fault, sent, Origin::Inner, (retained.is_some(), is_code_named));
    record.dialect = shape;
    record.note_lost(lost);
    record.note_decision(by, state.settings.part(), rule);
    // If a guard would have refused the request, the client would have got another body.
    if pending_refusal(state).is_none() {
        let (before, after) = captured.unzip();
        record.note_bodies(before, after);
    }
    record
}
