//! Decides what to do with inner errors whose bodies were collected (rules R1, R4, R10, M1).

use http::response;

use super::inner_error::InnerErrorReader;
use super::passing::KeptError;
use super::passing::PassingResponse;
use super::reply::ErrorReply;
use super::state::RequestState;
use super::{Follow, Origin, Read, ReadBytes, ResponseStep, Rest, RewrittenBody, calls, fill};
use crate::classify::{ChangedBody, RewriteDecision};
use crate::policy::Mode;

/// Decides by the body of an inner error, as far as it was read.
#[inline]
pub(super) fn response_body(state: RequestState, head: &mut response::Parts, read: Read) -> ResponseStep {
    if let Some(failure) = state.why_body_was_cut() {
        let mut reply = ErrorReply { state }.answer(failure, None);
        reply.event.note_unread(read.unread);
        return ResponseStep::Send(Box::new(reply));
    }
    match decided(state, head, read.as_bytes()) {
        Ok(mut written) => {
            written.event.note_unread(read.unread);
            ResponseStep::Write(written)
        }
        Err(kept) => resume(read, kept),
    }
}

/// The body that replaces an error, or what to log for an error that keeps its shape.
#[inline(always)]
fn decided(state: RequestState, head: &mut response::Parts, body: ReadBytes<'_>) -> Result<RewrittenBody, KeptError> {
    let reader = InnerErrorReader { state: &state };
    let decoded = reader.decoded(&head.headers, body);
    if state.settings.mode == Mode::Fill && !fill::is_to_rewrite(&head.headers, body, decoded.as_deref()) {
        return Err(PassingResponse { state }.preserve(head));
    }
    if let Some(reported) = reader.connect_status(decoded.as_deref()) {
        return calls::unary_error(state, head, &reported, body);
    }
    let reason = reader.reason(head, || matches!(body, ReadBytes::Whole([])));
    let text = decoded.as_deref().unwrap_or_default();
    let changed = ChangedBody::default();
    match reader.decision(head.status, &head.headers, (decoded.as_deref(), &changed), reason.as_deref()) {
        RewriteDecision::Rewrite(rewrite) => {
            Ok(ErrorReply { state }.rewrite_parsed(head, rewrite, Origin::Inner, text))
        }
        RewriteDecision::Pass(rewrite) => {
            head.status = rewrite.to_status.unwrap_or(head.status);
            Err(PassingResponse { state }.preserve_protocol(head, rewrite.code(), text))
        }
    }
}

/// Sends what was read, and then the rest.
fn resume(read: Read, (context, mut event): KeptError) -> ResponseStep {
    let Read { bytes, trailers, unread } = read;
    event.note_unread(unread);
    // Nothing follows after trailers, however late they were.
    let rest = if unread.is_some() && trailers.is_none() {
        Rest::Body(Follow::after_error(context))
    } else {
        Rest::Trailers(trailers)
    };
    ResponseStep::Resume(bytes, rest, event)
}
