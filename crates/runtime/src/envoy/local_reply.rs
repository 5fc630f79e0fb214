//! Describes replies that Envoy itself makes (V2, V3).

use error_envelope_core::session::{BoxError, ProxyError, ProxyFailure, ResponseStep, Session};
use http::{HeaderMap, StatusCode, response};

/// What Envoy reports about a reply that it makes itself.
pub struct EnvoyReply {
    /// The status of the reply, if Envoy reports it separately from the head.
    pub status: Option<StatusCode>,
    /// Envoy's "response code details", which name the reason for the reply.
    pub details: String,
}

impl EnvoyReply {
    /// Creates the description of a reply with these details.
    pub fn new(details: impl Into<String>) -> Self {
        Self { status: None, details: details.into() }
    }

    /// Ends the session with the failure that Envoy reports. Envoy sends `status` instead of the service's response.
    pub fn fail(self, session: &mut Session, head: &mut response::Parts, status: StatusCode) -> ResponseStep {
        head.status = status;
        session.proxy_failed(head, self.cause(status))
    }

    /// Returns the HTTP status of the reply if it is an error, and otherwise `None`. A gRPC client gets 200 with a gRPC
    /// status, which Envoy has derived from an HTTP status. Then the HTTP status follows from the gRPC status.
    pub(super) fn failure(&self, head: &response::Parts) -> Option<StatusCode> {
        if self.status.is_some() {
            return self.status.filter(|status| status.as_u16() >= 400);
        }
        match grpc_status(&head.headers) {
            Some(0) => None,
            Some(_) if self.details.contains("timeout") => Some(StatusCode::GATEWAY_TIMEOUT),
            Some(7) => Some(StatusCode::FORBIDDEN),
            Some(12) => Some(StatusCode::NOT_FOUND),
            Some(13) => Some(StatusCode::BAD_REQUEST),
            Some(14) => Some(StatusCode::SERVICE_UNAVAILABLE),
            Some(16) => Some(StatusCode::UNAUTHORIZED),
            Some(_) => Some(StatusCode::INTERNAL_SERVER_ERROR),
            None => Some(head.status).filter(|status| status.as_u16() >= 400),
        }
    }

    /// Returns the details as a cause for the log. If the type of the failure is known, the cause contains it (L4).
    fn cause(self, status: StatusCode) -> BoxError {
        let details = self.details;
        let has = |part| details.contains(part);
        let kind = match status.as_u16() {
            _ if has("connection_timeout") => ProxyError::ConnectionTimeout,
            _ if has("connection_failure") => ProxyError::ConnectionRefused,
            _ if has("response_timeout") => ProxyError::HttpResponseTimeout,
            _ if has("upstream_reset") => ProxyError::ConnectionTerminated,
            _ if has("overflow") => ProxyError::ConnectionLimitReached,
            _ if has("route_not_found") || has("cluster_not_found") => ProxyError::DestinationNotFound,
            _ if has("no_healthy_upstream") => ProxyError::DestinationUnavailable,
            504 => ProxyError::HttpResponseTimeout,
            400..500 => ProxyError::HttpRequestError,
            _ => return details.into(),
        };
        ProxyFailure::new(kind, details).into()
    }
}

/// Returns the gRPC status in the head of a response without a body.
#[must_use]
pub fn grpc_status(headers: &HeaderMap) -> Option<u32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}
