//! The reason for which Envoy itself returned a response (V2).

use error_envelope_core::session::{BoxError, ProxyError, ProxyFailure};
use http::StatusCode;

/// Envoy's response code details as a cause for the log, with the type of the failure, if any (L4).
#[must_use]
pub fn local_reply_cause(status: Option<StatusCode>, details: String) -> BoxError {
    let has = |part| details.contains(part);
    let kind = match status.map_or(0, |status| status.as_u16()) {
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
