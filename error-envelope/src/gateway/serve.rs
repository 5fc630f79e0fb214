//! Accepts connections and answers on them: HTTP/1 with upgrades and HTTP/2 on one port.
//!
//! Every wait for a client has a cap here, since no layer sees it: the first byte, a request head, a pause within a body.
//! What hyper answers by itself (a malformed head 400, too large a one 431) has no envelope and no id (rule F5).

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::{Service, ServiceExt};

use super::abort::Abort;
use super::idle::Activity;
use super::linger::{Lingering, Rest};
use super::pace::Patient;
use super::{BoxError, headers};

/// More than a browser asks for at once.
const MAX_STREAMS: u32 = 200;
/// What a stream that nobody reads may hold each way: with all of them, 25 MiB out.
const STREAM_BUFFER: usize = 128 * 1024;
/// So many uploads may stand still before they hold up the others on their connection: sixteen.
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
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
pub(crate) type Inbound = Request<Patient<Rest>>;

/// What a client may take.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// A pause within a request body.
    pub(crate) pause: Duration,
    /// A pause between requests, and the time to a head.
    pub(crate) idle: Duration,
    pub(crate) connections: u32,
}

/// Serves until `stop`, then stops accepting and lets what is in flight finish.
pub(crate) async fn serve<S, B>(listener: TcpListener, service: S, limits: Limits, stop: impl Future<Output = ()>)
where
    S: Service<Inbound, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    let (server, room) = (server(limits.idle), Arc::new(Semaphore::new(limits.connections as usize)));
    let (stopping, stopped) = watch::channel(());
    let mut stop = pin!(stop);
    loop {
        let (accepted, place) = tokio::select! {
            accepted = accept(&listener, &room) => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let answering = answer(server.clone(), stream, service.clone(), limits, stopped.clone());
                tokio::spawn(async move {
                    answering.await;
                    drop(place);
                });
            }
            Err(error) => accept_failed(&error).await,
        }
    }
    drop((listener, stopped));
    tracing::info!("stopping: waiting for requests in flight");
    stopping.send_replace(());
    if tokio::time::timeout(STOP_WITHIN, stopping.closed()).await.is_err() {
        tracing::warn!("stopped with requests in flight: they took longer than {STOP_WITHIN:?}");
    }
}

type Accepted = (io::Result<(TcpStream, SocketAddr)>, Option<OwnedSemaphorePermit>);

/// A client that finds no room waits in the kernel's queue.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Accepted {
    let place = Arc::clone(room).acquire_owned().await.ok();
    (listener.accept().await, place)
}

/// `half_close` stays off: a client that has closed its writing side looks like one that is gone, and the service would
/// work on for nobody (rule F2 logs such a request as abandoned).
fn server(head_timeout: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_timeout).max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(STREAM_BUFFER)
        .initial_stream_window_size(STREAM_BUFFER as u32)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD as u32);
    builder
}

async fn answer<S, B>(
    server: Builder<TokioExecutor>,
    stream: TcpStream,
    service: S,
    limits: Limits,
    mut stopped: watch::Receiver<()>,
) where
    S: Service<Inbound, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    // Without it the kernel holds a small write back until the last one is acknowledged.
    let _ = stream.set_nodelay(true);
    let (abort, activity) = (Abort::default(), Activity::default());
    let stream = TokioIo::new(Lingering::new(stream, abort.clone()));
    let service = service_fn({
        let activity = activity.clone();
        move |request| {
            let (abort, busy) = (abort.clone(), activity.begin());
            let answer = service.clone().oneshot(inbound(request, &abort, limits.pause));
            async move { answer.await.map(|response| response.map(|body| abort.watch(body, busy))) }
        }
    });
    let mut connection = pin!(server.serve_connection_with_upgrades(stream, service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = async { tokio::select! {
            _ = stopped.changed() => {}
            () = activity.stops_for(limits.idle) => {}
        } } => {
            connection.as_mut().graceful_shutdown();
            // HTTP/2 says goodbye and waits for an answer, which a rude client does not give.
            tokio::select! {
                ended = connection => ended,
                () = activity.stops_for(limits.idle) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

fn inbound(mut request: Request<Incoming>, abort: &Abort, client_timeout: Duration) -> Inbound {
    let version = request.version();
    abort.saw_request(version);
    headers::drop_named(request.headers_mut());
    request.map(|body| Patient::new(Rest::new(body, version), client_timeout))
}

/// A client that left before it was accepted is no failure; no free descriptor is one that passes.
async fn accept_failed(error: &io::Error) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(%error, "cannot accept a connection; trying again");
        tokio::time::sleep(ACCEPT_AGAIN).await;
    }
}
