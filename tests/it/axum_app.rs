//! axum 0.8 under the layer and nothing else: what its routers, extractors and handlers say becomes the envelope, what
//! goes well is left alone.

mod overflow;
mod placement;
mod rejections;

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::routing::{get, get_service, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault, RequestId};

use crate::kit::{Answer, answer, logged, only};

/// The text of panics and causes: nowhere in an answer.
const SECRET: &str = "s3cr3t";

fn app() -> Router {
    Router::new()
        .route("/ok", get(|| async { "fine" }).post(|| async { "fine" }))
        .route("/ids", get(ids))
        .route("/fault", get(fault))
        .route("/fault-of-ones-own", get(|| async { Fault::new(const { ErrorCode::own("seat_taken", 409) }) }))
        .route("/fault-from-question-mark", get(question_mark))
        .route("/panic", get(panics_later))
        .route("/panic-at-once", get(|| async { panics() }))
        .route("/panic-in-call", get_service(service_fn(panics_in_call)))
        .route("/panic-in-body", get(|| async { Body::from_stream(breaking(true)) }))
        .route("/error-in-body", get(|| async { Body::from_stream(breaking(false)) }))
        .nest("/nested", Router::new().route("/ok", get(|| async { "fine" })))
        .nest("/own-fallback", Router::new().route("/ok", get(|| async {})).fallback(|| async { StatusCode::GONE }))
        .layer(ErrorEnvelopeLayer::new())
}

async fn ids(id: RequestId, Extension(extension): Extension<RequestId>, headers: HeaderMap) -> Json<Value> {
    let header = headers["x-request-id"].to_str().unwrap().to_owned();
    Json(json!([id.to_string(), extension.to_string(), header]))
}

async fn fault() -> Result<(), Fault> {
    let fault = Fault::new(ErrorCode::RATE_LIMITED)
        .message("Three a minute.")
        .details(json!({"per_minute": 3}))
        .header(header::RETRY_AFTER, HeaderValue::from_static("20"));
    Err(fault.source(SECRET))
}

async fn question_mark() -> Result<(), Fault> {
    let taken: Result<(), ErrorCode> = Err(ErrorCode::CHANNEL_UNAVAILABLE);
    Ok(taken?)
}

fn panics() {
    panic!("{SECRET}")
}

async fn panics_later() {
    tokio::task::yield_now().await;
    panics()
}

fn panics_in_call(_: Request) -> std::future::Ready<Result<axum::response::Response, Infallible>> {
    panic!("{SECRET}")
}

fn breaking(panic: bool) -> impl futures_core::Stream<Item = Result<Bytes, std::io::Error>> {
    let mut sent = false;
    stream(move || {
        if !std::mem::replace(&mut sent, true) {
            return Some(Ok(Bytes::from_static(b"begun")));
        }
        assert!(!panic, "{SECRET}");
        Some(Err(std::io::Error::other(SECRET)))
    })
}

fn stream<T>(next: impl FnMut() -> Option<T>) -> impl futures_core::Stream<Item = T> {
    tokio_stream::iter(std::iter::from_fn(next))
}

/// One request to an app, and its answer.
async fn send(app: Router, request: Request) -> Answer {
    answer(app.oneshot(request).await.unwrap()).await
}

fn request(method: Method, path: &str) -> Request {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}
