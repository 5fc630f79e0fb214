//! Uses salvo 1. The layer is around its whole service, with the adapter of `examples/salvo.rs`.

use std::convert::Infallible;
use std::net::SocketAddr;

use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use salvo::http::{ParseError, ResBody, StatusError};
use salvo::sse::SseEvent;
use salvo::websocket::WebSocketUpgrade;
use salvo::{Request, Response, Router, handler, sse};
use tower::Layer;
use tower_error_envelope::{ErrorEnvelopeLayer, RequestId};

use self::example::SalvoService;
use crate::kit::{Breaking, SECRET};
use crate::serve::serve;

#[allow(dead_code, reason = "its routes and its main are the example's own")]
#[path = "../../../examples/salvo.rs"]
mod example;

pub(super) async fn start() -> SocketAddr {
    serve(ErrorEnvelopeLayer::new().layer(SalvoService::new(routes()))).await
}

fn routes() -> Router {
    Router::new()
        .push(Router::with_path("ok").get(ok))
        .push(Router::with_path("json").post(json))
        .push(Router::with_path("panic").get(panics))
        .push(Router::with_path("panic-in-body").get(breaking))
        .push(Router::with_path("upload").post(upload))
        .push(Router::with_path("id").get(id))
        .push(Router::with_path("trailers").post(trailers))
        .push(Router::with_path("events").get(events))
        .push(Router::with_path("ws").get(echo))
}

#[handler]
async fn ok() -> &'static str {
    "fine"
}

#[handler]
async fn json(request: &mut Request) -> Result<String, ParseError> {
    Ok(request.parse_json::<u32>().await?.to_string())
}

#[handler]
async fn panics() -> &'static str {
    panic!("{SECRET}")
}

#[handler]
async fn breaking(response: &mut Response) {
    response.body(ResBody::Boxed(Box::pin(Breaking::new(true).map_err(Into::into))));
}

#[handler]
async fn upload(request: &mut Request) -> Result<String, ParseError> {
    Ok(request.payload_with_max_size(usize::MAX).await?.len().to_string())
}

#[handler]
async fn id(request: &mut Request) -> String {
    request.extensions().get::<RequestId>().unwrap().to_string()
}

#[handler]
async fn trailers(request: &mut Request, response: &mut Response) {
    let body = BodyExt::collect(request.take_body()).await.unwrap();
    let summed = super::summed(body.trailers()).map_err(Into::into);
    response.headers_mut().insert("trailer", "content-digest".parse().unwrap());
    response.body(ResBody::Boxed(Box::pin(summed)));
}

#[handler]
async fn events(response: &mut Response) {
    sse::stream(
        response,
        stream::iter([Ok::<_, Infallible>(SseEvent::default().text("one"))]).chain(stream::pending()),
    );
}

#[handler]
async fn echo(request: &mut Request, response: &mut Response) -> Result<(), StatusError> {
    let upgrade = WebSocketUpgrade::new();
    let echoing = |mut socket: salvo::websocket::WebSocket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    };
    upgrade.upgrade(request, response, echoing).await
}
