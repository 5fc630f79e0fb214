//! A messaging service with tokens and webhooks, its own errors and those of other crates, validation, a WebSocket, a
//! batch, an event stream, an OpenAPI document and metrics.
//!
//! `cargo run --example messaging` serves on a free port. With `-- --once` it sends itself some requests and exits.

mod channels;
mod errors;
mod hooks;
mod live;
mod store;

use std::error::Error;
use std::future::ready;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::routing::{delete, get, post};
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_error_envelope::auth::{AuthScheme, JwtKeys};
use tower_error_envelope::extract::Json;
use tower_error_envelope::openapi::PolicyResponses;
use tower_error_envelope::policy::EventStreams;
use tower_error_envelope::{
    ErrorCode, ErrorEnvelopeLayer, Policy, PolicyError, PrometheusHandle, RouteRule, install_metrics, middleware,
};
use utoipa::{Modify, OpenApi};

use errors::{CHANNEL_CLOSED, CHANNEL_FULL};
use store::Store;

/// The token of "ada", which is valid until 2100.
const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDAsImF1ZCI6Im1lc3NhZ2luZyJ9.Y7pEkl15lOf-rIRF3JqRKRpVciYAHJ6pR3i9MRFaUPw";

#[derive(OpenApi)]
#[openapi(paths(channels::open, channels::send, channels::list, live::batch, hooks::receive))]
struct Api;

fn policy() -> Result<Policy, PolicyError> {
    // A real service reads its secret from the environment.
    let session = AuthScheme::jwt(JwtKeys::secret([7; 32])).algorithms(["HS256"]).audience("messaging");
    Policy::builder()
        .scheme("session", session)
        .scheme("hook", AuthScheme::custom().challenge("Hook header=\"x-hook-token\""))
        .auth(["session"])
        .route(RouteRule::new("GET /health").open())
        .route(RouteRule::new("GET /openapi.json").open())
        .route(RouteRule::new("POST /hooks").auth(["hook"]))
        .route(RouteRule::new("POST /channels/{*rest}").json(true).body_limit(4096))
        .route(RouteRule::new("GET /channels/{channel}/messages").auth_optional(true))
        .route(RouteRule::new("GET /channels/{channel}/events").event_streams(EventStreams::AppendError))
        .build()
}

/// Returns the document, with each operation's own codes.
fn document(policy: Arc<Policy>) -> utoipa::openapi::OpenApi {
    let mut document = Api::openapi();
    PolicyResponses::new(policy)
        .operation("POST /channels", [ErrorCode::CONFLICT])
        .operation("GET /channels/{channel}/messages", [ErrorCode::NOT_FOUND])
        .operation("POST /channels/{channel}/messages", [ErrorCode::NOT_FOUND, CHANNEL_CLOSED, CHANNEL_FULL])
        .modify(&mut document);
    document
}

pub(crate) fn app(metrics: PrometheusHandle) -> Result<Router, PolicyError> {
    let policy = Arc::new(policy()?);
    let document = document(policy.clone());
    Ok(Router::new()
        .route("/health", get(|| ready("fine")))
        .route("/openapi.json", get(move || ready(Json(document.clone()))))
        .route("/hooks", post(hooks::receive))
        .route("/channels", post(channels::open))
        .route("/channels/{channel}", delete(channels::close))
        .route("/channels/{channel}/messages", get(channels::list).post(channels::send))
        .route("/channels/{channel}/latest", get(channels::latest))
        .route("/channels/{channel}/batch", post(live::batch))
        .route("/channels/{channel}/socket", get(live::socket))
        .route("/channels/{channel}/events", get(live::events))
        .route("/members/{name}", get(channels::member))
        .route("/notice", get(channels::notice))
        .with_state(Store::default())
        .layer(ErrorEnvelopeLayer::new().verifier("hook", hooks::verify).policy(policy))
        // This route is outside the layer, so its requests need no credentials, and are not counted.
        .route("/metrics", get(move || ready(metrics.render()))))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_ansi(false).with_writer(io::stderr).init();
    middleware::log_panic_places();
    let app = app(install_metrics()?)?;
    if std::env::args().any(|arg| arg == "--once") {
        return send_once(app).await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("  curl -i http://{address}/channels/nowhere/messages");
    println!("  curl -i http://{address}/members/bob -H 'authorization: Bearer {TOKEN}'");
    axum::serve(listener, app).await?;
    Ok(())
}

async fn send_once(app: Router) -> Result<(), Box<dyn Error>> {
    let bearer = format!("Bearer {TOKEN}");
    for (method, path, name, value, body) in [
        ("POST", "/channels", "authorization", &*bearer, r#"{"name":"general"}"#),
        ("GET", "/channels/general/latest", "authorization", &bearer, ""),
        ("GET", "/members/bob", "authorization", &bearer, ""),
        ("POST", "/hooks", "x-hook-token", "build-1", r#"{"text":"built"}"#),
    ] {
        let request = Request::builder().method(method).uri(path).header(name, value);
        let request = request.header("content-type", "application/json").body(Body::from(body))?;
        let response = app.clone().oneshot(request).await?;
        println!("{method} {path}\n  {}", response.status());
        println!("  {}", String::from_utf8_lossy(&to_bytes(response.into_body(), usize::MAX).await?));
    }
    Ok(())
}
