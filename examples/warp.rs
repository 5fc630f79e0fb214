//! Uses warp. Its filters become a service, with the layer around the whole service.
//!
//! `cargo run --example warp` serves on a free port, and `-- 3000` on port 3000. With `-- --once` it sends itself two
//! requests and exits.
#![allow(clippy::disallowed_methods, reason = "a server starts a task for each connection; the layer starts none")]

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::Ipv4Addr;

use bytes::Bytes;
use clap::Parser;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt};
use tower_error_envelope::ErrorEnvelopeLayer;
use warp::{Filter, Rejection, Reply};

#[derive(Parser)]
#[command(about = "A few warp filters with one shape for their errors")]
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
        return ask_itself(ErrorEnvelopeLayer::new().layer(warp::service(routes()))).await;
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
    // A layer as a filter would see no rejections, because `warp::service` turns them into responses.
    let service = ErrorEnvelopeLayer::new().layer(warp::service(routes()));
    loop {
        let (socket, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = server.serve_connection_with_upgrades(TokioIo::new(socket), service).await {
                tracing::debug!(error, "a connection ended badly");
            }
        });
    }
}

fn routes() -> impl Filter<Extract = (impl Reply,), Error = Rejection> + Clone + Send {
    let hello = warp::path::end().and(warp::get()).map(|| "hello\n");
    let panic = warp::path("panic").and(warp::get()).map(panics);
    hello.or(panic)
}

fn panics() -> &'static str {
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
