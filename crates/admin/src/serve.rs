//! Serves the admin address: HTTP/1.1, one response a connection.
//!
//! It shares its process with the traffic, and must never harm it: heads, waits and connections are limited.

use std::borrow::Borrow;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tower_service::Service;

use crate::admin::Admin;
#[cfg(feature = "prometheus")]
use crate::admin::Metrics;
use crate::change::Peer;

/// The most open connections: a person's pages, a scraper and an orchestrator's probes need only a few. Further
/// connections wait to be accepted.
const MOST_CONNECTIONS: usize = 64;
/// The largest head of a request, in bytes. It need not have room for the cookies of other sites.
const MOST_HEAD: usize = 16 * 1024;
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// A client that reads nothing of its response for this long is disconnected.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long a stop waits for responses in flight.
const STOP_WITHIN: Duration = Duration::from_secs(1);
/// The wait after a failed accept: long enough for a descriptor to come free, short enough not to be noticed.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
/// How often recorded times are added to their histograms: until then each takes memory, even if nothing scrapes the
/// metrics.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

impl Admin {
    /// Serves until `stop`, at the end of the process. Call [`drain`](Self::drain) before that.
    ///
    /// It serves HTTP/1.1, with one response per connection, and at most 64 connections. If the address is not
    /// loopback, it logs a warning, and accepts no change without a [token](Self::token_file). A borrowed listener can
    /// be served again later. Until then, its clients wait.
    pub async fn serve(&self, listener: impl Borrow<TcpListener>, stop: impl Future<Output = ()>) {
        let mut served = self.clone();
        if let Ok(address) = listener.borrow().local_addr() {
            served.is_exposed = !address.ip().is_loopback();
            served.announce(address);
        }
        let (room, (stopping, stopped)) = (Arc::new(Semaphore::new(MOST_CONNECTIONS)), watch::channel(()));
        let mut stop = pin!(stop);
        let mut upkeep = tokio::time::interval(UPKEEP_EVERY);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = upkeep.tick() => self.upkeep(),
                (stream, place) = accept(listener.borrow(), &room) => spawn(served.clone().answer_on(stream, place, stopped.clone())),
            }
        }
        drop((listener, stopped));
        stopping.send_replace(());
        let _ = tokio::time::timeout(STOP_WITHIN, stopping.closed()).await;
    }

    fn upkeep(&self) {
        #[cfg(feature = "prometheus")]
        if let Metrics::Here(handle) = &self.metrics {
            handle.run_upkeep();
        }
    }

    async fn answer_on(self, stream: TcpStream, _place: Place, mut stopped: watch::Receiver<()>) {
        let peer = stream.peer_addr().map(|peer| Peer(peer.ip().to_canonical())).ok();
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(WRITE_WITHIN));
        let service = service_fn(|mut request: Request<Incoming>| {
            peer.map(|peer| request.extensions_mut().insert(peer));
            self.service().call(request)
        });
        let connection = http1::Builder::new()
            .keep_alive(false)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_buf_size(MOST_HEAD)
            .serve_connection(TokioIo::new(Box::pin(stream)), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                // A stream of events does not end by itself.
                tokio::time::timeout(STOP_WITHIN / 2, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "admin connection ended with an error");
        }
    }

    fn announce(&self, address: SocketAddr) {
        tracing::info!(%address, "serving the admin address");
        if self.is_read_only() {
            tracing::warn!(
                %address,
                "the admin address is not loopback: anyone who can reach it can read errors; changes are refused, since no \
                 token file is set"
            );
        } else if self.is_exposed {
            tracing::warn!(%address, "the admin address is not loopback: anyone who can reach it can read errors");
        }
    }
}

type Place = Option<OwnedSemaphorePermit>;

/// The next connection, and its place among the open connections.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, Place) {
    let place = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => accept_failed(&error).await,
        }
    }
}

/// Waits after some errors. If a client left before it was accepted, nothing failed; if descriptors are lacking, some
/// become free later.
async fn accept_failed(error: &io::Error) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(%error, "cannot accept a connection on the admin address; retrying");
        tokio::time::sleep(ACCEPT_AGAIN).await;
    }
}

#[allow(clippy::disallowed_methods, reason = "a server has an executor; the ban is for the library")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}
