//! Compares on the wire: a hyper server on one end of a pipe, with a clock that stands still.

mod http1;
mod http2;

use std::convert::Infallible;
use std::future::Future;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::DuplexStream;
use tower_error_envelope::session::BoxError;
use tower_service::Service;

/// Returns one end of a pipe, and serves the other end.
fn pipe<S, B>(service: S) -> DuplexStream
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let server = auto::Builder::new(TokioExecutor::new());
        // A script may state a wrong length. The other end compares how hyper treats it.
        let _ = server.serve_connection(TokioIo::new(theirs), TowerToHyperService::new(service)).await;
    });
    ours
}

fn with_time_paused<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(work)
}
