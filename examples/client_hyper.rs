//! A client with hyper-util that retries requests if the service allows it, and reads errors.
//!
//! `cargo run --example client_hyper -- http://127.0.0.1:8080/empty-404` requests that URL. With `-- --once` it
//! requests a service of its own, which fails three times. That takes about a second, because the service requests a
//! wait of one second.
#![allow(clippy::disallowed_methods, reason = "the service of its own starts a task for each connection")]

use std::error::Error;
use std::future::Future;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use clap::Parser;
use http::header::{HeaderValue, RETRY_AFTER};
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower::retry::RetryLayer;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_error_envelope::client::{ErrorReader, ReadErrorLayer, RetryPolicy};
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault};

type BoxError = Box<dyn Error + Send + Sync>;

#[derive(Parser)]
#[command(about = "A client that asks again where the service says so")]
struct Args {
    /// What to ask for
    #[arg(required_unless_present = "once")]
    url: Option<Uri>,
    /// Ask a service of its own, which is out of luck three times, and exit
    #[arg(long)]
    once: bool,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    match Args::parse().url {
        Some(url) => ask(Request::get(url)).await,
        None => ask_itself().await,
    }
}

async fn ask(request: http::request::Builder) -> Result<(), BoxError> {
    let response = client().oneshot(request.body(Full::default())?).await?;
    match ErrorReader::new().check(response).await {
        Ok(response) => {
            let status = response.status();
            let body = response.into_body().collect().await.map_err(Into::into)?.to_bytes();
            println!("  {status}: {}", String::from_utf8_lossy(&body));
        }
        Err(error) => println!("  {error}"),
    }
    Ok(())
}

/// Returns hyper-util's client, which repeats only idempotent requests.
fn client() -> impl Service<
    Request<Full<Bytes>>,
    Response = Response<impl http_body::Body<Data = Bytes, Error: Into<BoxError>>>,
    Error = hyper_util::client::legacy::Error,
    Future: Future + Send,
> {
    let http: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    ServiceBuilder::new()
        .layer(RetryLayer::new(RetryPolicy::new().total_wait(Duration::from_secs(20))))
        .layer(ReadErrorLayer::new(ErrorReader::new()))
        .service(http)
}

async fn ask_itself() -> Result<(), BoxError> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let url = format!("http://{}/seat", listener.local_addr()?);
    let service = Router::new().route("/seat", any(seat)).layer(ErrorEnvelopeLayer::new());
    tokio::spawn(async { axum::serve(listener, service).await });
    let begun = Instant::now();
    println!("POST");
    ask(Request::post(&url)).await?;
    println!("GET");
    ask(Request::get(&url)).await?;
    println!("  after {:.1} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// Returns the next response of the list each time.
async fn seat() -> Result<&'static str, Fault> {
    const SEAT_HELD: ErrorCode = ErrorCode::custom("seat_held", 409);
    static ASKED: AtomicUsize = AtomicUsize::new(0);

    let fault = match ASKED.fetch_add(1, Ordering::Relaxed) {
        0 => Fault::new(ErrorCode::SERVICE_UNAVAILABLE).with_message("The POST is not sent again."),
        1 => {
            let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1));
            Fault::new(ErrorCode::RATE_LIMITED)
                .with_header(RETRY_AFTER, HeaderValue::try_from(date).expect("a date is ASCII"))
        }
        2 => Fault::new(ErrorCode::SERVICE_UNAVAILABLE),
        // The client does not know this code, so it treats it as transient.
        3 => Fault::new(SEAT_HELD),
        _ => return Ok("yours"),
    };
    println!("  the service says {}", fault.code());
    Err(fault)
}
