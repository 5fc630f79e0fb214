//! Services that respond with a script: a plain service, and an axum router.

use std::convert::Infallible;

use axum::Router;
use axum::routing::any;
use http::{Request, Response};
use http_body::Body;
use tower::service_fn;
use tower_service::Service;

use super::scripted::Script;

/// An extension of the service.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mark(pub(super) u8);

/// Makes a response with headers of every kind, one of them twice.
fn response<B>(status: u16, body: B) -> Response<B> {
    let response = Response::builder()
        .status(status)
        .header("content-type", "text/x-script")
        .header("x-request-id", "the service's own")
        .header("set-cookie", "a=1")
        .header("access-control-allow-origin", "*")
        .header("set-cookie", "b=2")
        .header("trailer", "content-digest")
        .header("etag", "\"1\"");
    response.extension(Mark(7)).body(body).unwrap()
}

/// Makes a plain service, which sends the body unchanged.
pub(super) fn plain<B>(
    status: u16,
    script: &Script,
) -> impl Service<Request<B>, Response = Response<Script>, Error = Infallible, Future: Send> + Clone + Send + 'static + use<B>
{
    let script = script.clone();
    service_fn(move |_: Request<B>| std::future::ready(Ok(response(status, script.clone()))))
}

/// Makes a service that returns the request's body.
pub(super) fn echo<B: Body + Send>()
-> impl Service<Request<B>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static {
    service_fn(|request: Request<B>| std::future::ready(Ok(response(200, request.into_body()))))
}

/// Makes a handler of axum, which boxes the body and may write its own length.
pub(super) fn router(status: u16, script: &Script) -> Router {
    let script = script.clone();
    Router::new().route("/", any(move || async move { response(status, axum::body::Body::new(script)) }))
}
