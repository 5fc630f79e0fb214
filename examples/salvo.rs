//! Uses salvo. A small adapter turns its whole service into a Tower service, with the layer around it.
//!
//! `cargo run --example salvo` serves on a free port, and `-- 3000` on port 3000. With `-- --once` it sends itself two
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
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use salvo::conn::{ConnCtrl, SocketAddr};
use salvo::http::{ReqBody, ResBody};
use salvo::{Router, handler};
use tokio::net::TcpListener;
use tower::{Layer, Service, ServiceExt};
use tower_error_envelope::ErrorEnvelopeLayer;
use tower_error_envelope::session::BoxError;

#[derive(Parser)]
#[command(about = "A salvo router with one shape for its errors")]
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
        return ask_itself(ErrorEnvelopeLayer::new().layer(SalvoService::new(routes()))).await;
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
    // A hoop would miss 404, 405 and panics, because salvo handles them outside its hoops.
    let service = ErrorEnvelopeLayer::new().layer(SalvoService::new(routes()));
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

fn routes() -> Router {
    Router::new().get(hello).push(Router::with_path("panic").get(panics))
}

#[handler]
async fn hello() -> &'static str {
    "hello\n"
}

#[handler]
async fn panics() -> &'static str {
    panic!("the client will not read this")
}

/// A salvo service, including its catcher, as a Tower service.
#[derive(Clone)]
pub(crate) struct SalvoService(Arc<salvo::Service>);

impl SalvoService {
    pub(crate) fn new(router: Router) -> Self {
        Self(Arc::new(salvo::Service::new(router)))
    }
}

impl<B> Service<Request<B>> for SalvoService
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Sync + 'static,
{
    type Response = Response<ResBody>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, hyper::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (here, peer) = (SocketAddr::Unknown, SocketAddr::Unknown);
        let handler = self.0.hyper_handler(here, peer, Scheme::HTTP, None, ConnCtrl::new(), None);
        let request =
            request.map(|body| ReqBody::Boxed { inner: Box::pin(body.map_err(Into::into)), fuse_config: None });
        hyper::service::Service::call(&handler, request)
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
