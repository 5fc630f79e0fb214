//! The configuration of a gateway.

use std::sync::Arc;

use error_envelope_admin::Admin;
use tokio::net::TcpListener;
use tower_error_envelope::ErrorEnvelopeLayer;

use super::access::AccessLog;
use super::forwarded::Forwarding;
use super::handover::UpgradeSocket;
use super::limits::ClientLimits;
use super::tls::ServerTls;

/// The configuration of a [`Gateway`](crate::Gateway): the layer, and how clients are served.
#[must_use]
pub struct GatewayConfig {
    pub(crate) layer: ErrorEnvelopeLayer,
    pub(crate) tls: Option<Arc<ServerTls>>,
    pub(crate) forwarding: Forwarding,
    pub(crate) limits: ClientLimits,
    pub(crate) admin: Option<(Admin, TcpListener)>,
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) upgrade: Option<UpgradeSocket>,
    pub(crate) workers: usize,
}

impl GatewayConfig {
    /// `layer` goes around the service. A clone of it reloads the policy while the gateway runs.
    pub fn new(layer: ErrorEnvelopeLayer) -> Self {
        let (forwarding, limits) = (Forwarding::default(), ClientLimits::default());
        Self { layer, tls: None, forwarding, limits, admin: None, access_log: None, upgrade: None, workers: 0 }
    }

    /// Speaks TLS to clients, HTTP/2 and HTTP/1.1; by default it is plain TCP, for both as well.
    pub fn tls(mut self, tls: Arc<ServerTls>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How to treat the client's own `forwarded` and `x-forwarded-*` headers.
    pub fn forwarding(mut self, forwarding: Forwarding) -> Self {
        self.forwarding = forwarding;
        self
    }

    /// The limits on clients.
    pub fn limits(mut self, limits: ClientLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Writes a line for each request; off by default.
    pub fn access_log(mut self, log: AccessLog) -> Self {
        self.access_log = Some(log);
        self
    }

    /// Serves clients on this many threads of the gateway, each with a runtime of its own: a connection stays on one of them,
    /// which costs less than tasks that move between threads. By default the gateway serves in the caller's runtime.
    ///
    /// They end with [`Gateway::serve`](crate::Gateway::serve), which waits for them up to two seconds, and with them all tasks
    /// that the service has spawned there: give each gateway a service of its own, and do not block in it.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    /// Hands its listening sockets to the next process that connects there, stands by for two seconds, and ends then: its
    /// connections have [`ClientLimits::idle_timeout`] to end, with `connection: close` or GOAWAY, and what is in flight
    /// [`ClientLimits::stop_timeout`] after that.
    pub fn upgrade_socket(mut self, socket: UpgradeSocket) -> Self {
        self.upgrade = Some(socket);
        self
    }

    /// Serves `admin` on `listener` from the gateway's first request to its last; `/readyz` is 503 from the stop on. The layer
    /// should be one that is attached to this admin address ([`Admin::attach`]).
    pub fn admin(mut self, admin: Admin, listener: TcpListener) -> Self {
        self.admin = Some((admin, listener));
        self
    }
}
