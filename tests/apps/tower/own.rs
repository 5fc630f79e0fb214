//! Serves axum with the extractors of this crate, and with an error type that is `AsFault`.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tower_error_envelope::extract::{Json, Path, Query};
use tower_error_envelope::{AsFault, ErrorCode, Fault};

use crate::{LIMIT, Line, Order, Page, SECRET};

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/orders", get(list).post(create))
        .route("/orders/{id}", get(show))
        .route("/form", post(form))
        .route("/boom", get(boom))
        .layer(DefaultBodyLimit::max(LIMIT))
}

#[derive(Debug)]
struct Boom;

impl std::fmt::Display for Boom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(SECRET)
    }
}

impl std::error::Error for Boom {}

impl AsFault for Boom {
    fn code(&self) -> ErrorCode {
        ErrorCode::INTERNAL_ERROR
    }
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

/// This handler uses axum's `Form`.
async fn form(axum::Form(line): axum::Form<Line>) -> String {
    line.qty.to_string()
}

async fn boom() -> Result<String, Fault> {
    Err(Boom)?
}
