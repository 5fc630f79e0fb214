//! The service that each stack wraps. It contains code that teams rarely write with their errors in mind. Examples are
//! a router's own replies, an extractor, a time limit, other people's code that returns a text, a rate limiter and a
//! proxy.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use tower_http::timeout::TimeoutLayer;

pub(crate) const SECRET: &str = "hunter2";
pub(crate) const FAILED: &str = "cannot connect to postgres://shop:hunter2@10.0.0.5";
pub(crate) const UPSTREAM_404: &str = "<html><body><h1>404 Not Found</h1><hr>nginx</body></html>";

#[derive(Deserialize)]
pub(crate) struct Order {
    pub(crate) quantity: u32,
}

/// Returns the time limit as in tower-http's documentation, but shorter.
pub(crate) fn time_limit() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_millis(50))
}

pub(crate) fn stock() -> anyhow::Result<&'static str> {
    Err(anyhow::anyhow!(FAILED))
}

/// The same source for two versions of axum. `$stock` returns the `anyhow` error as the stack's documentation shows.
macro_rules! service {
    ($axum:ident, $stock:expr) => {{
        use crate::service::{FAILED, Order, UPSTREAM_404, time_limit};
        use $axum::routing::{get, post};

        let failed = (http::StatusCode::INTERNAL_SERVER_ERROR, FAILED);
        let limited = (http::StatusCode::TOO_MANY_REQUESTS, [(http::header::RETRY_AFTER, "30")]);
        let proxied = (http::StatusCode::NOT_FOUND, $axum::response::Html(UPSTREAM_404));
        $axum::Router::new()
            .route("/", get(|| async { "ok" }))
            .route("/orders", post(|$axum::Json(order): $axum::Json<Order>| async move { order.quantity.to_string() }))
            .route("/panics", get(|| async { std::hint::black_box::<Option<&str>>(None).expect("an order") }))
            .route("/waits", get(std::future::pending::<()>).layer(time_limit()))
            .route("/fails", get(move || async move { failed }))
            .route("/limited", get(move || async move { limited }))
            .route("/proxied", get(move || async move { proxied }))
            .route("/stock", get($stock))
    }};
}

pub(crate) use service;
