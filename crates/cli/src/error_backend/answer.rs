//! The error for a request that another gateway handed over.

use std::sync::Arc;

use bytes::Bytes;
use error_envelope_core::session::{BodyFacts, ProxyError, ProxyFailure, ResponseStep, Session, SessionConfig};
use error_envelope_runtime::{log_event, new_request_id};
use http::{Request, Response, StatusCode};
use http_body_util::Full;

use super::handed_over::HandedOver;

/// Writes the error, and logs it; `ok` for a health check.
pub(super) fn answer<B>(config: Arc<SessionConfig>, request: Request<B>) -> Response<Full<Bytes>> {
    let HandedOver { head, status, source } = match HandedOver::parse(request.into_parts().0) {
        Some(handed_over) => handed_over,
        None => return Response::new(Full::from("ok\n")),
    };
    let mut session = Session::handed_over(config, &head, BodyFacts::default(), new_request_id);
    let mut reply = Response::new(()).into_parts().0;
    reply.status = status;
    // The cause is recorded only at the other gateway.
    let cause = ProxyFailure::new(kind_of(status), source);
    let body = match session.proxy_failed(&mut reply, cause.into()) {
        ResponseStep::Write(written) => {
            log_event(written.event);
            written.body
        }
        // A session always rewrites a proxy's failure, so other steps do not occur.
        _ => Bytes::new(),
    };
    Response::from_parts(reply, Full::from(body))
}

/// The error type of RFC 9209 for the status that a gateway returned instead of its service.
fn kind_of(status: StatusCode) -> ProxyError {
    match status {
        StatusCode::GATEWAY_TIMEOUT => ProxyError::HttpResponseTimeout,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY => ProxyError::DestinationUnavailable,
        _ if status.is_client_error() => ProxyError::HttpRequestError,
        _ => ProxyError::ProxyInternalError,
    }
}
