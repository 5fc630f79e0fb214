//! An API whose OpenAPI document lists every error of every operation, with its details. No handler lists errors: those
//! of the service come from `#[derive(AsFault)]`, and those of the layer from its policy. `clients` has programs in
//! TypeScript and Python whose types come from the document, `openapi.json`.
//!
//! `cargo run --example typed` serves on a free port, and `-- 3000` on port 3000, with the document at `/openapi.json`.
//! With `-- --once` it sends itself two requests and exits.

use std::error::Error;
use std::future;
use std::io::{self, IsTerminal};
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Parser;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tower::timeout::TimeoutLayer;
use tower::{ServiceBuilder, ServiceExt};
use tower_error_envelope::auth::{AuthScheme, Key};
use tower_error_envelope::extract as checked;
use tower_error_envelope::openapi::PolicyResponses;
use tower_error_envelope::policy::RequiredHeader;
use tower_error_envelope::{AsFault, ErrorCode, ErrorEnvelopeLayer, Policy, PolicyError, RouteRule};
use utoipa::{Modify, OpenApi, ToSchema};

#[derive(Parser)]
#[command(about = "An API whose OpenAPI document lists every error")]
struct Args {
    /// The port on 127.0.0.1; 0 picks a free one
    #[arg(default_value_t = 0)]
    port: u16,
    /// Send two requests to itself, print the answers and exit
    #[arg(long)]
    once: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).init();
    let Args { port, once } = Args::parse();
    if once {
        return ask_itself(app()?).await;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}; give another port"))?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("  curl -i http://{address}/orders/9");
    println!("  curl -i http://{address}/orders --json '{{\"sku\":\"lamp\",\"quantity\":9}}'");
    println!("  curl http://{address}/openapi.json");
    axum::serve(listener, app()?).await?;
    Ok(())
}

/// What may go wrong with an order.
#[derive(Debug, thiserror::Error, AsFault)]
enum OrderError {
    #[error("no such product")]
    #[fault(NOT_FOUND, message = "There is no such product.")]
    NoSuchProduct,
    #[error("only {left} left")]
    #[fault(custom("sold_out", 409), message = "Only {left} left.", details(left))]
    SoldOut { left: u32 },
    #[error("other prices")]
    #[fault(custom("price_changed", 409), message = "The price changed.", details(offers))]
    PriceChanged { offers: Vec<Offer> },
    #[error("the till is closed")]
    #[fault(SERVICE_UNAVAILABLE, retry_after = 30)]
    TillClosed,
    #[error(transparent)]
    #[fault(transparent)]
    Payment(#[from] PaymentError),
    #[error("the database failed")]
    Database(#[from] io::Error),
}

/// What may go wrong with a payment.
#[derive(Debug, thiserror::Error, AsFault)]
enum PaymentError {
    #[error("the bank declined")]
    #[fault(custom("card_declined", 402), message = "The card was declined.", details(reason, attempts_left))]
    Declined { reason: DeclineReason, attempts_left: Option<u32> },
    #[error("the card expired")]
    #[fault(custom("card_expired", 402), message = "The card has expired.")]
    Expired,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DeclineReason {
    Limit,
    #[allow(dead_code, reason = "no order of this example meets it")]
    Stolen,
}

#[derive(Debug, Serialize, ToSchema)]
struct Offer {
    sku: String,
    cents: u32,
}

#[derive(Deserialize, ToSchema)]
struct Order {
    sku: String,
    quantity: u32,
}

#[derive(Serialize, ToSchema)]
struct Placed {
    id: u32,
}

#[utoipa::path(post, path = "/orders", request_body = Order, responses((status = 201, description = "The order.", body = Placed), OrderError))]
async fn place(checked::Json(order): checked::Json<Order>) -> Result<(StatusCode, Json<Placed>), OrderError> {
    match (order.sku.as_str(), order.quantity) {
        ("lamp", ..=3) => Ok((StatusCode::CREATED, Json(Placed { id: 1 }))),
        ("lamp", _) => Err(OrderError::SoldOut { left: 3 }),
        ("rug", _) => Err(OrderError::PriceChanged { offers: vec![Offer { sku: order.sku, cents: 12_900 }] }),
        ("chair", _) => Err(OrderError::TillClosed),
        ("sofa", _) => Err(PaymentError::Declined { reason: DeclineReason::Limit, attempts_left: Some(2) }.into()),
        ("bed", _) => Err(PaymentError::Expired.into()),
        ("slow", _) => future::pending().await,
        ("broken", _) => Err(io::Error::other("db-3.internal: connection reset").into()),
        _ => Err(OrderError::NoSuchProduct),
    }
}

/// No error is named here: a response without a body is one all the same.
#[utoipa::path(
    get,
    path = "/orders/{id}",
    params(("id" = u32, Path, description = "The order's number.")),
    responses((status = 200, description = "The order.", body = Placed), (status = 404, description = "There is no such order."))
)]
async fn show(checked::Path(id): checked::Path<u32>) -> Result<Json<Placed>, StatusCode> {
    match id {
        1 => Ok(Json(Placed { id })),
        2 => panic!("an order that nobody thought of"),
        3 => future::pending().await,
        _ => Err(StatusCode::NOT_FOUND),
    }
}

#[derive(OpenApi)]
#[openapi(info(title = "Orders", version = "1.0.0", description = "Lamps and chairs."), paths(place, show))]
struct Api;

fn policy() -> Result<Policy, PolicyError> {
    let expired = Key::of_secret("last-year", "last-years-key").expires(SystemTime::UNIX_EPOCH);
    let keys = AuthScheme::bearer().key(Key::of_secret("shop", "shops-own-key")).key(expired);
    let tenant = RequiredHeader::new("x-tenant");
    Policy::builder()
        .scheme("key", keys)
        .header("tenant", tenant)
        .route(RouteRule::new("/orders/{id}").auth(["key"]))
        .route(RouteRule::new("POST /orders").json(true).body_limit(1024).require_headers(["tenant"]))
        .build()
}

/// Returns utoipa's document, with the additions from the policy.
pub(crate) fn document() -> Result<utoipa::openapi::OpenApi, PolicyError> {
    let mut document = Api::openapi();
    PolicyResponses::new(policy()?).also([ErrorCode::GATEWAY_TIMEOUT]).modify(&mut document);
    Ok(document)
}

pub(crate) fn app() -> Result<Router, PolicyError> {
    let document = document()?;
    let routes = Router::new()
        .route("/orders", post(place))
        .route("/orders/{id}", get(show))
        .route("/openapi.json", get(async move || Json(document)));
    let envelope = ErrorEnvelopeLayer::new().policy(policy()?);
    Ok(routes.layer(ServiceBuilder::new().layer(envelope).layer(TimeoutLayer::new(Duration::from_secs(1)))))
}

async fn ask_itself(app: Router) -> Result<(), Box<dyn Error>> {
    let json = r#"{"sku":"lamp","quantity":9}"#;
    let place = Request::post("/orders").header("content-type", "application/json").header("x-tenant", "a");
    for request in [Request::get("/orders/9").body(Body::empty())?, place.body(Body::from(json))?] {
        println!("{} {}", request.method(), request.uri());
        let response = app.clone().oneshot(request).await?;
        println!("{}", response.status());
        println!("{}", String::from_utf8_lossy(&to_bytes(response.into_body(), 64 * 1024).await?));
    }
    Ok(())
}
