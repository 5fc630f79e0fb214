//! The stack that users have today for the same purpose: tower-http's layers, and a map that rewrites bodies.
//!
//! It does less than the layer. It reads one shape of error body, keeps all old headers except two, has no time or size
//! limit on an error's body, drains nothing, and logs nothing.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Either, Full};
use serde::{Deserialize, Serialize};
use tower::ServiceBuilder;
use tower_http::body::Limited;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::{MakeRequestId, PropagateRequestIdLayer, RequestId, SetRequestIdLayer};
use tower_http::validate_request::ValidateRequestHeaderLayer;
use tower_layer::Layer;
use tower_service::Service;

use crate::answer::Answers;
use crate::cases::{BoxError, Case, Handler};

/// Returns the stack around the handler of a case. A service that requires credentials, or JSON, has a layer for that.
pub(crate) fn stack(case: Case) -> Box<dyn Answers> {
    let asking = |ask: Ask| ValidateRequestHeaderLayer::custom(ask).layer(Handler(case));
    match case {
        Case::NoCredentials => Box::new(around(asking(ask_for_credentials))),
        Case::Fifty | Case::Unsupported | Case::TooLargeJson => Box::new(around(asking(ask_for_json))),
        _ => Box::new(around(Handler(case))),
    }
}

type LimitedRequest = Limited<Full<Bytes>>;
type Ask = fn(&mut Request<LimitedRequest>) -> Result<(), Response<Full<Bytes>>>;

fn around<S>(service: S) -> impl Answers
where
    S: Service<Request<LimitedRequest>, Response = Response<Full<Bytes>>, Error = BoxError>,
{
    ServiceBuilder::new()
        .layer(SetRequestIdLayer::x_request_id(MakeUlid))
        .then(rewritten)
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(CatchPanicLayer::new())
        .then(answered)
        .layer(RequestBodyLimitLayer::new(1024 * 1024))
        .service(service)
}

#[allow(clippy::result_large_err, reason = "tower-http's own type")]
fn ask_for_credentials(request: &mut Request<LimitedRequest>) -> Result<(), Response<Full<Bytes>>> {
    let sent = request.headers().get(AUTHORIZATION).is_some_and(|it| it.as_bytes().starts_with(b"Bearer "));
    if sent { Ok(()) } else { Err(refused(StatusCode::UNAUTHORIZED, WWW_AUTHENTICATE, "Bearer")) }
}

#[allow(clippy::result_large_err, reason = "tower-http's own type")]
fn ask_for_json(request: &mut Request<LimitedRequest>) -> Result<(), Response<Full<Bytes>>> {
    let json = |it: &HeaderValue| it.as_bytes().starts_with(b"application/json");
    if request.body().is_end_stream() || request.headers().get(CONTENT_TYPE).is_some_and(json) {
        Ok(())
    } else {
        Err(refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, ACCEPT, "application/json"))
    }
}

fn refused(status: StatusCode, name: HeaderName, value: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

#[derive(Clone, Copy)]
pub(crate) struct MakeUlid;

impl MakeRequestId for MakeUlid {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        format!("req_{}", ulid::Ulid::generate()).parse().ok().map(RequestId::new)
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Error<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
}

/// Converts an error into a 500, so that the layers outside see a response.
async fn answered<B: Default>(result: Result<Response<B>, BoxError>) -> Result<Response<B>, BoxError> {
    Ok(result.unwrap_or_else(|_| {
        let mut response = Response::new(B::default());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    }))
}

async fn rewritten<B>(result: Result<Response<B>, BoxError>) -> Result<Response<Either<B, Full<Bytes>>>, BoxError>
where
    B: Body<Data = Bytes>,
{
    let response = result?;
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return Ok(response.map(Either::Left));
    }
    let (mut head, body) = response.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let id = head.headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    let parsed = serde_json::from_slice::<ErrorBody>(&body).ok().map(|parsed| parsed.error);
    let (code, catalogue) = code_of(status);
    let error = Error { code, message: parsed.as_deref().unwrap_or(catalogue) };
    let written = serde_json::to_vec(&Envelope { error, request_id: id }).unwrap_or_default();
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(written.len()));
    Ok(Response::from_parts(head, Either::Right(Full::from(written))))
}

fn code_of(status: StatusCode) -> (&'static str, &'static str) {
    match status {
        StatusCode::NOT_FOUND => ("not_found", "Not found."),
        StatusCode::UNAUTHORIZED => ("auth_missing", "No credentials were sent."),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", "The request's media type is not supported."),
        StatusCode::TOO_MANY_REQUESTS => ("rate_limited", "Too many requests."),
        StatusCode::PAYLOAD_TOO_LARGE => ("payload_too_large", "The request body is too large."),
        status if status.is_client_error() => ("bad_request", "The request is not valid."),
        _ => ("internal_error", "Something went wrong."),
    }
}
