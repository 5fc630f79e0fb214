//! The configuration of a gateway.

use std::sync::Arc;

use error_envelope_admin::Admin;
use tokio::net::TcpListener;
use tower_error_envelope::ErrorEnvelopeLayer;

use super::access::{Recording, Tracer};
use super::forwarded::Forwarding;
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
    pub(crate) recording: Recording,
}

impl GatewayConfig {
    /// A configuration with `layer` around the service. Use a clone of the layer to reload the policy while the gateway
    /// runs.
    pub fn new(layer: ErrorEnvelopeLayer) -> Self {
        let (forwarding, limits) = (Forwarding::default(), ClientLimits::default());
        Self { layer, tls: None, forwarding, limits, admin: None, recording: Recording::default() }
    }

    /// Serves clients over TLS, with HTTP/2 and HTTP/1.1. By default clients are served over plain TCP, with the same
    /// versions.
    pub fn tls(mut self, tls: Arc<ServerTls>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sets how to treat the client's own `forwarded` and `x-forwarded-*` headers.
    pub fn forwarding(mut self, forwarding: Forwarding) -> Self {
        self.forwarding = forwarding;
        self
    }

    /// Sets the limits on clients.
    pub fn limits(mut self, limits: ClientLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets whether each request is logged when it ends, as an event of the target `access`; off by default.
    pub fn access_log(mut self, is_on: bool) -> Self {
        self.recording.log = is_on;
        self
    }

    /// Has `tracer` make a span for each request, and sends its `traceparent` to the services (I4).
    pub fn tracer(mut self, tracer: Arc<dyn Tracer>) -> Self {
        self.recording.tracer = Some(tracer);
        self
    }

    /// Serves `admin` on `listener` from the gateway's first request to its last. `/readyz` returns 503 from the stop
    /// signal on. Attach the layer to this admin address first ([`Admin::attach`]).
    pub fn admin(mut self, admin: Admin, listener: TcpListener) -> Self {
        self.admin = Some((admin, listener));
        self
    }
}
