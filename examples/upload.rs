//! Uploads. One route accepts larger bodies than the others, and errors in a form also come as an envelope.
//!
//! `cargo run --example upload` serves on a free port. With `-- --once` it sends itself a request and exits.

use std::error::Error;
use std::io;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request};
use axum::routing::post;
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_error_envelope::extract::Multipart;
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault, Policy, PolicyError, RouteRule};

/// The largest body. A form's borders and headers are part of it, so a photo must be a little smaller.
const LARGEST: usize = 10 * 1024 * 1024;

/// Reads the photos of a form. `?` turns axum's `MultipartError` into a fault with axum's status.
async fn photos(mut form: Multipart) -> Result<String, Fault> {
    while let Some(field) = form.next_field().await? {
        if field.name() == Some("photo") {
            return Ok(format!("{} bytes\n", field.bytes().await?.len()));
        }
    }
    Err(Fault::new(ErrorCode::INVALID_REQUEST).with_message("The form has no photo."))
}

fn app() -> Result<Router, PolicyError> {
    // All other routes keep the layer's limit of 1 MiB. axum has its own limit inside, which is 2 MiB.
    let policy = Policy::builder().route(RouteRule::new("POST /photos").body_limit(LARGEST as u64)).build()?;
    let routes = Router::new().route("/photos", post(photos).layer(DefaultBodyLimit::max(LARGEST)));
    Ok(routes.route("/notes", post(|note: String| async move { note })).layer(ErrorEnvelopeLayer::new().policy(policy)))
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
    println!("  curl -i http://{address}/photos -F photo=@photo.jpg");
    println!("  curl -i http://{address}/photos -F text=none");
    axum::serve(listener, app()?).await?;
    Ok(())
}

async fn ask_itself(app: Router) -> Result<(), Box<dyn Error>> {
    let form = |name: &str, bytes: usize| {
        let photo = "x".repeat(bytes);
        format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{photo}\r\n--b--\r\n")
    };
    let multipart = "multipart/form-data; boundary=b";
    for (path, kind, body) in [
        ("/photos", multipart, form("photo", 3 * 1024 * 1024)),
        ("/photos", multipart, form("photo", LARGEST)),
        ("/photos", multipart, form("text", 4)),
        ("/photos", multipart, "--b\r\nno form".to_owned()),
        ("/photos", "text/plain", "no form".to_owned()),
        ("/notes", "text/plain", "x".repeat(1024 * 1024 + 1)),
    ] {
        let length = body.len();
        let request = Request::post(path).header("content-type", kind).header("content-length", length);
        let response = app.clone().oneshot(request.body(Body::from(body))?).await?;
        println!("POST {path}, {length} bytes of {kind}\n  {}", response.status());
        println!("  {}", String::from_utf8_lossy(&to_bytes(response.into_body(), usize::MAX).await?));
    }
    Ok(())
}
