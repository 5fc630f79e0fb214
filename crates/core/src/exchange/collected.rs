//! Decides what to do with inner errors whose bodies were collected (rules R1, R4, R10, M1).

use http::response;

use super::inner_error::InnerErrorReader;
use super::passing::PassingResponse;
use super::reply::ErrorReply;
use super::state::RequestState;
use super::{Collected, CollectedAction, Origin, calls, fill};
use crate::classify::RewriteDecision;
use crate::policy::Mode;

/// Decides by the body of an inner error, as far as it was collected.
#[inline]
pub(super) fn response_body(state: RequestState, head: &mut response::Parts, body: Collected<'_>) -> CollectedAction {
    if let Some(failure) = state.why_body_was_cut() {
        return CollectedAction::Replace(Box::new(ErrorReply { state }.answer(failure, None)));
    }
    let reader = InnerErrorReader { state: &state };
    let decoded = reader.decoded(&head.headers, body);
    if state.settings.mode == Mode::Fill && !fill::is_to_rewrite(&head.headers, body, decoded.as_deref()) {
        let (body_context, event) = PassingResponse { state }.preserve(head);
        return CollectedAction::Restore(body_context, event);
    }
    if let Some(reported) = reader.connect_status(decoded.as_deref()) {
        return calls::unary_error(state, head, &reported, body);
    }
    let reason = reader.reason(head, || matches!(body, Collected::Whole([])));
    let read = decoded.as_deref().unwrap_or_default();
    match reader.decision(head.status, &head.headers, decoded.as_deref(), reason.as_deref()) {
        RewriteDecision::Rewrite(rewrite) => {
            CollectedAction::Rewrite(ErrorReply { state }.rewrite_parsed(head, rewrite, Origin::Inner, read))
        }
        RewriteDecision::Pass(rewrite) => {
            head.status = rewrite.to_status.unwrap_or(head.status);
            let (body_context, event) = PassingResponse { state }.preserve_protocol(head, rewrite.code(), read);
            CollectedAction::Restore(body_context, event)
        }
    }
}
