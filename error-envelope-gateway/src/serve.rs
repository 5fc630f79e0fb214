//! Serves clients until it is told to stop, and waits for what is in flight then.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
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

use super::accept::{Acceptors, Doors};
use super::access::{AccessLog, ClientRecords};
use super::admin::{AdminOpen, AdminServer};
use super::client::{Client, ClientService, Inbound};
use super::config::GatewayConfig;
use super::connection::{Connection, Shared};
use super::forwarded::Forwarding;
use super::handover::{Offer, Successor};
use super::in_flight::{RequestTracker, Stage, reached};
use super::limits::ClientLimits;
use super::linger::ConnectionSlot;
use super::pace::ClientBody;
use super::tls::ServerTls;
use super::workers::Workers;
use super::{count, tls};

const LOG: &str = "error_envelope::gateway::serve";

/// So many clients may wait to be accepted, where the system allows it (`net.core.somaxconn`, since Linux 5.4 as many).
///
/// The handshake of one that finds no room there is tried again a second later, then three, then seven; 128, which bound
/// listeners have, is less than what comes at once after a deployment.
const QUEUE: i32 = 4096;

/// A reverse proxy with the layer in it, which listens for clients.
pub struct Gateway {
    /// One for each worker, or for this thread.
    listeners: Vec<std::net::TcpListener>,
    workers: Workers,
    address: SocketAddr,
    config: GatewayConfig,
    offer: Option<Offer>,
}

impl Gateway {
    /// Listens; clients wait until it [serves](Self::serve). Describes its metrics to the recorder that is installed.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn bind(address: impl ToSocketAddrs, config: GatewayConfig) -> io::Result<Self> {
        Self::listening(TcpListener::bind(address).await?, config)
    }

    /// As [`Gateway::bind`], with a socket that listens already.
    ///
    /// # Errors
    /// It does not listen, there are not enough descriptors, or the system has no room for a thread.
    pub fn listening(listener: TcpListener, mut config: GatewayConfig) -> io::Result<Self> {
        SockRef::from(&listener).listen(QUEUE)?;
        let address = listener.local_addr()?;
        count::describe();
        tls::count::describe();
        let admin = config.admin.as_ref().map(|(_, listener)| listener);
        let offer = config.upgrade.take().map(|socket| Offer::new(socket, &listener, admin)).transpose()?;
        let workers = Workers::start(config.workers)?;
        // A runtime that does not accept is not woken either.
        let listener = listener.into_std()?;
        let further = (1..workers.count()).map(|_| listener.try_clone()).collect::<io::Result<Vec<_>>>()?;
        let listeners = further.into_iter().chain([listener]).collect();
        Ok(Self { listeners, workers, address, config, offer })
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
        let Self { listeners, workers, config, offer, .. } = self;
        let GatewayConfig { layer, tls, forwarding, limits, admin, access_log, .. } = config;
        let admin = AdminServer(admin);
        let stop = admin.drains_at(stop);
        let (stages, stage) = watch::channel(Stage::Serving);
        let service = layer.layer(service);
        let tracker = RequestTracker::new(layer);
        let shared = Shared::new(limits, stage);
        let entrance =
            ConnectionConfig { tls, forwarding, service, limits, shared, tracker: Arc::clone(&tracker), access_log };
        let ending = Ending { stages, tracker, limits };
        let doors = Doors { listeners, workers, room: Arc::new(Semaphore::new(limits.max_connections as usize)) };
        admin.run_with(|admin| entrance.run(doors, ending, offer, admin, stop, at_once)).await
    }
}

/// What the connections are told at the end, and how long it takes.
struct Ending {
    stages: watch::Sender<Stage>,
    tracker: Arc<RequestTracker>,
    limits: ClientLimits,
}

impl Ending {
    async fn drained_after(&self, stop: impl Future<Output = ()>) {
        stop.await;
        self.tracker.close();
        // After a hand-over nobody is sent here any more who would have to hear of it.
        let mut stage = self.stages.subscribe();
        tokio::select! {
            biased;
            () = reached(&mut stage, Stage::HandedOver) => {}
            () = drain(self.limits.drain_delay) => {}
        }
    }

    /// Serves the connections that are left after a hand-over until they end, the idle timeout has passed, or `stop`.
    async fn serve_remaining(&self, stop: impl Future<Output = ()>) {
        tracing::info!(target: LOG, "handed over: serving what is connected");
        self.tracker.close();
        self.stages.send_replace(Stage::HandedOver);
        tokio::select! {
            () = self.stages.closed() => {}
            () = tokio::time::sleep(self.limits.idle_timeout) => {}
            () = stop => {}
        }
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

    fn cut_short(&self, signal: &impl fmt::Display) {
        let requests = self.tracker.requests();
        tracing::warn!(target: LOG, requests, %signal, "stopped at once: received a second signal");
        self.tracker.end("a second signal came");
    }
}

/// Waits for a process that is ready to take over: for ever where there is no upgrade socket.
async fn successor_by(offer: Option<&Offer>) -> Successor {
    match offer {
        Some(offer) => offer.wait_for_successor().await,
        None => future::pending().await,
    }
}

/// Whoever sends clients here needs time to see that the gateway drains, and to send them elsewhere.
async fn drain(delay: Duration) {
    if !delay.is_zero() {
        tracing::info!(target: LOG, delay = %format_duration(delay), "draining: still accepting connections");
        tokio::time::sleep(delay).await;
    }
}

/// What each connection of a client is served with.
#[derive(Clone)]
struct ConnectionConfig<S> {
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
        mut doors: Doors,
        ending: Ending,
        offer: Option<Offer>,
        admin: AdminOpen,
        stop: impl Future<Output = ()>,
        at_once: impl Future<Output = T>,
    ) -> Option<T> {
        let to_its_end = async {
            let mut stop = pin!(ending.drained_after(stop));
            let handed_over = self.accept_to_the_end(&mut doors, offer, stop.as_mut()).await;
            // Nobody would know which of two gateways answers.
            let admin = Some(admin).filter(|_| !handed_over);
            if handed_over {
                ending.serve_remaining(stop).await;
            }
            ending.finish().await;
            drop(admin);
        };
        tokio::select! {
            () = to_its_end => None,
            told = at_once => {
                ending.cut_short(&told);
                Some(told)
            }
        }
    }

    /// Accepts clients until `stop`, or until another process has taken over; returns whether one has.
    async fn accept_to_the_end(
        self,
        doors: &mut Doors,
        offer: Option<Offer>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> bool {
        let again_in = self.limits.accept_retry;
        let serve = move |stream, peer, place| self.spawn_connection(stream, peer, place);
        let (mut acceptors, here) = Acceptors::start(doors, again_in, serve);
        // Each client meets one process: another one hears that it may begin, or that this one ends, once nobody accepts here.
        let steer = async move {
            loop {
                let mut successor = pin!(successor_by(offer.as_ref()));
                let ready = tokio::select! {
                    () = stop.as_mut() => None,
                    successor = successor.as_mut() => Some(successor),
                    () = acceptors.ended() => panic!("nobody accepts clients any more"),
                };
                let Some(ready) = ready else {
                    acceptors.end().await;
                    return false;
                };
                acceptors.pause().await;
                if ready.confirm().await.is_ok() {
                    acceptors.end().await;
                    return true;
                }
                acceptors.resume();
            }
        };
        tokio::select! {
            handed_over = steer => handed_over,
            never = here => match never {},
        }
    }

    /// Serves a client on a task of its own, which waits for its TLS handshake, too.
    fn spawn_connection(&self, stream: TcpStream, peer: SocketAddr, place: Option<ConnectionSlot>) {
        let client = Client::new(peer, self.forwarding, self.tls.is_some(), Arc::clone(&self.tracker));
        let span = client.span();
        let service = ClientService::new(client, self.service.clone());
        let records = ClientRecords::new(self.access_log.as_ref().map(AccessLog::entries), peer.ip().to_canonical());
        let connection = Connection::new(self.shared.clone(), service, Arc::clone(&self.tracker), records);
        connection.spawn(stream, place, self.tls.clone(), span);
    }
}
