//! Handles responses of the service in the RPC protocol of the call (section P). These responses pass unchanged, and
//! errors are logged.

use bytes::Bytes;
use error_envelope_fault::status_source;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{Extensions, HeaderMap, HeaderValue, StatusCode, response};

use super::follow::Follow;
use super::rpc_response::{RpcResponse, replace_layer_id};
use super::step::ResponseStep;
use crate::dialect::connect;
use crate::dialect::grpc::{self, GRPC_STATUS, ReportedStatus};
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::fault::Fault;
use crate::policy::Mode;
use crate::session::answer::head;
use crate::session::answer::outcome::{ReadBytes, RewrittenBody};
use crate::session::answer::refusals::note_refusals;
use crate::session::record::delivery::SentStatus;
use crate::session::record::notes::Origin;
use crate::session::record::request_record::{Cause, RequestRecord};
use crate::session::request::facts::RequestFlags;
use crate::session::request::state::RequestState;
use crate::session::request::view::BodyFacts;

/// The headers of a response that matter to a call. One pass over all names is cheaper than four look-ups.
#[derive(Default)]
pub(in crate::session) struct RpcHeaderFlags {
    status: bool,
    length: bool,
    /// True if the head has `access-control-allow-origin`, so that scripts of other origins may read the response (E4).
    origin: bool,
}

impl RpcHeaderFlags {
    /// Notes the flags of all headers, and also returns the first `content-type`.
    fn scan(headers: &HeaderMap) -> (Self, Option<&HeaderValue>) {
        let (mut names, mut content_type) = (Self::default(), None);
        for (name, value) in headers {
            if *name == CONTENT_TYPE {
                content_type = content_type.or(Some(value));
            } else if *name == GRPC_STATUS {
                names.status = true;
            } else if *name == CONTENT_LENGTH {
                names.length = true;
            } else if *name == ACCESS_CONTROL_ALLOW_ORIGIN {
                names.origin = true;
            }
        }
        (names, content_type)
    }
}

/// Returns the protocol of a response that is in the protocol of the call, or `None` for any other response, such as an
/// HTTP error without a gRPC status.
#[inline]
pub(in crate::session) fn answered_call(state: &RequestState, head: &response::Parts) -> Option<(Rpc, RpcHeaderFlags)> {
    let called = state.request.rpc?;
    let (names, content_type) = RpcHeaderFlags::scan(&head.headers);
    let rpc = called.answered_by(content_type)?;
    let reported = || grpc::read(&head.headers).is_some_and(|reported| reported.status != Status::OK);
    // Mode `own` does not keep a status above 599, because E6 corrects such a status even if the body is in the
    // protocol of the call.
    let keeps = |status: u16| match state.settings.mode {
        Mode::Own => (400..600).contains(&status),
        _ => status >= 400,
    };
    let own_error = || keeps(head.status.as_u16()) && rpc.is_grpc() && reported();
    (head.status == StatusCode::OK || own_error()).then_some((rpc, names))
}

/// Decides about a response to an RPC call by its head.
pub(in crate::session) fn call_head(
    state: RequestState,
    rpc: Rpc,
    names: &RpcHeaderFlags,
    head: &mut response::Parts,
    body: BodyFacts,
) -> ResponseStep {
    // The state is large, and nearly every call is observed, so the state is moved only once.
    let mut call = RpcResponse::boxed(state, rpc);
    let state = &mut call.state;
    if names.origin {
        state.expose(&mut head.headers);
    }
    state.identify_response(&mut head.headers);
    if names.status
        && let Some(fault) = redefined_fault(state, head)
    {
        head.status = fault.status();
        return ResponseStep::Write(call.state.replace_with_fault(head, fault, Origin::Fault, body.known_bytes()));
    }
    if names.status
        && let Some(record) = head_status(state, rpc, head)
    {
        return if head.status.is_success() && matches!(rpc, Rpc::Grpc(_)) && !body.is_empty() {
            // A call with a status in its head gets no other end from the layer.
            call.begin_body(&head.headers, false);
            ResponseStep::Pass(Follow::call(call, Some(record)))
        } else if head.status.is_success() {
            ResponseStep::Pass(Follow::decided(record))
        } else if state.rewrites() {
            send_as_whole_answer(head, record)
        } else {
            ResponseStep::Pass(Follow::decided(keep_under_http_error(record)))
        };
    }
    if body.is_empty() {
        return call.state.pass(head, || body);
    }
    announce_trailers(state, rpc, head);
    let has_length = names.length || body.upper == Some(body.lower);
    call.begin_body(&head.headers, !has_length);
    ResponseStep::Pass(Follow::call(call, None))
}

/// Returns the fault from which the service made the status in the head, if the policy redefines the fault's code. The
/// service does not know that definition.
fn redefined_fault(state: &RequestState, head: &response::Parts) -> Option<Fault> {
    let fault = if state.rewrites() { Fault::in_extensions(&head.extensions) } else { None }?;
    state.policy().codes().defined(fault.code()).map(|_| fault.clone())
}

/// Returns the record of a gRPC status in the head. The head does not change, except for the id that an inner layer put
/// there (E7).
fn head_status(state: &mut RequestState, rpc: Rpc, head: &mut response::Parts) -> Option<RequestRecord> {
    let reported = if rpc.is_grpc() { grpc::read(&head.headers) } else { None }?;
    state.note_grpc(grpc::number(&head.headers));
    note_refusals(state);
    let mut record = state.rpc_failure(&reported, head.status)?;
    drop(reported);
    replace_layer_id(state, &mut head.headers);
    if let Some(cause) = cause_in(&head.extensions) {
        (record.origin, record.cause) = (Some(Origin::Fault), Some(cause));
    }
    Some(record)
}

/// Returns the record of a `grpc-status` in the head of a 2xx or 3xx that is no response of gRPC. A gRPC client reads it.
pub(in crate::session) fn status_behind_any_head(
    state: &mut RequestState,
    head: &mut response::Parts,
) -> Option<RequestRecord> {
    let rpc = state.request.rpc.filter(|rpc| matches!(rpc, Rpc::Grpc(_)))?;
    if !matches!(head.status.as_u16(), 200..=399) || !head.headers.contains_key(GRPC_STATUS) {
        return None;
    }
    state.identify_response(&mut head.headers);
    head_status(state, rpc, head)
}

/// Returns the cause that the service left in the extensions of its response: its fault, or the error from which the
/// service made a tonic status.
fn cause_in(extensions: &Extensions) -> Option<Cause> {
    let fault = Fault::in_extensions(extensions).cloned().map(Cause::Fault);
    fault.or_else(|| status_source(extensions).map(Cause::Error))
}

/// Names in the head the trailers that may report a failure of the call. Over HTTP/1, hyper sends only trailers that
/// the head names (RFC 9110 §6.6.2), so a failed call would otherwise look like a success. The service may have named
/// fewer trailers.
fn announce_trailers(state: &RequestState, rpc: Rpc, head: &mut response::Parts) {
    let (is_http1, takes_trailers) = (state.request.is_http1(), state.request.has(RequestFlags::TRAILERS));
    if is_http1 && takes_trailers && matches!(rpc, Rpc::Grpc(_)) {
        head::announce(&mut head.headers, TRAILERS);
    }
}

/// Handles an inner error in Connect's own form, which keeps its shape. If an inner layer put its id into the body, the
/// result is the body with the id of this request (E7). Otherwise the result is `Err` with the record, and the body
/// does not change.
pub(in crate::session) fn unary_error(
    state: &mut RequestState,
    head: &mut response::Parts,
    reported: &ReportedStatus<'_>,
    read: ReadBytes<'_>,
) -> Result<RewrittenBody, Box<RequestRecord>> {
    state.mark_head(&mut head.headers);
    let record = state.rpc_record(reported, head.status);
    if let ReadBytes::Whole(body) = read
        && let Some((theirs, ours)) = state.ids_of_layers()
        && let Some(body) = connect::with_other_id(body, theirs, ours)
    {
        return Ok(RewrittenBody { body: body.into(), record });
    }
    Err(Box::new(record))
}

/// Returns the record of a gRPC status that came with an HTTP error and passes in the mode of the route (M1). Mode
/// `enforce` would send the gRPC status with HTTP status 200.
fn keep_under_http_error(mut record: RequestRecord) -> RequestRecord {
    if record.would_be.is_none() {
        record.would_be = record.sent.clone().map(|sent| SentStatus { status: StatusCode::OK, ..sent });
        record.rewriting = Some(Mode::Fill);
    }
    record
}

/// Sends a gRPC status that came with an HTTP error as a complete response with HTTP status 200. The head alone is a
/// complete response (P1).
fn send_as_whole_answer(head: &mut response::Parts, mut record: RequestRecord) -> ResponseStep {
    head.status = StatusCode::OK;
    if let Some(sent) = &mut record.sent {
        sent.status = StatusCode::OK;
    }
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(TRANSFER_ENCODING);
    ResponseStep::Write(RewrittenBody { body: Bytes::new(), record })
}

/// The trailers in which a call may report a failure.
const TRAILERS: &str = "grpc-status, grpc-message, grpc-status-details-bin, x-error-code";
