//! Writes errors for RPC clients, partly into the head and partly into the body (section P).

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderMap;

use super::body::{ErrorForm, OutgoingReply};
use crate::classify;
use crate::dialect::rich::RpcError;
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::dialect::{connect, grpc};
use crate::fault::Fault;
use crate::outward;

/// An error for an RPC client, with this HTTP status, and the headers that contain the whole error. If there are such
/// headers, the body is empty. `is_code_named`: the code does not only follow from the status. `headers` may have a
/// time after which to try again.
pub(super) fn write_error(
    form: &ErrorForm<'_>,
    rpc: Rpc,
    fault: &Fault,
    (status, is_code_named): (StatusCode, bool),
    headers: &HeaderMap,
) -> (OutgoingReply, HeaderMap) {
    let grpc = grpc_status(rpc, fault, status, is_code_named);
    with_error(form, fault, grpc, headers, |error| write_in_protocol(rpc, status, error))
}

/// Calls `write` with the full content of an RPC error.
pub(super) fn with_error<T>(
    form: &ErrorForm<'_>,
    fault: &Fault,
    status: Status,
    headers: &HeaderMap,
    write: impl FnOnce(&RpcError<'_>) -> T,
) -> T {
    let can_list_issues = !form.request.rpc.is_some_and(Rpc::is_grpc);
    let text = if can_list_issues { fault.text() } else { outward::message_or_first_issue(fault) };
    let details = fault.details_json().and_then(|details| outward::without_noise(false, details, &text));
    write(&RpcError {
        status,
        code: fault.code().as_str(),
        message: &text,
        details: details.as_deref(),
        request_id: form.id.to_str().ok(),
        domain: form.policy.rpc_domain(),
        retry_after: classify::rpc::retry_after(headers, form.clock),
    })
}

fn write_in_protocol(rpc: Rpc, status: StatusCode, error: &RpcError<'_>) -> (OutgoingReply, HeaderMap) {
    let (sent, mut head, grpc) = (StatusCode::OK, HeaderMap::new(), Some(error.status));
    let reply = match rpc {
        Rpc::Grpc(_) | Rpc::Web(_) | Rpc::WebText(_) => {
            head.reserve(3);
            grpc::write(error, &mut head);
            OutgoingReply { status, sent, body: Bytes::new(), grpc }
        }
        Rpc::ConnectUnary => {
            let status = error.status.connect_http();
            OutgoingReply { status, sent: status, body: connect::unary_body(error).into(), grpc }
        }
        Rpc::ConnectStream(_) => OutgoingReply { status, sent, body: connect::end_stream(error, false).into(), grpc },
    };
    (reply, head)
}

/// The status that an RPC client gets for an error.
pub(super) fn grpc_status(rpc: Rpc, fault: &Fault, status: StatusCode, is_code_named: bool) -> Status {
    if is_code_named || !rpc.is_grpc() { Status::of_error(fault.code(), status) } else { Status::of_http(status) }
}
