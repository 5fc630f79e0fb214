//! Inner responses in the call's own protocol (section P): they pass unchanged, and are logged.

use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode, response};

use super::inner_error::InnerErrorReader;
use super::observe::observed_refusal;
use super::passing::{self, PassingResponse};
use super::reply::ErrorReply;
use super::rpc_response::{RpcResponse, replace_layer_id};
use super::state::RequestState;
use super::{BodyFacts, Collected, CollectedAction, Event, Origin, ResponsePlan, RewrittenBody, head};
use crate::classify;
use crate::dialect::connect;
use crate::dialect::grpc::{self, GRPC_STATUS, ReportedStatus};
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::fault::Fault;
use crate::policy::Mode;

/// The headers of a response that matter to a call: one pass over its names is cheaper than four look-ups.
#[derive(Default)]
pub(super) struct RpcHeaderFlags {
    status: bool,
    length: bool,
    /// The head has `access-control-allow-origin`, so that scripts of other origins may read it (E4).
    origin: bool,
}

impl RpcHeaderFlags {
    /// Also returns the first `content-type`.
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

/// Whether a response is in the call's own protocol. An HTTP error without a gRPC status is not.
#[inline]
pub(super) fn answered_call(state: &RequestState, head: &response::Parts) -> Option<(Rpc, RpcHeaderFlags)> {
    answered_by(state.settings.mode, state.request.rpc?, head)
}

fn answered_by(mode: Mode, rpc: Rpc, head: &response::Parts) -> Option<(Rpc, RpcHeaderFlags)> {
    let (names, content_type) = RpcHeaderFlags::scan(&head.headers);
    let rpc = rpc.answered_by(content_type)?;
    let reported = || grpc::read(&head.headers).is_some_and(|reported| reported.status != Status::OK);
    // A final status that is no error's is corrected, whatever body it has (E6).
    let keeps = |status: u16| match mode {
        Mode::Off => false,
        Mode::Own => (400..600).contains(&status),
        _ => status >= 400,
    };
    let own_error = || keeps(head.status.as_u16()) && rpc.is_grpc() && reported();
    (head.status == StatusCode::OK || own_error()).then_some((rpc, names))
}

/// Takes the head of a response to an RPC call.
pub(super) fn call_head(
    state: RequestState,
    rpc: Rpc,
    names: &RpcHeaderFlags,
    head: &mut response::Parts,
    body: BodyFacts,
) -> ResponsePlan {
    // The state is large, and nearly every call is observed: so the state is moved only once.
    let mut call = RpcResponse::boxed(state, rpc);
    let state = &mut call.state;
    if names.origin {
        state.expose(&mut head.headers);
    }
    state.identify_response(&mut head.headers);
    if let Some(event) = observed_refusal(state, head.status) {
        return passing::keep(state, event);
    }
    if names.status
        && let Some(fault) = redefined_fault(state, head)
    {
        head.status = fault.status_code();
        return ResponsePlan::Rewrite(ErrorReply { state: call.state }.rewrite(head, fault, Origin::Fault));
    }
    if names.status
        && let Some(event) = head_status(state, rpc, head)
    {
        return if head.status.is_success() {
            passing::keep(state, event)
        } else if state.rewrites() {
            under_success(head, event)
        } else {
            passing::keep(state, under_error(state, event, head.status))
        };
    }
    if body.is_empty() {
        return PassingResponse { state: call.state }.pass(head, || body);
    }
    announce_trailers(state, rpc, head);
    let has_length = names.length || body.upper == Some(body.lower);
    call.begin_body(&head.headers, !has_length);
    ResponsePlan::Watch(call)
}

/// The fault that a status in the head came from, where the policy redefines its code. The service in this process does
/// not have that definition.
fn redefined_fault(state: &RequestState, head: &response::Parts) -> Option<Fault> {
    let fault = if state.rewrites() { classify::fault_in(&head.extensions) } else { None }?;
    state.policy().codes().defined(fault.code()).map(|_| fault.clone())
}

/// A status in the head, as it is but for the id that a layer inside put there (E7).
fn head_status(state: &RequestState, rpc: Rpc, head: &mut response::Parts) -> Option<Event> {
    let reported = if rpc.is_grpc() { grpc::read(&head.headers) } else { None }?;
    let event = InnerErrorReader { state }.rpc_failure(&reported)?;
    drop(reported);
    replace_layer_id(state, &mut head.headers);
    Some(event)
}

/// Over HTTP/1 hyper sends the trailers that the head names (RFC 9110 §6.6.2) and drops all others: a call that failed
/// would end like a success. The service may name fewer trailers than its failure needs.
fn announce_trailers(state: &RequestState, rpc: Rpc, head: &mut response::Parts) {
    let (is_http1, takes_trailers) = (state.request.is_http1(), state.request.takes_trailers());
    if is_http1 && takes_trailers && matches!(rpc, Rpc::Grpc(_)) && state.settings.mode != Mode::Observe {
        head::announce(&mut head.headers, TRAILERS);
    }
}

/// An inner error in Connect's own form: it stays, except for the id of a layer inside (E7).
pub(super) fn unary_error(
    mut state: RequestState,
    head: &mut response::Parts,
    reported: &ReportedStatus<'_>,
    read: Collected<'_>,
) -> CollectedAction {
    state.mark_head(&mut head.headers);
    let event = InnerErrorReader { state: &state }.rpc_event(reported);
    if let Collected::Whole(body) = read
        && let Some((theirs, ours)) = state.ids_of_layers()
        && let Some(body) = connect::readdressed(body, theirs, ours)
    {
        return CollectedAction::Rewrite(RewrittenBody { body: body.into(), event, unenforced: None });
    }
    CollectedAction::Restore(state.body_context(), Box::new(event))
}

/// A gRPC status under an HTTP error that its route's mode lets pass (M1).
fn under_error(state: &RequestState, event: Event, status: StatusCode) -> Event {
    let would_be = event.status.filter(|_| state.settings.mode == Mode::Observe);
    Event { would_be, status: Some(status), ..event }
}

/// A gRPC status under an HTTP error: its head is the whole answer, over 200 (P1).
fn under_success(head: &mut response::Parts, event: Event) -> ResponsePlan {
    head.status = StatusCode::OK;
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(TRANSFER_ENCODING);
    ResponsePlan::Rewrite(RewrittenBody { body: Bytes::new(), event, unenforced: None })
}

/// The trailers that a call may end with.
const TRAILERS: &str = "grpc-status, grpc-message, grpc-status-details-bin, x-error-code";
