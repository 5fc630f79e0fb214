//! A small API on axum. Its handlers fail with a `Fault`, and every other error comes in the same envelope.
//!
//! `cargo run --example axum` serves on a free port, and `-- 3000` on port 3000. With `-- --once` it sends itself two
//! requests and exits.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Parser;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault, RequestId};
use tower_http::cors::CorsLayer;

#[derive(Parser)]
#[command(about = "A small API on axum with one shape for its errors")]
struct Args {
    /// The port on 127.0.0.1; 0 picks a free one
    #[arg(default_value_t = 0)]
    port: u16,
    /// Send two requests to itself, print the answers and exit
    #[arg(long)]
    once: bool,
    /// Let browsers of every origin call it
    #[arg(long)]
    cors: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_ansi(io::stderr().is_terminal()).with_writer(io::stderr).init();
    let Args { port, once, cors } = Args::parse();
    if once {
        return ask_itself(app()).await;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}; give another port"))?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("  curl -i http://{address}/channels/9");
    println!("  curl -i http://{address}/channels/2/messages --json '{{\"text\":\"hello\"}}'");
    // CORS goes around the layer. It adds to errors the headers that a browser requires, and answers preflights itself.
    let app = if cors { app().layer(CorsLayer::permissive()) } else { app() };
    axum::serve(listener, app).await?;
    Ok(())
}

type Channels = Arc<BTreeMap<u32, Channel>>;

#[derive(Clone, Serialize)]
struct Channel {
    name: &'static str,
    connected: bool,
}

#[derive(Deserialize)]
struct Message {
    text: String,
}

fn app() -> Router {
    // The layer is added last, so that it covers the routes, their rejections, and requests that match no route.
    routes().layer(ErrorEnvelopeLayer::new())
}

pub(crate) fn routes() -> Router {
    let channels = BTreeMap::from([
        (1, Channel { name: "lobby", connected: true }),
        (2, Channel { name: "phone", connected: false }),
    ]);
    Router::new()
        .route("/channels/{id}", get(show))
        .route("/channels/{id}/messages", post(send))
        .with_state(Arc::new(channels))
}

async fn show(State(channels): State<Channels>, Path(id): Path<u32>) -> Result<Json<Channel>, Fault> {
    Ok(Json(find(&channels, id)?.clone()))
}

/// Sends a message. The id is the one that the client gets, so that anything stored or passed on under the id can be
/// found again.
async fn send(
    State(channels): State<Channels>,
    Path(id): Path<u32>,
    request_id: RequestId,
    Json(message): Json<Message>,
) -> Result<Json<serde_json::Value>, Fault> {
    let channel = find(&channels, id)?;
    if !channel.connected {
        let fault = Fault::new(ErrorCode::CONFLICT).with_message("The channel is not connected.");
        return Err(fault.with_details(json!({ "channel": id })));
    }
    Ok(Json(json!({ "queued_as": request_id.to_string(), "length": message.text.len() })))
}

fn find(channels: &BTreeMap<u32, Channel>, id: u32) -> Result<&Channel, Fault> {
    channels.get(&id).ok_or_else(|| Fault::new(ErrorCode::NOT_FOUND).with_message(format!("There is no channel {id}.")))
}

async fn ask_itself(app: Router) -> Result<(), Box<dyn Error>> {
    let message = Request::post("/channels/2/messages").header("content-type", "application/json");
    for request in [Request::get("/channels/9").body(Body::empty())?, message.body(Body::from(r#"{"text":"hello"}"#))?]
    {
        println!("{} {}", request.method(), request.uri());
        let response = app.clone().oneshot(request).await?;
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await?;
        println!("  {status}\n  {}", String::from_utf8_lossy(&body));
    }
    Ok(())
}
