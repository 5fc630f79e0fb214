//! Serves clients until the stop, then waits for requests in flight.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use std::{fmt, future, io, iter};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use humantime::format_duration;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::{Semaphore, watch};
use tower::{BoxError, Layer, Service};
use tower_error_envelope::middleware::RequestBody;

use super::accept::{Acceptors, Listeners};
use super::admin::{AdminOpen, AdminServer};
use super::client_body::ClientBody;
use super::config::GatewayConfig;
use super::connection::Connections;
use super::handover::Handover;
use super::in_flight::{RequestTracker, Stage, reached};
use super::limits::ClientLimits;
use super::linger::ConnectionSlot;
use super::served::Servers;
use super::workers::Workers;
use super::{count, date, tls};

const LOG: &str = "error_envelope::gateway::serve";

/// How many clients may wait to be accepted, if the system allows it (`net.core.somaxconn`, which is as large since
/// Linux 5.4).
///
/// If there is no room, a client's system repeats the handshake after one second, then after three, then after seven.
/// 128, the usual length, is less than the number of clients that connect at once after a deployment.
const QUEUE: i32 = 4096;

/// A reverse proxy with the layer, which listens for clients.
pub struct Gateway {
    /// The listening sockets: one for each worker, or one for this thread.
    listeners: Vec<std::net::TcpListener>,
    workers: Workers,
    address: SocketAddr,
    config: GatewayConfig,
    handover: Handover,
}

impl Gateway {
    /// Binds the address; clients wait until the gateway [serves](Self::serve). It registers its metrics with the
    /// installed recorder.
    ///
    /// # Errors
    /// If the address cannot be used.
    pub async fn bind(address: impl ToSocketAddrs, config: GatewayConfig) -> io::Result<Self> {
        Self::listening(TcpListener::bind(address).await?, config)
    }

    /// Like [`Gateway::bind`], with a socket that already listens.
    ///
    /// # Errors
    /// If the socket does not listen, if there are not enough descriptors, if a thread cannot be started, or if the
    /// system's clock is before 1970 or after 9999.
    pub fn listening(listener: TcpListener, mut config: GatewayConfig) -> io::Result<Self> {
        date::check_clock()?;
        SockRef::from(&listener).listen(QUEUE)?;
        let address = listener.local_addr()?;
        count::describe();
        tls::count::describe();
        let admin = config.admin.as_ref().map(|(_, listener)| listener);
        let handover = Handover::new(config.upgrade.take(), &listener, admin)?;
        let mut workers = Workers::start(config.workers)?;
        take_first_times(&mut workers);
        // The listener is unregistered from this runtime, so that new clients do not wake a runtime that does not
        // accept.
        let listener = listener.into_std()?;
        let further = (1..workers.count()).map(|_| listener.try_clone()).collect::<io::Result<Vec<_>>>()?;
        let listeners = further.into_iter().chain([listener]).collect();
        Ok(Self { listeners, workers, address, config, handover })
    }

    /// The address that it listens on. If the port was 0, this has the chosen one.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Replaces the gateway at the same [upgrade socket](GatewayConfig::upgrade_socket). When this returns, the other
    /// gateway no longer accepts clients. Call it after all other steps that can fail, then [serve](Self::serve). If
    /// this gateway does not report within five seconds, the other one accepts again.
    ///
    /// Without such a gateway, and on a second call, it has no effect. [`Gateway::serve`] calls it if you did not.
    ///
    /// # Errors
    /// If this process has too few descriptors left for clients, or took too long. The other gateway then keeps
    /// serving.
    pub async fn take_over(&mut self) -> Result<(), crate::Error> {
        self.handover.take_over().await
    }

    /// Serves `service`, with the layer around it, until `stop` and for the drain delay after it. Then it stops
    /// accepting clients, and lets requests in flight finish.
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

    /// Like [`Gateway::serve`], but requests in flight end at once when `at_once` is ready. The output of `at_once` is
    /// logged and returned.
    pub async fn serve_until<S, B, T>(
        mut self,
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
        if !self.handover.take_over_or_log().await {
            return None;
        }
        let Self { listeners: sockets, workers, config, handover, .. } = self;
        let GatewayConfig { layer, tls, forwarding, limits, admin, access_log, .. } = config;
        let admin = AdminServer(admin);
        let stop = admin.drains_at(stop);
        let (stages, stage) = watch::channel(Stage::Serving);
        let service = layer.layer(service);
        let tracker = RequestTracker::new(layer);
        let ending = Ending { stages, tracker: Arc::clone(&tracker), limits };
        let slots = Arc::new(Semaphore::new(limits.max_connections as usize));
        let listeners = Listeners { sockets, workers, slots, retry: limits.accept_retry };
        let (server, limits, clients) = (Arc::new(Servers::new(&limits)), Arc::new(limits), count::Clients::new());
        let connections = Connections { service, tls, forwarding, access_log, tracker, stage, server, limits, clients };
        let serve = move |stream, peer, slot| connections.serve(stream, peer, slot);
        admin.run_with(|admin| run(listeners, serve, ending, handover, admin, stop, at_once)).await
    }
}

/// Makes hyper read the clock for the first time on each thread, and waits for that: later the clock may be set to
/// before 1970.
fn take_first_times(workers: &mut Workers) {
    let (taking, taken) = mpsc::channel::<Infallible>();
    workers.run(iter::repeat_with(|| {
        let taking = taking.clone();
        move || {
            date::take_first_time();
            drop(taking);
        }
    }));
    drop(taking);
    date::take_first_time();
    // The channel ends without a message, once the last thread has dropped its sender.
    let _ = taken.recv();
}

/// How the connections end, and how long that may take.
struct Ending {
    stages: watch::Sender<Stage>,
    tracker: Arc<RequestTracker>,
    limits: ClientLimits,
}

impl Ending {
    async fn drained_after(&self, stop: impl Future<Output = ()>) {
        stop.await;
        self.tracker.close();
        // After a hand-over, no new clients connect here, so none must be sent elsewhere.
        let mut stage = self.stages.subscribe();
        tokio::select! {
            biased;
            () = reached(&mut stage, Stage::HandedOver) => {}
            () = drain(self.limits.drain_delay) => {}
        }
    }

    /// Serves the remaining connections after a hand-over, until they have ended, the idle timeout has passed, or
    /// `stop` is ready.
    async fn serve_remaining(&self, stop: impl Future<Output = ()>) {
        tracing::info!(target: LOG, "handed over: serving the connected clients until they leave");
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

    fn end_at_once(&self, signal: &impl fmt::Display) {
        let requests = self.tracker.requests();
        tracing::warn!(target: LOG, requests, %signal, "stopped at once: received a second signal");
        self.tracker.end("a second signal came");
    }
}

/// Why a gateway no longer accepts clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AcceptEnd {
    Stopped,
    HandedOver,
}

/// Waits for the load balancer to detect that the gateway drains, and to send clients elsewhere.
async fn drain(delay: Duration) {
    if !delay.is_zero() {
        tracing::info!(target: LOG, delay = %format_duration(delay), "draining: still accepting connections");
        tokio::time::sleep(delay).await;
    }
}

async fn run<T: fmt::Display>(
    mut listeners: Listeners,
    serve: impl Fn(TcpStream, SocketAddr, Option<ConnectionSlot>) + Clone + Send + 'static,
    ending: Ending,
    handover: Handover,
    admin: AdminOpen,
    stop: impl Future<Output = ()>,
    at_once: impl Future<Output = T>,
) -> Option<T> {
    let release = handover.releaser();
    let to_its_end = async {
        let mut stop = pin!(ending.drained_after(stop));
        let end = accept_to_the_end(&mut listeners, serve, handover, &admin, stop.as_mut()).await;
        // After a handover, the admin address closes at once: with two open, either gateway might answer.
        let admin = Some(admin).filter(|_| end == AcceptEnd::Stopped);
        if end == AcceptEnd::HandedOver {
            ending.serve_remaining(stop).await;
        }
        ending.finish().await;
        drop(admin);
    };
    tokio::select! {
        () = to_its_end => None,
        signal = at_once => {
            release();
            ending.end_at_once(&signal);
            Some(signal)
        }
    }
}

/// Accepts clients until `stop`, or until another process has taken over.
async fn accept_to_the_end(
    listeners: &mut Listeners,
    serve: impl Fn(TcpStream, SocketAddr, Option<ConnectionSlot>) + Clone + Send + 'static,
    handover: Handover,
    admin: &AdminOpen,
    mut stop: Pin<&mut impl Future<Output = ()>>,
) -> AcceptEnd {
    let (mut acceptors, here) = Acceptors::start(listeners, serve);
    // Only one process at a time accepts clients: the other one is notified that it may begin, or that this one ends,
    // only once no listener accepts here.
    let steer = async move {
        if !handover.report_serving().await {
            acceptors.end().await;
            return AcceptEnd::Stopped;
        }
        loop {
            let successor = tokio::select! {
                () = stop.as_mut() => None,
                successor = handover.successor() => Some(successor),
                () = acceptors.ended() => panic!("no thread accepts clients any more"),
            };
            // Otherwise the predecessor would serve again if this gateway died now, or after an operator stopped it.
            handover.releaser()();
            let Some(successor) = successor else {
                acceptors.end().await;
                return AcceptEnd::Stopped;
            };
            admin.pause();
            acceptors.pause().await;
            let end = tokio::select! {
                biased;
                handed_over = successor.let_serve() => handed_over.ok().map(|()| AcceptEnd::HandedOver),
                () = stop.as_mut() => Some(AcceptEnd::Stopped),
            };
            if let Some(end) = end {
                acceptors.end().await;
                return end;
            }
            acceptors.resume();
            admin.resume();
        }
    };
    tokio::select! {
        end = steer => end,
        never = here => match never {},
    }
}
