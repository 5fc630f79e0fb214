//! Server-sent events. A stream that breaks off ends with an error event, which has the request id.
//!
//! `cargo run --example sse` serves on a free port. With `-- --once` it sends itself a request and exits.

use std::error::Error;
use std::io;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Sse;
use axum::response::sse::Event;
use axum::routing::get;
use futures_util::{Stream, stream};
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_error_envelope::policy::EventStreams;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy, PolicyError};

/// Sends two events, and then loses the model that makes them. The head with 200 was sent long before.
async fn tokens() -> Sse<impl Stream<Item = io::Result<Event>>> {
    let lost = Err(io::Error::other("model-3.internal will not read"));
    Sse::new(stream::iter([Ok(Event::default().data("Hello")), Ok(Event::default().data("wor")), lost]))
}

fn app() -> Result<Router, PolicyError> {
    // Without this setting, a broken stream breaks off, as it does without the layer.
    let policy = Policy::builder().event_streams(EventStreams::AppendError).build()?;
    Ok(Router::new().route("/tokens", get(tokens)).layer(ErrorEnvelopeLayer::new().policy(policy)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_ansi(false).with_writer(io::stderr).init();
    if std::env::args().any(|arg| arg == "--once") {
        return ask_itself(app()?).await;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("  curl -i http://{address}/tokens");
    println!("  curl -i http://{address}/missing");
    axum::serve(listener, app()?).await?;
    Ok(())
}

async fn ask_itself(app: Router) -> Result<(), Box<dyn Error>> {
    for path in ["/tokens", "/missing"] {
        let response = app.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
        println!("GET {path}\n  {}", response.status());
        println!("{}", String::from_utf8_lossy(&to_bytes(response.into_body(), usize::MAX).await?));
    }
    Ok(())
}
