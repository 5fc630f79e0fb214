//! A hyper server with the layer, on a socket or on one end of a pipe.

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

/// How the inner service treats a request body that fails. It responds to a complete body with 200 and the body's
/// length.
#[derive(Clone, Copy, Debug)]
pub(super) enum Inner {
    /// The service returns the error.
    Fails,
    /// The service maps the error to a status, or ignores it.
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
        // A drain here is as fast as the machine allows. `timing` has the simulated clock.
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

    /// Returns how often the inner service was called, without calls to [`HELLO`].
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// A path that always gets 200.
pub(super) const HELLO: &str = "/hello";

/// Returns one end of a pipe. A server reads the other end. With a pipe, the clock can stand still.
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

/// Returns one end of a socket, and the task that serves the other end. The task ends with the connection.
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
    // The client judges how a connection ends.
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
