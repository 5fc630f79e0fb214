//! Serves axum with its own extractors.

use axum::extract::{DefaultBodyLimit, Path, Query};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Form, Json, Router};

use crate::{LIMIT, Line, Order, Page, SECRET};

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/orders", get(list).post(create))
        .route("/orders/{id}", get(show))
        .route("/form", post(form))
        .route("/boom", get(boom))
        .layer(DefaultBodyLimit::max(LIMIT))
}

async fn create(Json(order): Json<Order>) -> String {
    order.name
}

async fn list(Query(page): Query<Page>) -> String {
    page.page.to_string()
}

async fn show(Path(id): Path<u32>) -> String {
    id.to_string()
}

async fn form(Form(line): Form<Line>) -> String {
    line.qty.to_string()
}

/// Returns an error as axum's example of an error type does.
async fn boom() -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("Something went wrong: {SECRET}"))
}
