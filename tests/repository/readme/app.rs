use axum::{Json, Router, routing::post};
use serde::Deserialize;
use tower_error_envelope::{AsFault, ErrorCode, ErrorEnvelopeLayer, Fault, RequestId, extract as own};

/// The failures of an order. The text of an error is for the log, and its code is for the client.
#[derive(Debug, thiserror::Error)]
enum OrderError {
    #[error("only {left} left")]
    SoldOut { left: u32 },
    #[error("the database failed")]
    Database(#[from] std::io::Error),
}

impl AsFault for OrderError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::SoldOut { .. } => ErrorCode::CONFLICT,
            Self::Database(_) => ErrorCode::INTERNAL_ERROR,
        }
    }
}

#[derive(Deserialize)]
struct Order {
    sku: String,
    qty: u32,
}

fn place(order: Order, left: u32) -> Result<String, OrderError> {
    if order.qty > left { Err(OrderError::SoldOut { left }) } else { Ok(order.sku) }
}

/// Uses axum's extractor.
async fn order(id: RequestId, Json(order): Json<Order>) -> Result<String, Fault> {
    tracing::info!(%id, "ordering");
    Ok(place(order, 3)?)
}

/// Uses this crate's extractor.
async fn order_own(own::Json(order): own::Json<Order>) -> Result<String, Fault> {
    Ok(place(order, 3)?)
}

pub(crate) fn app() -> Router {
    let routes = Router::new().route("/orders", post(order)).route("/own/orders", post(order_own));
    routes.layer(ErrorEnvelopeLayer::new())
}
