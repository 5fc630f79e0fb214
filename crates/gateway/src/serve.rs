//! Serves clients until the gateway is stopped, and then waits for requests in flight.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, future, io};

use bytes::Bytes;
use error_envelope_admin::Admin;
use http::{Request, Response};
use http_body::Body;
use humantime::format_duration;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::{Semaphore, watch};
use tower::{BoxError, Layer, Service};
use tower_error_envelope::middleware::RequestBody;

use super::access::Recording;
use super::client::ClientBody;
use super::config::{ClientLimits, GatewayConfig};
use super::connection::Connections;
use super::in_flight::{RequestTracker, Stage};
use super::linger::ConnectionSlot;
use super::listening_sockets::{Acceptor, QUEUE};
use super::served::Servers;
use super::{count, tls};

const LOG: &str = "error_envelope::gateway::serve";

/// A reverse proxy that listens for clients and applies the layer to their requests.
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    config: GatewayConfig,
}

impl Gateway {
    /// Binds the address. Clients wait until the gateway [serves](Self::serve). The gateway registers its metrics with
    /// the installed recorder.
    ///
    /// # Errors
    /// Returns an error if the address cannot be used.
    pub async fn bind(address: impl ToSocketAddrs, config: GatewayConfig) -> io::Result<Self> {
        Self::listening(TcpListener::bind(address).await?, config)
    }

    /// Works like [`Gateway::bind`], but uses a socket that already listens.
    ///
    /// # Errors
    /// Returns an error if the socket does not listen.
    pub fn listening(listener: TcpListener, config: GatewayConfig) -> io::Result<Self> {
        SockRef::from(&listener).listen(QUEUE.cast_signed())?;
        let address = listener.local_addr()?;
        count::describe();
        tls::count::describe();
        Ok(Self { listener, address, config })
    }

    /// Returns the address on which the gateway listens. If port 0 was requested, the result contains the port that the
    /// system chose.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves `service` with the layer around it, until `stop` is ready and the drain delay has passed. Then the
    /// gateway accepts the clients that are already waiting, closes the listener, and lets requests in flight finish.
    pub async fn serve<S, B>(self, service: S, stop: impl Future<Output = ()>)
    where
        S: Service<Request<RequestBody<ClientBody>>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
    {
        self.serve_until(service, stop, future::pending::<&str>()).await;
    }

    /// Works like [`Gateway::serve`], but requests in flight end at once when `at_once` is ready. The output of
    /// `at_once` is logged and returned.
    pub async fn serve_until<S, B, T>(
        self,
        service: S,
        stop: impl Future<Output = ()>,
        at_once: impl Future<Output = T>,
    ) -> Option<T>
    where
        S: Service<Request<RequestBody<ClientBody>>, Response = Response<B>, Error: Into<BoxError>, Future: Send>
            + Clone
            + Send
            + 'static,
        B: Body<Data = Bytes, Error: Into<BoxError> + Send> + Send + 'static,
        T: fmt::Display,
    {
        let Self { listener, config, .. } = self;
        let GatewayConfig { layer, tls, forwarding, limits, admin, recording } = config;
        let recording = Recording { is_tls: tls.is_some(), ..recording };
        let draining = admin.as_ref().map(|(admin, _)| admin.clone());
        let stop = async {
            stop.await;
            draining.iter().for_each(Admin::drain);
        };
        let (stages, stage) = watch::channel(Stage::Serving);
        let service = layer.layer(service);
        let tracker = Arc::<RequestTracker>::default();
        let ending = Ending { stages, tracker: Arc::clone(&tracker), limits };
        let slots = Arc::new(Semaphore::new(limits.max_connections as usize));
        let retry = limits.accept_retry;
        let (servers, limits, clients) = (Arc::new(Servers::new(&limits)), Arc::new(limits), count::Clients::new());
        let connections = Connections { service, tls, forwarding, recording, tracker, stage, servers, limits, clients };
        let serve = move |stream, peer, slot| connections.serve(stream, peer, slot);
        let work = run(Acceptor { listener, slots, retry, serve }, ending, stop, at_once);
        match &admin {
            Some((admin, listener)) => admin.serve_with(listener, work).await,
            None => work.await,
        }
    }
}

/// Controls how the connections end at a stop, and how long the stop may take.
struct Ending {
    stages: watch::Sender<Stage>,
    tracker: Arc<RequestTracker>,
    limits: ClientLimits,
}

impl Ending {
    async fn drained_after(&self, stop: impl Future<Output = ()>) {
        stop.await;
        self.tracker.close();
        drain(self.limits.drain_delay).await;
    }

    async fn finish(&self) {
        let limit = self.limits.stop_timeout;
        tracing::info!(target: LOG, "stopping: waiting for requests in flight");
        self.stages.send_replace(Stage::Stopping);
        if tokio::time::timeout(limit, self.stages.closed()).await.is_err() {
            let (requests, limit) = (self.tracker.requests(), format_duration(limit));
            tracing::warn!(target: LOG, requests, %limit, "stopped with requests in flight: they took longer than --stop-timeout");
            self.tracker.end("--stop-timeout ran out");
        }
    }

    fn end_at_once(&self, signal: &impl fmt::Display) {
        let requests = self.tracker.requests();
        tracing::warn!(target: LOG, requests, %signal, "stopped at once: received a second signal");
        self.tracker.end("a second signal came");
    }
}

/// Waits until the load balancer has detected that the gateway is stopping, and sends clients elsewhere.
async fn drain(delay: Duration) {
    if !delay.is_zero() {
        tracing::info!(target: LOG, delay = %format_duration(delay), "draining: still accepting connections");
        tokio::time::sleep(delay).await;
    }
}

/// Accepts clients until `stop` is ready. Then serves until the last client has left, or until `at_once` is ready.
async fn run<T: fmt::Display>(
    acceptor: Acceptor<impl Fn(TcpStream, SocketAddr, Option<ConnectionSlot>)>,
    ending: Ending,
    stop: impl Future<Output = ()>,
    at_once: impl Future<Output = T>,
) -> Option<T> {
    let to_its_end = async {
        acceptor.run_until(ending.drained_after(stop)).await;
        ending.finish().await;
    };
    tokio::select! {
        () = to_its_end => None,
        signal = at_once => {
            ending.end_at_once(&signal);
            Some(signal)
        }
    }
}
