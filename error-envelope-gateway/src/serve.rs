//! Accepts connections until it is told to stop, and waits for what is in flight then.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, future, io};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use humantime::format_duration;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::{Semaphore, watch};
use tower::{BoxError, Layer, Service};
use tower_error_envelope::middleware::RequestBody;
use tracing::Instrument;

use super::access::{AccessLog, ClientRecords};
use super::admin::AdminServer;
use super::client::{Client, ClientService, Inbound};
use super::config::GatewayConfig;
use super::connection::{Connection, Shared};
use super::forwarded::Forwarding;
use super::in_flight::RequestTracker;
use super::limits::ClientLimits;
use super::linger::ConnectionSlot;
use super::pace::ClientBody;
use super::tls::ServerTls;
use super::{count, tls};

const LOG: &str = "error_envelope::gateway::serve";

/// So many clients may wait to be accepted, where the system allows it (`net.core.somaxconn`, since Linux 5.4 as many).
///
/// The handshake of one that finds no room there is tried again a second later, then three, then seven; 128, which bound
/// listeners have, is less than what comes at once after a deployment.
const QUEUE: i32 = 4096;

/// A reverse proxy with the layer in it, which listens for clients.
pub struct Gateway {
    listener: TcpListener,
    address: SocketAddr,
    config: GatewayConfig,
}

impl Gateway {
    /// Listens; clients wait until it [serves](Self::serve). Describes its metrics to the recorder that is installed.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn bind(address: impl ToSocketAddrs, config: GatewayConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        SockRef::from(&listener).listen(QUEUE)?;
        let address = listener.local_addr()?;
        count::describe();
        tls::count::describe();
        Ok(Self { listener, address, config })
    }

    /// Where it listens: port 0 has become a free one.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves `service`, with the layer around it, until `stop`, and on for the time to drain; then stops accepting, and lets
    /// what is in flight finish.
    pub async fn serve<S, B>(self, service: S, stop: impl Future<Output = ()>)
    where
        S: Service<Request<RequestBody<ClientBody>>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError> + Send,
    {
        self.serve_until(service, stop, future::pending::<&str>()).await;
    }

    /// As [`Gateway::serve`]. What is in flight ends at once when `at_once` is ready, whose output is logged and returned.
    pub async fn serve_until<S, B, T>(
        self,
        service: S,
        stop: impl Future<Output = ()>,
        at_once: impl Future<Output = T>,
    ) -> Option<T>
    where
        S: Service<Request<RequestBody<ClientBody>>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError> + Send,
        T: fmt::Display,
    {
        let Self { listener, config, .. } = self;
        let GatewayConfig { layer, tls, forwarding, limits, admin, access_log } = config;
        let admin = AdminServer(admin);
        let stop = admin.drains_at(stop);
        let (stopping, stopped) = watch::channel(());
        let service = layer.layer(service);
        let tracker = RequestTracker::new(layer);
        let shared = Shared::new(limits, stopped);
        let entrance = ConnectionConfig {
            listener,
            tls,
            forwarding,
            service,
            limits,
            shared,
            tracker: Arc::clone(&tracker),
            access_log,
        };
        admin.run_with(entrance.run(stopping, tracker, stop, at_once)).await
    }
}

/// Whoever sends clients here needs time to see that the gateway drains, and to send them elsewhere.
async fn drain(delay: Duration) {
    if !delay.is_zero() {
        tracing::info!(target: LOG, delay = %format_duration(delay), "draining: still accepting connections");
        tokio::time::sleep(delay).await;
    }
}

/// What each client gets.
struct ConnectionConfig<S> {
    listener: TcpListener,
    tls: Option<Arc<ServerTls>>,
    forwarding: Forwarding,
    service: S,
    limits: ClientLimits,
    shared: Shared,
    tracker: Arc<RequestTracker>,
    access_log: Option<AccessLog>,
}

impl<S, B> ConnectionConfig<S>
where
    S: Service<Inbound, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError> + Send,
{
    async fn run<T: fmt::Display>(
        self,
        stopping: watch::Sender<()>,
        tracker: Arc<RequestTracker>,
        stop: impl Future<Output = ()>,
        at_once: impl Future<Output = T>,
    ) -> Option<T> {
        let limits = self.limits;
        let to_its_end = async {
            let closed = async {
                stop.await;
                tracker.close();
                drain(limits.drain_delay).await;
            };
            self.let_in_until(closed).await;
            drop(self);
            tracing::info!(target: LOG, "stopping: waiting for requests in flight");
            stopping.send_replace(());
            if tokio::time::timeout(limits.stop_timeout, stopping.closed()).await.is_err() {
                let (requests, limit) = (tracker.requests(), format_duration(limits.stop_timeout));
                tracing::warn!(target: LOG, requests, %limit, "stopped with requests in flight: they took longer than --stop-timeout");
                tracker.end("--stop-timeout ran out");
            }
        };
        tokio::select! {
            () = to_its_end => None,
            told = at_once => {
                let requests = tracker.requests();
                tracing::warn!(target: LOG, requests, signal = %told, "stopped at once: received a second signal");
                tracker.end("a second signal came");
                Some(told)
            }
        }
    }

    async fn let_in_until(&self, closed: impl Future<Output = ()>) {
        let room = Arc::new(Semaphore::new(self.limits.max_connections as usize));
        let mut closed = pin!(closed);
        loop {
            let (accepted, place) = tokio::select! {
                accepted = accept(&self.listener, &room) => accepted,
                () = &mut closed => return,
            };
            match accepted {
                Ok((stream, peer)) => self.let_in(stream, peer, place),
                Err(error) => accept_failed(&error, self.limits.accept_retry).await,
            }
        }
    }

    /// Handshakes take their time on the task of their connection.
    fn let_in(&self, stream: TcpStream, peer: SocketAddr, place: Option<ConnectionSlot>) {
        let client = Client::new(peer, self.forwarding, self.tls.is_some(), Arc::clone(&self.tracker));
        let span = client.span();
        let service = ClientService::new(client, self.service.clone());
        let records = ClientRecords::new(self.access_log.as_ref().map(AccessLog::entries), peer.ip().to_canonical());
        let connection = Connection::new(self.shared.clone(), service, Arc::clone(&self.tracker), records);
        tokio::spawn(connection.answer(stream, place, self.tls.clone()).instrument(span));
    }
}

type Accepted = (io::Result<(TcpStream, SocketAddr)>, Option<ConnectionSlot>);

/// A client that finds no room waits in the kernel's queue.
async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> Accepted {
    let place = Arc::clone(room).acquire_owned().await.ok();
    (listener.accept().await, place)
}

/// A client that left before it was accepted is no failure; no free descriptor is one that passes.
async fn accept_failed(error: &io::Error, again_in: Duration) {
    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        tracing::warn!(target: LOG, %error, "cannot accept a connection; retrying");
        tokio::time::sleep(again_in).await;
    }
}
