//! Accepts connections and answers on them: HTTP/1 with upgrades and HTTP/2 on one port.
//!
//! Every wait for a client has a cap here, since no layer sees it: the first byte, a request head, a pause within a body.
//! What hyper answers by itself (a malformed head 400, too large a one 431) has no envelope and no id (rule F5).

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tower::{Service, ServiceExt};

use crate::abort::Abort;
use crate::headers;
use crate::linger::Lingering;
use crate::pace::Patient;

/// A head that takes longer is no head; nginx allows as much.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Cookies and tokens together stay under half of it.
const MAX_HEAD: usize = 64 * 1024;
/// An HTTP/2 client that is gone without a word is noticed after these two.
const PING_EVERY: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(20);
/// What a stop waits for requests in flight.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Long enough for a descriptor to come free, short enough not to be noticed.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// The request that the layer wraps around: hyper's, with a client's pauses capped.
pub(crate) type Inbound = Request<Patient<Incoming>>;

/// Serves until `stop`, then stops accepting and lets what is in flight finish.
pub(crate) async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    client_timeout: Duration,
    stop: impl Future<Output = ()>,
) where
    S: Service<Inbound, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>> + Send,
{
    let (server, connections) = (server(), GracefulShutdown::new());
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let service = service.clone();
                tokio::spawn(answer(server.clone(), stream, service, client_timeout, connections.watcher()));
            }
            Err(error) => accept_failed(&error).await,
        }
    }
    drop(listener);
    tracing::info!("stopping: waiting for requests in flight");
    if tokio::time::timeout(STOP_WITHIN, connections.shutdown()).await.is_err() {
        tracing::warn!("stopped with requests in flight: they took longer than {STOP_WITHIN:?}");
    }
}

/// `half_close` stays off: a client that has closed its writing side looks like one that is gone, and the service would
/// work on for nobody (rule F2 logs such a request as abandoned).
fn server() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
        .max_concurrent_streams(200)
        .max_header_list_size(MAX_HEAD as u32);
    builder
}

async fn answer<S, B>(
    server: Builder<TokioExecutor>,
    stream: TcpStream,
    service: S,
    client_timeout: Duration,
    watcher: Watcher,
) where
    S: Service<Inbound, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>> + Send,
{
    // Without it the kernel holds a small write back until the last one is acknowledged.
    let _ = stream.set_nodelay(true);
    // hyper's own clock starts only once it knows the version.
    if !matches!(tokio::time::timeout(HEAD_TIMEOUT, stream.readable()).await, Ok(Ok(()))) {
        return;
    }
    let abort = Abort::default();
    let stream = TokioIo::new(Lingering::new(stream, abort.clone()));
    let (asked, answered) = (abort.clone(), abort);
    let service = service
        .map_request(move |request| inbound(request, &asked, client_timeout))
        .map_response(move |response: Response<B>| response.map(|body| answered.watch(body)));
    let connection = server.serve_connection_with_upgrades(stream, TowerToHyperService::new(service));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "connection ended");
    }
}

fn inbound(mut request: Request<Incoming>, abort: &Abort, client_timeout: Duration) -> Inbound {
    abort.saw_request(request.version());
    headers::drop_named(request.headers_mut());
    request.map(|body| Patient::new(body, client_timeout))
}

/// A client that left before it was accepted is no failure; no free descriptor is one that passes.
async fn accept_failed(error: &io::Error) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(%error, "cannot accept a connection; trying again");
        tokio::time::sleep(ACCEPT_AGAIN).await;
    }
}
