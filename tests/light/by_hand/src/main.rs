//! README's service with tower-http's layers instead of this project's: what `.ci/light` compares a first build with.

use std::time::Duration;

use axum::http::StatusCode;
use axum::{Json, Router, routing::post};
use tower::ServiceBuilder;
use tower_http::ServiceBuilderExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::request_id::MakeRequestUuid;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

#[derive(serde::Deserialize)]
struct Order {
    quantity: u32,
}

async fn place(Json(order): Json<Order>) -> String {
    format!("ordered: {}\n", order.quantity)
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().init();
    let layers = ServiceBuilder::new()
        .set_x_request_id(MakeRequestUuid)
        .layer(TraceLayer::new_for_http())
        .propagate_x_request_id()
        .layer(CatchPanicLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(30)))
        .layer(RequestBodyLimitLayer::new(1 << 20));
    let app = Router::new().route("/orders", post(place)).layer(layers);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app).await
}
