//! Replies that Envoy makes itself, and panics (V2, V4, F2).

use error_envelope_core::session::Ending;
use error_envelope_runtime as runtime;
use http::{StatusCode, response};
use tonic::Status;

use super::state::{ProcessingStream, Reply};
use crate::message::grpc_status;

impl ProcessingStream {
    /// The handling of a message panicked: the client gets 500, or, if the response's head has been sent, the stream
    /// ends as an error (F2, F4, V4).
    pub(super) fn panicked(&mut self, text: Box<str>) -> Reply {
        let phase = self.take_phase();
        let _ = runtime::catch(|| drop(phase));
        self.unread();
        if self.is_head_sent {
            self.session.end(Ending::Panicked(text)).into_iter().for_each(|reply| runtime::log_event(reply.event));
            return Err(Status::internal("the processor panicked after the response's head"));
        }
        self.end(Ending::UnreadyPanicked(text)).unwrap_or(Ok(None))
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
