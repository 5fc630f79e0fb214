//! A hyper server with the layer in it, on a socket or on one end of a pipe.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tower::{Service, service_fn};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::policy::PolicyBuilder;
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy, RouteRule};
use tower_layer::Layer;

pub(super) const LIMIT: u64 = 64 * 1024;

/// What the inner service makes of a request body that fails; one that does not is answered with 200 and its length.
#[derive(Clone, Copy, Debug)]
pub(super) enum Inner {
    /// It returns the error.
    Fails,
    /// It maps the error to a status, or swallows it.
    Says(u16),
    Panics,
}

pub(super) struct Server {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start(inner: Inner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        // Whoever drains is as fast as the machine lets it be: the clock is simulated in `timing`.
        let policy = policy().drain(16 * 1024 * 1024, Duration::from_secs(60)).build().unwrap();
        let layer = ErrorEnvelopeLayer::new().policy(policy);
        let service = layer.layer(service_fn(move |request: Request<RequestBody<Incoming>>| {
            if request.uri().path() != HELLO {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            respond(inner, request)
        }));
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(socket, service.clone()));
            }
        });
        Self { address, calls }
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// How often the inner service was called, but for [`HELLO`].
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// A path that always answers 200.
pub(super) const HELLO: &str = "/hello";

/// One end of a pipe that a server reads: with it the clock can stand still.
pub(super) fn pipe(inner: Inner) -> DuplexStream {
    pipe_to(layer().layer(service_fn(move |request| respond::<Incoming>(inner, request))))
}

pub(super) fn pipe_to<S, B>(service: S) -> DuplexStream
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(serve(theirs, service));
    ours
}

/// One end of a socket, and the task that serves the other: it ends with the connection.
pub(super) async fn socket(inner: Inner) -> (TcpStream, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (theirs, _) = listener.accept().await.unwrap();
    let service = layer().layer(service_fn(move |request| respond::<Incoming>(inner, request)));
    (ours, tokio::spawn(serve(theirs, service)))
}

pub(super) fn layer() -> ErrorEnvelopeLayer {
    ErrorEnvelopeLayer::new().policy(policy().build().unwrap())
}

pub(super) fn policy() -> PolicyBuilder {
    Policy::builder().body_limit(LIMIT).route(RouteRule::new("/json").json(true))
}

async fn serve<S, B>(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let server = auto::Builder::new(TokioExecutor::new());
    // How a connection ends is the client's to judge.
    let _ = server.serve_connection(TokioIo::new(socket), TowerToHyperService::new(service)).await;
}

pub(super) async fn respond<B>(
    inner: Inner,
    request: Request<RequestBody<B>>,
) -> Result<Response<Full<Bytes>>, BoxError>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let error = match request.into_body().collect().await {
        Ok(body) => {
            let trailers = body.trailers().map_or(0, http::HeaderMap::len);
            let summary = format!("{} bytes, {trailers} trailers", body.to_bytes().len());
            return Ok(Response::new(summary.into()));
        }
        Err(error) => error,
    };
    match inner {
        Inner::Fails => Err(error),
        Inner::Says(status) => Ok(Response::builder().status(status).body("the service's own words".into()).unwrap()),
        Inner::Panics => panic!("{error}"),
    }
}
