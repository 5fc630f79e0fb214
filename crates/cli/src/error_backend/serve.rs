//! Serves HTTP/1.1 to gateways, which keep connections: heads, waits and connections are capped.

use std::convert::Infallible;
use std::future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// The most open connections: each gateway keeps only a few. Further connections wait to be accepted.
const MOST_CONNECTIONS: usize = 1024;
/// The largest head of a request, in bytes: as large as gateways accept, since they hand over all of a client's
/// headers.
const MOST_HEAD: usize = 64 * 1024;
/// The time limit for a request head. It also limits how long a connection may be idle, and is longer than nginx keeps
/// an idle connection (60 s).
const HEAD_WITHIN: Duration = Duration::from_secs(75);
/// How long a stop waits for responses in flight.
const STOP_WITHIN: Duration = Duration::from_secs(5);
/// The wait after a failed accept, until a descriptor is free.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Answers a request at once.
pub(super) trait Answer: Fn(Request<Incoming>) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static {}

impl<A: Fn(Request<Incoming>) -> Response<Full<Bytes>> + Clone + Send + Sync + 'static> Answer for A {}

/// Serves until `stop` is ready, then finishes the requests in flight.
pub(super) async fn serve<A: Answer>(listener: TcpListener, answer: A, stop: impl Future<Output = ()>) {
    let (room, (stopping, stopped)) = (Arc::new(Semaphore::new(MOST_CONNECTIONS)), watch::channel(()));
    let mut stop = pin!(stop);
    loop {
        let place = tokio::select! {
            () = &mut stop => break,
            place = room.clone().acquire_owned() => place,
        };
        let stream = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match stream {
            Ok((stream, _)) => {
                let connection = connection(stream, answer.clone(), stopped.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection; retrying");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop((listener, stopped));
    stopping.send_replace(());
    let _ = tokio::time::timeout(STOP_WITHIN, stopping.closed()).await;
}

async fn connection(stream: TcpStream, answer: impl Answer, mut stopped: watch::Receiver<()>) {
    let service = service_fn(|request| future::ready(Ok::<_, Infallible>(answer(request))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended with an error");
    }
}
