//! A plain hyper-util server without a framework, with HTTP/1 and HTTP/2 on one port. It has a service, the layer
//! around it, and an accept loop.
//!
//! `cargo run --example hyper` serves on a free port, and `-- 3000` on port 3000. With `-- --once` it sends itself two
//! requests and exits.
#![allow(clippy::disallowed_methods, reason = "a server starts a task for each connection; the layer starts none")]

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::Ipv4Addr;

use bytes::Bytes;
use clap::Parser;
use http::{Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::ErrorEnvelopeLayer;

#[derive(Parser)]
#[command(about = "A plain hyper server with one shape for its errors")]
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
        return ask_itself().await;
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
    let service = ErrorEnvelopeLayer::new().layer(service_fn(respond));
    loop {
        let (socket, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let connection = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = connection.serve_connection(TokioIo::new(socket), service).await {
                tracing::debug!(error, "a connection ended badly");
            }
        });
    }
}

/// This service does not know the layer. Its bare statuses become envelopes, and its panics become responses.
async fn respond<B: Body>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    match request.uri().path() {
        "/" => Ok(Response::new("hello\n".into())),
        "/panic" => panic!("the client will not read this"),
        _ => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok(response)
        }
    }
}

async fn ask_itself() -> Result<(), Box<dyn Error>> {
    for path in ["/missing", "/panic"] {
        let service = ErrorEnvelopeLayer::new().layer(service_fn(respond));
        println!("GET {path}");
        let response = service.oneshot(Request::get(path).body(Empty::<Bytes>::new())?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        println!("  {status}\n  {}", String::from_utf8_lossy(&body));
    }
    Ok(())
}
