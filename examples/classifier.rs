//! A service with errors of its own: a classifier says which codes they are, the policy knows a code of the shop's own.
//!
//! `cargo run --example classifier` serves on a free port, `-- 3000` on that one; `-- --once` asks itself and exits.
#![allow(clippy::disallowed_methods, reason = "a server starts a task for each connection; the layer starts none")]

use std::error::Error;
use std::io::IsTerminal;
use std::net::Ipv4Addr;
use std::{fmt, io};

use bytes::Bytes;
use clap::Parser;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault, Policy, PolicyError};

/// A code that only this shop has, and the status that goes with it.
const OUT_OF_STOCK: ErrorCode = ErrorCode::custom("out_of_stock", 409);

#[derive(Debug)]
enum ShopError {
    OutOfStock { sku: u32 },
    Closed,
    Database(io::Error),
}

/// What a client may know of each error. `None` leaves it to the built-in list: that ends in `internal_error`, or knows
/// better by the error's causes.
fn classify(error: &(dyn Error + 'static)) -> Option<Fault> {
    match error.downcast_ref()? {
        ShopError::OutOfStock { sku } => {
            let fault = Fault::new(OUT_OF_STOCK).message("There is none left.");
            Some(fault.details(json!({ "sku": sku })))
        }
        ShopError::Closed => {
            let fault = Fault::new(ErrorCode::SERVICE_UNAVAILABLE).message("The shop opens in an hour.");
            Some(fault.header(RETRY_AFTER, HeaderValue::from_static("3600")))
        }
        ShopError::Database(_) => None,
    }
}

fn layer() -> Result<ErrorEnvelopeLayer, PolicyError> {
    let policy = Policy::builder().code(OUT_OF_STOCK).build()?;
    Ok(ErrorEnvelopeLayer::new().policy(policy).classify(classify))
}

async fn shop<B: Body>(request: Request<B>) -> Result<Response<Full<Bytes>>, ShopError> {
    match request.uri().path() {
        "/buy/7" => Err(ShopError::OutOfStock { sku: 7 }),
        "/closed" => Err(ShopError::Closed),
        // Its text names a host: it goes to the log, under the request's id.
        "/database" => Err(ShopError::Database(io::Error::other("no such table at db-3.internal"))),
        _ => Ok(Response::new("sold\n".into())),
    }
}

#[derive(Parser)]
#[command(about = "A server whose own errors have codes")]
struct Args {
    /// The port on 127.0.0.1; 0 picks a free one
    #[arg(default_value_t = 0)]
    port: u16,
    /// Send a request of each kind to itself, print the answers and exit
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
    println!("  curl -i http://{address}/buy/7");
    println!("  curl -i http://{address}/database");
    serve(listener).await
}

async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let service = layer()?.layer(service_fn(shop));
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

async fn ask_itself() -> Result<(), Box<dyn Error>> {
    for path in ["/buy/7", "/closed", "/database"] {
        let service = layer()?.layer(service_fn(shop));
        println!("GET {path}");
        let response = service.oneshot(Request::get(path).body(Empty::<Bytes>::new())?).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        println!("  {status}\n  {}", String::from_utf8_lossy(&body));
    }
    Ok(())
}

impl fmt::Display for ShopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfStock { sku } => write!(f, "article {sku} is out of stock"),
            Self::Closed => f.write_str("the shop is closed"),
            Self::Database(_) => f.write_str("the database failed"),
        }
    }
}

impl Error for ShopError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}
