//! Replies that Envoy makes itself, and panics (V2, V4, F2).

use error_envelope_core::exchange::{BoxError, Exchange, PendingPeek, PendingVerification, ResponsePlan};
use error_envelope_runtime as runtime;
use http::{StatusCode, response};
use tonic::Status;

use super::state::{ProcessingStream, Reply};
use crate::message::grpc_status;

/// Where the request was when its response came.
pub(super) enum ReplyOrigin {
    Exchange(Exchange),
    Peeking(PendingPeek),
    Verifying(PendingVerification),
}

impl ProcessingStream {
    /// The handling of a message panicked: the client gets 500, or, if the response's head has been sent, the stream
    /// ends as an error (F2, F4, V4).
    pub(super) fn panicked(&mut self, text: Box<str>) -> Reply {
        let state = self.take_state();
        let _ = runtime::catch(|| drop(state));
        let exchange = self.unread();
        if self.is_head_sent {
            runtime::log_event(exchange.panicked(text).event);
            return Err(Status::internal("the processor panicked after the response's head"));
        }
        self.answer(exchange.unready_panicked(text))
    }
}

impl ReplyOrigin {
    pub(super) fn proxy_failed(self, head: &mut response::Parts, cause: BoxError) -> ResponsePlan {
        match self {
            Self::Exchange(exchange) => exchange.proxy_failed(head, cause),
            Self::Peeking(pending) => pending.proxy_failed(head, cause),
            Self::Verifying(pending) => pending.proxy_failed(head, cause),
        }
    }
}

/// The status of an error that Envoy itself returned; `None` for a success. A gRPC client gets 200 with a gRPC status,
/// which Envoy has derived from its own HTTP status.
pub(super) fn failed_status(head: &response::Parts, details: &str) -> Option<StatusCode> {
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
