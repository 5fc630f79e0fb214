//! Uses poem. A small adapter turns an endpoint, with poem's own responses, into a Tower service.
//!
//! `cargo run --example poem` serves on a free port, and `-- 3000` on port 3000. With `-- --once` it sends itself two
//! requests and exits.
#![allow(clippy::disallowed_methods, reason = "a server starts a task for each connection; the layer starts none")]

use std::convert::Infallible;
use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use clap::Parser;
use http::uri::Scheme;
use http::{Request, Response};
use http_body::Body;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Endpoint, RequestParts, Route, handler};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt};
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_error_envelope::session::BoxError;

#[derive(Parser)]
#[command(about = "A poem route with one shape for its errors")]
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
        return ask_itself(ErrorEnvelopeLayer::new().layer(EndpointService::new(routes()))).await;
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
    let service = ErrorEnvelopeLayer::new().layer(EndpointService::new(routes()));
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

fn routes() -> Route {
    Route::new().at("/", poem::get(hello)).at("/panic", poem::get(panics))
}

#[handler]
fn hello() -> &'static str {
    "hello\n"
}

#[handler]
fn panics() -> &'static str {
    panic!("the client will not read this")
}

/// An endpoint as a Tower service. poem's `compat` converts in the other direction.
pub(crate) struct EndpointService<E>(Arc<E>);

impl<E> EndpointService<E> {
    pub(crate) fn new(endpoint: E) -> Self {
        Self(Arc::new(endpoint))
    }
}

impl<E> Clone for EndpointService<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E, B> Service<Request<B>> for EndpointService<E>
where
    E: Endpoint + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static,
{
    type Response = Response<BoxBody<Bytes, io::Error>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let endpoint = self.0.clone();
        let (head, body) = request.into_parts();
        let head = RequestParts::from((head, LocalAddr::default(), RemoteAddr::default(), Scheme::HTTP));
        let body = BoxBody::new(body.map_err(io::Error::other)).into();
        // `get_response` also turns errors into responses. A 404 of poem is such an error.
        Box::pin(async move { Ok(endpoint.get_response(poem::Request::from_parts(head, body)).await.into()) })
    }
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
