//! Errors for RPC clients: the parts in the head, and the parts in the body (section P).

use bytes::Bytes;
use http::StatusCode;
use http::header::HeaderMap;

use super::body::without_noise;
use super::writer::{ErrorWriter, OutgoingReply};
use crate::classify;
use crate::dialect::rich::RpcError;
use crate::dialect::rpc::Rpc;
use crate::dialect::status::Status;
use crate::dialect::{connect, grpc};
use crate::fault::Fault;
use crate::outward;

impl ErrorWriter<'_> {
    /// An error with this HTTP status, as a call gets it. `named`: something inside named its code (R1). `headers`
    /// may have a time to try again.
    pub(super) fn in_rpc(
        &self,
        rpc: Rpc,
        fault: &Fault,
        status: StatusCode,
        named: bool,
        headers: &HeaderMap,
    ) -> OutgoingReply {
        let grpc = grpc_of(rpc, fault, status, named);
        self.with_error(fault, grpc, headers, |error| written(rpc, status, error))
    }

    /// The status of an error, where the request is a call.
    pub(super) fn grpc_of(&self, fault: &Fault, status: StatusCode, named: bool) -> Option<Status> {
        self.request.rpc.map(|rpc| grpc_of(rpc, fault, status, named))
    }

    /// The complete content of an RPC error.
    pub(super) fn with_error<T>(
        &self,
        fault: &Fault,
        status: Status,
        headers: &HeaderMap,
        write: impl FnOnce(&RpcError<'_>) -> T,
    ) -> T {
        let has_issues = !self.request.rpc.is_some_and(Rpc::is_grpc);
        let text = if has_issues { fault.text() } else { outward::stated(fault) };
        let others = fault.details_json().and_then(|details| without_noise(false, details, &text));
        write(&RpcError {
            status,
            code: fault.code().as_str(),
            message: &text,
            details: match &others {
                Some(others) => others.as_deref(),
                None => fault.details_json(),
            },
            request_id: self.id.to_str().ok(),
            domain: self.policy.rpc_domain(),
            retry_after: classify::rpc::retry_after(headers, self.clock),
        })
    }
}

fn written(rpc: Rpc, status: StatusCode, error: &RpcError<'_>) -> OutgoingReply {
    let (sent, mut head, grpc) = (StatusCode::OK, HeaderMap::new(), Some(error.status));
    match rpc {
        Rpc::Grpc(_) | Rpc::Web(_) | Rpc::WebText(_) => {
            head.reserve(3);
            grpc::write(error, &mut head);
            OutgoingReply { status, sent, head, body: Bytes::new(), grpc }
        }
        Rpc::ConnectUnary => {
            let status = error.status.connect_http();
            OutgoingReply { status, sent: status, head, body: connect::unary(error).into(), grpc }
        }
        Rpc::ConnectStream(_) => {
            OutgoingReply { status, sent, head, body: connect::end_stream(error, false).into(), grpc }
        }
    }
}

fn grpc_of(rpc: Rpc, fault: &Fault, status: StatusCode, named: bool) -> Status {
    if named || !rpc.is_grpc() { Status::leaving(fault.code(), status) } else { Status::of_http(status) }
}
