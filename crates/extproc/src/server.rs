//! Listens for Envoy, and stops without losing a request.

use std::net::{SocketAddr, TcpListener as Socket};
use std::time::Duration;
use std::{io, thread};

use error_envelope_admin::Admin;
use error_envelope_runtime::PolicyHandle;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::watch;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::proto::external_processor_server::ExternalProcessorServer;
use crate::service::PolicyService;

const LOG: &str = "error_envelope::extproc";

/// The time without traffic after which a connection is pinged. If Envoy is gone, the connection ends when this time
/// has passed again without a reply.
const PING: Duration = Duration::from_secs(30);

/// An external processor, which listens for Envoy.
pub struct Processor {
    listener: Socket,
    address: SocketAddr,
    handle: PolicyHandle,
    limits: ProcessorLimits,
    admin: Option<(Admin, TcpListener)>,
}

/// The limits of a processor: how much it serves at once, and how long it takes to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessorLimits {
    /// The number of threads in addition to the caller's thread. With 0, the caller's thread serves. Default: 0.
    pub workers: usize,
    /// The number of concurrent requests on a connection. Envoy opens another connection for more requests. Default:
    /// 10,000.
    pub max_streams: u32,
    /// The time for which new connections are accepted after a stop, while the health service reports that the
    /// processor ends. Default: 0.
    pub drain_delay: Duration,
    /// The time for which a stop waits for requests in flight. Default: 10 s.
    pub stop_timeout: Duration,
}

impl Default for ProcessorLimits {
    fn default() -> Self {
        Self { workers: 0, max_streams: 10_000, drain_delay: Duration::ZERO, stop_timeout: Duration::from_secs(10) }
    }
}

/// The stages of a processor's end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Serving,
    /// Connections end once their requests have ended (GOAWAY).
    Stopping,
    /// Requests in flight are dropped.
    Ended,
}

impl Processor {
    /// Creates a processor with this policy, on a socket that listens.
    ///
    /// # Errors
    ///
    /// Fails if the socket has no address, or cannot be used without blocking.
    pub fn listening(listener: TcpListener, handle: PolicyHandle, limits: ProcessorLimits) -> io::Result<Self> {
        let (address, listener) = (listener.local_addr()?, listener.into_std()?);
        Ok(Self { listener, address, handle, limits, admin: None })
    }

    /// Also serves an admin address, until the last request has ended. The admin address gets its policy from
    /// [`Admin::attach`].
    #[must_use]
    pub fn admin(self, admin: Admin, listener: TcpListener) -> Self {
        Self { admin: Some((admin, listener)), ..self }
    }

    /// Returns the address on which the processor listens. If the port was 0, this is the port that was chosen.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is ready, then for the drain delay, and then until the requests in flight have ended. When
    /// `at_once` is ready, requests in flight end at once, and the output of `at_once` is returned.
    ///
    /// # Errors
    ///
    /// Fails if a thread or a runtime cannot be started, or if the socket fails.
    pub async fn serve_until<T>(
        self,
        stop: impl Future<Output = ()>,
        at_once: impl Future<Output = T>,
    ) -> io::Result<Option<T>> {
        let Self { listener, handle, limits, admin, .. } = self;
        let (stages, stage) = watch::channel(Stage::Serving);
        let health = HealthReporter::new();
        health.set_serving::<ExternalProcessorServer<PolicyService>>().await;
        Worker { service: PolicyService::new(handle), health: health.clone(), limits, stage }.start(listener)?;
        let draining = admin.as_ref().map(|(admin, _)| admin.clone());
        let serve = async {
            let outcome = tokio::select! {
                signal = at_once => Some(signal),
                () = run(stop, health, draining, limits, &stages) => None,
            };
            stages.send_replace(Stage::Ended);
            outcome
        };
        Ok(match &admin {
            None => serve.await,
            Some((admin, listener)) => admin.serve_with(listener, serve).await,
        })
    }
}

/// Drains after `stop`, and waits for the workers.
async fn run(
    stop: impl Future<Output = ()>,
    health: HealthReporter,
    admin: Option<Admin>,
    limits: ProcessorLimits,
    stages: &watch::Sender<Stage>,
) {
    stop.await;
    health.set_not_serving::<ExternalProcessorServer<PolicyService>>().await;
    health.set_service_status("", ServingStatus::NotServing).await;
    admin.iter().for_each(Admin::drain);
    tokio::time::sleep(limits.drain_delay).await;
    tracing::info!(target: LOG, "stopping: waiting for requests in flight");
    stages.send_replace(Stage::Stopping);
    // Each worker has a receiver until it ends, so this waits for all workers.
    if tokio::time::timeout(limits.stop_timeout, stages.closed()).await.is_err() {
        tracing::warn!(target: LOG, limit = ?limits.stop_timeout, "stopped with requests in flight: they took longer than --stop-timeout");
    }
}

async fn reached(mut stage: watch::Receiver<Stage>, wanted: Stage) {
    let _ = stage.wait_for(|stage| *stage >= wanted).await;
}

/// A worker, with the services that it serves.
#[derive(Clone)]
struct Worker {
    service: PolicyService,
    health: HealthReporter,
    limits: ProcessorLimits,
    stage: watch::Receiver<Stage>,
}

impl Worker {
    /// Starts a worker, which accepts connections itself.
    fn start(self, listener: Socket) -> io::Result<()> {
        if self.limits.workers == 0 {
            tokio::spawn(self.serve(TcpListener::from_std(listener)?));
            return Ok(());
        }
        (0..self.limits.workers).try_for_each(|_| self.clone().spawn(listener.try_clone()?))
    }

    /// Starts a worker on a separate thread. A connection stays on its thread.
    fn spawn(self, listener: Socket) -> io::Result<()> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            runtime.block_on(async {
                match TcpListener::from_std(listener) {
                    Ok(listener) => self.serve(listener).await,
                    Err(error) => tracing::error!(target: LOG, %error, "a worker cannot accept connections"),
                }
            });
            runtime.shutdown_background();
        };
        thread::Builder::new().name("ext-proc-worker".to_owned()).spawn(run).map(drop)
    }

    async fn serve(self, listener: TcpListener) {
        let Self { service, health, limits, stage } = self;
        let (stopping, ended) = (reached(stage.clone(), Stage::Stopping), reached(stage, Stage::Ended));
        let resets = Some(limits.max_streams as usize);
        let router = Server::builder()
            .max_concurrent_streams(limits.max_streams)
            // Envoy resets each stream that it no longer needs. That is not an attack.
            .http2_max_pending_accept_reset_streams(resets)
            .http2_max_local_error_reset_streams(resets)
            .http2_keepalive_interval(Some(PING))
            .http2_keepalive_timeout(Some(PING))
            .add_service(HealthServer::new(HealthService::from_health_reporter(health)))
            .add_service(ExternalProcessorServer::new(service));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        tokio::select! {
            served = router.serve_with_incoming_shutdown(incoming, stopping) => {
                if let Err(error) = served {
                    tracing::error!(target: LOG, %error, "a worker has stopped serving");
                }
            }
            () = ended => {}
        }
    }
}
