//! A service with its own error type. A derive defines what clients get for each variant, and handlers use `?`.
//!
//! `cargo run --example own_error` serves on a free port. With `-- --once` it sends itself a request and exits.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request};
use axum::routing::get;
use tokio::net::TcpListener;
use tower::ServiceExt;
use tower_error_envelope::{AsFault, ErrorCode, ErrorEnvelopeLayer, Policy, PolicyError};

/// A code that only this shop has, and its status.
const OUT_OF_STOCK: ErrorCode = ErrorCode::custom("out_of_stock", 409);

/// The errors of the shop. `Display` is for the log. `#[fault(…)]` defines what clients get; a variant without it is
/// `internal_error`.
#[derive(Debug, thiserror::Error, AsFault)]
enum ShopError {
    #[error("article {sku} is out of stock")]
    #[fault(crate::OUT_OF_STOCK, message = "There is none left.", details(sku))]
    OutOfStock { sku: u32 },
    #[error("the shop is closed")]
    #[fault(SERVICE_UNAVAILABLE, message = "The shop is closed.", retry_after = opens)]
    Closed { opens: Duration },
    #[error("the database failed")]
    Database(#[from] io::Error),
}

async fn buy(Path(sku): Path<u32>) -> Result<String, ShopError> {
    match sku {
        7 => Err(ShopError::OutOfStock { sku }),
        8 => Err(ShopError::Closed { opens: Duration::from_secs(3600) }),
        // The text names a host, so it goes to the log, with the request's id.
        9 => Err(io::Error::other("no such table at db-3.internal"))?,
        sku => Ok(format!("sold: {sku}\n")),
    }
}

fn app() -> Result<Router, PolicyError> {
    let policy = Policy::builder().code(OUT_OF_STOCK).build()?;
    Ok(Router::new().route("/buy/{sku}", get(buy)).layer(ErrorEnvelopeLayer::new().policy(policy)))
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
    println!("  curl -i http://{address}/buy/7");
    println!("  curl -i http://{address}/buy/9");
    axum::serve(listener, app()?).await?;
    Ok(())
}

async fn ask_itself(app: Router) -> Result<(), Box<dyn Error>> {
    for path in ["/buy/7", "/buy/8", "/buy/9"] {
        let response = app.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
        println!("GET {path}\n  {}", response.status());
        println!("  {}", String::from_utf8_lossy(&to_bytes(response.into_body(), usize::MAX).await?));
    }
    Ok(())
}
