//! Replies of Envoy's own, and panics (V2, V4, F2).

use envoy_types::pb::envoy::service::ext_proc::v3::HttpHeaders;
use error_envelope_core::exchange::{Exchange, PendingPeek, PendingVerification};
use error_envelope_runtime as runtime;
use error_envelope_runtime::envoy;
use http::{StatusCode, response};
use tonic::Status;

use super::state::{ProcessingStream, Reply};
use crate::message::{self, Lines, grpc_status};

/// Where the request was when its response came.
pub(super) enum ReplyOrigin {
    Exchange(Exchange),
    Peeking(PendingPeek),
    Verifying(PendingVerification),
}

impl ProcessingStream {
    /// A message panicked: 500, or, if the response's head has left, the stream ends as an error (F2, F4, V4).
    pub(super) fn panicked(&mut self, text: Box<str>) -> Reply {
        let state = self.take_state();
        let _ = runtime::catch(|| drop(state));
        let exchange = self.unread();
        if self.has_head_left {
            runtime::log_event(exchange.panicked(text).event);
            return Err(Status::internal("the processor panicked after the response's head"));
        }
        self.answer(exchange.unready_panicked(text))
    }

    /// Envoy answers by itself with this head, or the head cannot be used.
    pub(super) fn failed(&mut self, origin: ReplyOrigin, message: &HttpHeaders, details: &str) -> Reply {
        let read = envoy::response(Lines::new(message.headers.as_ref()));
        let status = read.as_ref().map_or(Some(StatusCode::BAD_GATEWAY), |head| failed_status(head, details));
        let Some(status) = status else { return self.succeeded(origin, message) };
        let mut head = read.unwrap_or_else(|| http::Response::new(()).into_parts().0);
        head.status = status;
        let cause = envoy::local_reply_cause(Some(status), details.to_owned());
        let plan = match origin {
            ReplyOrigin::Exchange(exchange) => exchange.proxy_failed(&mut head, cause),
            ReplyOrigin::Peeking(pending) => pending.proxy_failed(&mut head, cause),
            ReplyOrigin::Verifying(pending) => pending.proxy_failed(&mut head, cause),
        };
        self.carry_out(plan, head, message)
    }

    /// A redirect or another success of Envoy's own keeps its shape, and gets the request's id.
    fn succeeded(&mut self, origin: ReplyOrigin, message: &HttpHeaders) -> Reply {
        let id = match origin {
            ReplyOrigin::Exchange(exchange) => return self.service_head(exchange, message),
            ReplyOrigin::Peeking(pending) => pending.request_id(),
            ReplyOrigin::Verifying(pending) => pending.request_id(),
        };
        Ok(Some(message::passed_head(message::only_request_id(id))))
    }
}

/// The status of an error of Envoy's own; `None` for a success. A gRPC client gets 200 and a gRPC status, which Envoy
/// has made of its own HTTP status.
fn failed_status(head: &response::Parts, details: &str) -> Option<StatusCode> {
    match grpc_status(&head.headers) {
        Some(0) => None,
        Some(_) if details.contains("timeout") => Some(StatusCode::GATEWAY_TIMEOUT),
        Some(7) => Some(StatusCode::FORBIDDEN),
        Some(12) => Some(StatusCode::NOT_FOUND),
        Some(13) => Some(StatusCode::BAD_REQUEST),
        Some(14) => Some(StatusCode::SERVICE_UNAVAILABLE),
        Some(16) => Some(StatusCode::UNAUTHORIZED),
        Some(_) => Some(StatusCode::INTERNAL_SERVER_ERROR),
        None => Some(head.status).filter(|status| status.as_u16() >= 400),
    }
}
