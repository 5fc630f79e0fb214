//! Mode `observe` logs what mode `enforce` would have done (M1).
//!
//! The response passes unchanged except for its id. The log gets the error that `enforce` would have sent. The error is
//! the refusal of a guard, or else the error that would have replaced an inner error. With `auth_observe`, the check of
//! the credentials only observes, in any mode.

use std::fmt;

use http::{HeaderMap, StatusCode};

use super::body::{ErrorForm, RetainedBody};
use super::fill;
use super::outcome::ReadBytes;
use super::refusals::{note_refusals, pending_refusal, predict_refusal, prediction, take_refusal};
use crate::classify::{ChangedBody, Rewrite};
use crate::code::ErrorCode;
use crate::fault::Fault;
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
    let fault = take_refusal(state)?;
    let mut record = would_be(state, status, &fault, fault.status(), Origin::Guard, (false, true));
    if let Some(notes) = &mut record.notes {
        // The record itself reports this code, so it is not also one of the other codes.
        if let Some(own) = notes.also.iter().position(|code| code == fault.code()) {
            notes.also.remove(own);
        }
    }
    Some(record)
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
    let mut record = RequestRecord {
        sent: Some(SentStatus { grpc: state.service.and_then(|service| service.grpc), ..SentStatus::new(status) }),
        would_be: Some(prediction(state, fault, rewritten, (kept, is_code_named))),
        rewriting: Some(Mode::Fill),
        cause: if origin == Origin::Fault { Some(Cause::Fault(fault.clone())) } else { Cause::of_fault(fault) },
        ..state.record(origin)
    };
    if origin != Origin::Guard {
        predict_refusal(state, &mut record, fault.code());
    }
    record
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
    pub(in crate::session) fn finish(&mut self, body: ReadBytes<'_>) -> RequestRecord {
        // The request's body may have passed its limit after the head of the response.
        note_refusals(&mut self.state);
        let Self { state, status, headers, reason } = &*self;
        let decoded = state.decoded_body(headers, body);
        if let Some(reported) = state.connect_status(headers, decoded.as_deref()) {
            return state.rpc_record(&reported, *status);
        }
        let changed = ChangedBody::default();
        let reason = reason.as_deref().filter(|_| matches!(body, ReadBytes::Whole(_)));
        let rewrite = state.inner_decision(*status, headers, (decoded.as_deref(), &changed), reason);
        if rewrite.passes || state.keeps_head(*status, headers) {
            let mut record = would_keep(state, *status, &rewrite);
            if captures(state) {
                let body = CapturedBody::new(*status, headers, body_to_show(state, decoded.as_deref()));
                note_bodies(state, &mut record, body.clone(), body);
            }
            return record;
        }
        let is_filled = fill::would_rewrite(state.request.is_head(), headers, body, decoded.as_deref());
        RequestRecord {
            rewriting: Some(if is_filled { Mode::Fill } else { Mode::Enforce }),
            ..would_rewrite((state, *status, headers), rewrite, decoded.as_deref())
        }
    }

    /// Returns the record of an error that a proxy would replace, because its body breaks off (V2).
    pub(in crate::session) fn replaced_by_proxy(&mut self) -> RequestRecord {
        note_refusals(&mut self.state);
        let (fault, status) = (Fault::new(ErrorCode::OTHER), StatusCode::BAD_GATEWAY);
        would_be(&self.state, self.status, &fault, status, Origin::Inner, (false, true))
    }
}

/// Returns the record of an inner error whose body the mode does not read. `enforce` would decide in the same way if it
/// could not read the body (R4).
pub(in crate::session) fn as_unread(state: &RequestState, status: StatusCode, headers: &HeaderMap) -> RequestRecord {
    let changed = ChangedBody::default();
    let rewrite = state.inner_decision(status, headers, (None, &changed), None);
    if rewrite.passes || state.keeps_head(status, headers) {
        return would_keep(state, status, &rewrite);
    }
    RequestRecord { rewriting: Some(Mode::Enforce), ..would_rewrite((state, status, headers), rewrite, None) }
}

/// Returns the record of an error that keeps its shape in `enforce`, too. In `enforce`, the head of this error contains
/// the code (E4).
fn would_keep(state: &RequestState, status: StatusCode, rewrite: &Rewrite<'_>) -> RequestRecord {
    let would_be = state.record(Origin::Inner).preserved(status, rewrite.code().clone()).sent;
    let sent = would_be.clone().map(|sent| SentStatus { code: None, ..sent });
    let mut record = RequestRecord { would_be, sent, ..state.record(Origin::Inner) };
    predict_refusal(state, &mut record, rewrite.code());
    record
}

fn would_rewrite(
    (state, status, headers): (&RequestState, StatusCode, &HeaderMap),
    mut rewrite: Rewrite<'_>,
    read: Option<&[u8]>,
) -> RequestRecord {
    let lost = (rewrite.dropped.take(), rewrite.unknown_code.take());
    let kept = rewrite.kept.take();
    let Rewrite { shape, retained, is_code_named, by, rule, to_status, body, .. } = rewrite;
    let sent = to_status.unwrap_or(status);
    let fault = rewrite.into_fault();
    let captured = captures(state).then(|| {
        let before = CapturedBody::new(status, headers, body_to_show(state, read));
        let mut headers = headers.clone();
        let retained = retained.map(|part| RetainedBody { part, body, status });
        let writer = ErrorForm { kept: kept.as_deref(), ..ErrorForm::new(state) };
        let written = writer.rewritten(&mut headers, sent, &fault, is_code_named, retained);
        (before, CapturedBody::new(written.sent, &headers, body_to_show(state, Some(&written.body))))
    });
    let mut record = would_be(state, status, &fault, sent, Origin::Inner, (retained.is_some(), is_code_named));
    record.dialect = shape;
    record.note_lost(lost);
    record.note_decision(by, state.settings.part(), rule);
    if let Some((before, after)) = captured {
        note_bodies(state, &mut record, before, after);
    }
    record
}

/// Returns true if the observer gets the bodies of an error that passes. In `own` and `fill`, it gets none.
fn captures(state: &RequestState) -> bool {
    state.captures_bodies() && state.settings.mode == Mode::Observe
}

/// Returns the bytes of a body that was read. A response to HEAD has none.
fn body_to_show<'b>(state: &RequestState, read: Option<&'b [u8]>) -> Option<&'b [u8]> {
    if state.request.is_head() { Some(&[]) } else { read }
}

/// Stores the bodies. If a guard would have refused the request, the client would have got another body than `after`.
fn note_bodies(state: &RequestState, record: &mut RequestRecord, before: CapturedBody, after: CapturedBody) {
    record.note_bodies(Some(before), pending_refusal(state).is_none().then_some(after));
}
