//! A reverse proxy with the error layer in front of it: what one copies to write one's own.
//!
//! `cargo run --example gateway -- --upstream http://127.0.0.1:3000 --policy policy.toml`. It has no TLS, no upgrades and
//! no limits on clients: what serves as it is, is `error-envelope gateway`.
#![allow(clippy::disallowed_methods, reason = "a program has an executor; the ban is for the library")]

use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use clap::Parser;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, Parts, Scheme, Uri};
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower::{ServiceBuilder, service_fn};
use tower_error_envelope::{ErrorEnvelopeLayer, middleware::RequestBody};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Body = RequestBody<Incoming>;

/// How long a client may take to a request head.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// What a stop waits for requests in flight.
const STOP_WITHIN: Duration = Duration::from_secs(10);

#[derive(Parser)]
struct Args {
    /// Where to listen; port 0 picks a free one
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// The service to forward to, such as http://127.0.0.1:3000
    #[arg(long)]
    upstream: Uri,
    /// The policy file, which is read again as it changes; without it, every default
    #[arg(long)]
    policy: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let args = Args::parse();
    tracing_subscriber::fmt().with_ansi(stderr().is_terminal()).with_writer(stderr).init();
    let layer = match &args.policy {
        Some(file) => ErrorEnvelopeLayer::new().watching(file)?,
        None => ErrorEnvelopeLayer::new(),
    };
    let upstream = args.upstream.authority().cloned().ok_or("--upstream: say http://HOST:PORT")?;
    let client = Client::builder(TokioExecutor::new()).build_http();
    let service = ServiceBuilder::new()
        // Outside all that fails, so that each failure gets an answer: a time-out becomes 504, a lost service 502.
        .layer(layer)
        .timeout(Duration::from_secs(30))
        .service(service_fn(move |request| forward(client.clone(), upstream.clone(), request)));
    let service = TowerToHyperService::new(service);

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut stop = pin!(async {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
    });
    let listener = TcpListener::bind(&args.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let (server, connections) = (server(), GracefulShutdown::new());
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // No free descriptor: one comes free.
                Err(_) => { tokio::time::sleep(Duration::from_millis(50)).await; continue }
            },
            () = &mut stop => break,
        };
        let connection = server.serve_connection(TokioIo::new(stream), service.clone()).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(STOP_WITHIN, connections.shutdown()).await.is_err() {
        tracing::warn!("stopped with requests in flight");
    }
    Ok(())
}

/// HTTP/1 and HTTP/2 on one port.
fn server() -> Builder<TokioExecutor> {
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD_WITHIN);
    server
}

/// Sends the request on. What goes wrong is returned: the layer answers.
async fn forward(
    client: Client<HttpConnector, Body>,
    upstream: Authority,
    mut request: Request<Body>,
) -> Result<Response<Incoming>, BoxError> {
    let mut target = Parts::default();
    target.scheme = Some(Scheme::HTTP);
    // The client's own word for the host is in the target over HTTP/2.
    if let Some(asked) = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str())) {
        request.headers_mut().insert(HOST, asked?);
    }
    target.authority = Some(upstream);
    target.path_and_query = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from_parts(target)?;
    *request.version_mut() = Version::HTTP_11;
    drop_hop_headers(request.headers_mut());
    let mut response = client.request(request).await?;
    drop_hop_headers(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    Ok(response)
}

/// What belongs to one hop alone (RFC 9110, section 7.6.1).
fn drop_hop_headers(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    let always = [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE, HeaderName::from_static("keep-alive")];
    for name in named.iter().chain(&always).filter(|name| **name != HOST) {
        headers.remove(name);
    }
}
