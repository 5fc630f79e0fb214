//! Uses axum 0.8, with `Router::layer` as the last call.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{Json, Request};
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use futures_util::{Stream, StreamExt, stream};
use http_body_util::BodyExt;
use tower::ServiceBuilder;
use tower_error_envelope::{ErrorEnvelopeLayer, RequestId};
use tower_http::map_request_body::MapRequestBodyLayer;

use crate::kit::{Breaking, SECRET};
use crate::serve::listen;

/// Returns every route that the checks use.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/ok", get(|| async { "fine" }))
        .route("/json", post(|Json(number): Json<u32>| async move { number.to_string() }))
        .route("/panic", get(panics))
        .route("/panic-in-body", get(|| async { Body::new(Breaking::new(true)) }))
        .route("/upload", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/id", get(|Extension(id): Extension<RequestId>| async move { id.to_string() }))
        .route("/trailers", post(trailers))
        .route("/events", get(|| async { Sse::new(events()) }))
        .route("/ws", any(|upgrade: WebSocketUpgrade| async { upgrade.on_upgrade(echo) }))
}

async fn panics() {
    panic!("{SECRET}")
}

async fn trailers(request: Request) -> impl IntoResponse {
    let body = request.into_body().collect().await.unwrap();
    ([("trailer", "content-digest")], Body::new(super::summed(body.trailers())))
}

fn events() -> impl Stream<Item = Result<Event, Infallible>> {
    stream::iter([Ok(Event::default().data("one"))]).chain(stream::pending())
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let _ = socket.send(message).await;
    }
}

pub(super) async fn plain() -> SocketAddr {
    serve(routes().layer(ErrorEnvelopeLayer::new())).await
}

pub(super) async fn nested() -> SocketAddr {
    let app = around(Router::new().nest("/api", routes()));
    serve(app.layer(from_fn(|request: Request, next: Next| next.run(request)))).await
}

// A stack of layers has its own body type, and `from_fn` requires axum's. So one layer between them converts it.
fn around(routes: Router) -> Router {
    routes.layer(
        ServiceBuilder::new()
            .layer(ErrorEnvelopeLayer::new())
            .layer(MapRequestBodyLayer::new(Body::new))
            .layer(from_fn(with_a_header)),
    )
}

async fn with_a_header(request: Request, next: Next) -> Response {
    let headers: HeaderMap = request.headers().clone();
    assert!(headers.contains_key("x-request-id"), "E3: middleware inside sees the id");
    next.run(request).await
}

async fn serve(app: Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}
