//! A service with its own verifier. A store, such as a database, has the sessions that are accepted, and the layer
//! refuses all other requests.
//!
//! `cargo run --example verifier` serves on a free port. With `-- --once` it sends itself a request and exits.

use std::collections::HashMap;
use std::error::Error;
use std::io;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::routing::get;
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_error_envelope::auth::{AuthScheme, CredentialRequest, Identity, Verified, Verifier};
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy, PolicyError, RouteRule};

/// Stands for a database of sessions with their users.
struct Store(HashMap<&'static str, &'static str>);

impl Store {
    async fn user_of(&self, session: &str) -> io::Result<Option<&'static str>> {
        match session {
            "unlucky" => Err(io::Error::other("db-3.internal will not read")),
            session => Ok(self.0.get(session).copied()),
        }
    }
}

impl Verifier for Store {
    async fn verify(&self, request: CredentialRequest) -> Result<Verified, BoxError> {
        let Some(session) = request.headers().get("x-session") else { return Ok(Verified::Missing) };
        let Ok(session) = session.to_str() else { return Ok(Verified::Malformed) };
        // If the store fails, the client gets 503, and is never let in. The text of the error is for the log.
        Ok(self.user_of(session).await?.map_or(Verified::Invalid, Verified::granted))
    }
}

async fn me(Extension(user): Extension<Identity>) -> String {
    format!("you are {}\n", user.id().unwrap_or("nobody"))
}

fn app() -> Result<Router, PolicyError> {
    let policy = Policy::builder()
        .scheme("session", AuthScheme::custom())
        .auth(["session"])
        .route(RouteRule::new("GET /health").auth([""; 0]))
        .build()?;
    let store = Store(HashMap::from([("s3cret", "ada")]));
    let layer = ErrorEnvelopeLayer::new().verifier("session", store).policy(policy);
    Ok(Router::new().route("/me", get(me)).route("/health", get(|| async { "ok\n" })).layer(layer))
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
    println!("  curl -i http://{address}/me");
    println!("  curl -i http://{address}/me -H 'x-session: s3cret'");
    axum::serve(listener, app()?).await?;
    Ok(())
}

async fn ask_itself(app: Router) -> Result<(), Box<dyn Error>> {
    for session in [None, Some("stolen"), Some("unlucky"), Some("s3cret")] {
        let mut request = Request::get("/me");
        if let Some(session) = session {
            request = request.header("x-session", session);
        }
        let response = app.clone().oneshot(request.body(Body::empty())?).await?;
        println!("GET /me with {session:?}\n  {}", response.status());
        println!("  {}", String::from_utf8_lossy(&to_bytes(response.into_body(), usize::MAX).await?));
    }
    Ok(())
}
