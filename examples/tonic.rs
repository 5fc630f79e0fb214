//! tonic's server: the layer is one of its own, around gRPC services and the HTTP routes beside them.
//!
//! A gRPC answer has status 200 and passes as it came; what is no gRPC comes in the envelope.
//!
//! `cargo run --example tonic` serves on a free port, `-- 3000` on that one; `-- --once` asks itself twice and exits.
#![allow(clippy::disallowed_methods, reason = "a server starts a task for each connection; the layer starts none")]

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::Ipv4Addr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use bytes::Bytes;
use clap::Parser;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use tokio::net::TcpListener;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tower::{Layer, Service, ServiceExt};
use tower_error_envelope::ErrorEnvelopeLayer;

#[derive(Parser)]
#[command(about = "A tonic server with one shape for what is not gRPC")]
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
        return ask_itself(ErrorEnvelopeLayer::new().layer(routes())).await;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}; give another port"))?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    println!("  curl -i http://{address}/missing");
    println!("  curl -i http://{address}/panic");
    serve(listener).await
}

async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    Server::builder()
        .accept_http1(true)
        .layer(ErrorEnvelopeLayer::new())
        .add_routes(routes())
        .serve_with_incoming(TcpIncoming::from(listener))
        .await?;
    Ok(())
}

fn routes() -> Routes {
    // tonic's own fallback says 200 and `unimplemented` to whatever has no route, also to a browser.
    let http = Router::new()
        .route("/", get(|| async { "hello\n" }))
        .route("/panic", get(panics))
        .fallback(|| async { StatusCode::NOT_FOUND });
    let (_, health) = tonic_health::server::health_reporter();
    Routes::from(http).add_service(health)
}

async fn panics() {
    panic!("the client will not read this")
}

async fn ask_itself<S, B>(service: S) -> Result<(), Box<dyn Error>>
where
    S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Error: Error + 'static>,
{
    for path in ["/missing", "/panic"] {
        println!("GET {path}");
        let response = service.clone().oneshot(Request::get(path).body(Empty::new())?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        println!("  {status}\n  {}", String::from_utf8_lossy(&body));
    }
    Ok(())
}
