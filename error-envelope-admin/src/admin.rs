//! What is served, and what it is wired to.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

#[cfg(feature = "prometheus")]
use metrics_exporter_prometheus::PrometheusHandle;
use tower_error_envelope::adapter::InForce;
use tower_error_envelope::exchange::Observer;
use tower_error_envelope::{ErrorEnvelopeLayer, KillSwitch, PolicyInForce};

use crate::guard::Hosts;
use crate::observatory::Store;

/// What is served on the admin address. Clones share it.
///
/// 1. [`Admin::new`], `Admin::metrics` and [`Admin::allow_host`] say what there is to see, and by which names.
/// 2. [`Admin::layer`] wires it to the layer: what is in force, each error, and the kill switch.
/// 3. [`Admin::serve`] serves it, or [`Admin::service`] is mounted in a server of one's own.
/// 4. [`Admin::drain`] says that the process is to get no new requests.
#[derive(Clone, Default)]
#[must_use]
pub struct Admin {
    pub(crate) shared: Arc<Shared>,
    pub(crate) hosts: Hosts,
    pub(crate) metrics: Metrics,
}

/// What every answer is made of.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    pub(crate) switch: KillSwitch,
    draining: AtomicBool,
    in_force: Mutex<Option<InForceNow>>,
}

/// Where the metrics are.
#[derive(Clone, Default)]
pub(crate) enum Metrics {
    #[default]
    Nowhere,
    #[cfg(feature = "prometheus")]
    Here(PrometheusHandle),
    /// Somebody else serves them: this says who.
    Elsewhere(Arc<str>),
}

type InForceNow = Arc<dyn Fn() -> PolicyInForce + Send + Sync>;

impl Admin {
    /// An admin address that is wired to nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    #[cfg(feature = "prometheus")]
    #[cfg_attr(docsrs, doc(cfg(feature = "prometheus")))]
    /// Serves what this recorder has at `/metrics`: [`install_metrics`](crate::install_metrics) makes one.
    pub fn metrics(mut self, handle: PrometheusHandle) -> Self {
        self.metrics = Metrics::Here(handle);
        self
    }

    /// Says at `/metrics` where they are instead, in one sentence.
    pub fn metrics_elsewhere(mut self, place: impl Into<Arc<str>>) -> Self {
        self.metrics = Metrics::Elsewhere(place.into());
        self
    }

    /// Lets the address be asked by this name, too, in any letter case and without a port: by default it is asked by
    /// `localhost` or by number alone, since any other name may be pointed here by a stranger (DNS rebinding).
    pub fn allow_host(mut self, name: &str) -> Self {
        self.hosts.allow(name);
        self
    }

    /// Wires it to a layer: what is in force there, each error that it answers, and the kill switch. The last one that it
    /// was wired to is shown as what is in force.
    pub fn layer(&self, layer: ErrorEnvelopeLayer) -> ErrorEnvelopeLayer {
        let layer = layer.shared_observer(self.observer()).kill_switch(self.kill_switch());
        let shown = layer.clone();
        self.shared.show(move || shown.in_force());
        layer
    }

    /// As [`Admin::layer`], for an adapter of one's own.
    #[must_use]
    pub fn adapter(&self, in_force: InForce) -> InForce {
        let in_force = in_force.observed_by(self.observer()).switched_by(self.kill_switch());
        let shown = in_force.clone();
        self.shared.show(move || shown.in_force());
        in_force
    }

    /// What has to see each error.
    #[must_use]
    pub fn observer(&self) -> Arc<dyn Observer> {
        self.shared.store.clone()
    }

    /// The switch that `POST /mode/off` throws.
    #[must_use]
    pub fn kill_switch(&self) -> KillSwitch {
        self.shared.switch.clone()
    }

    /// From now on `/readyz` says 503: the process drains, and is to get no new requests.
    pub fn drain(&self) {
        self.shared.draining.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    /// Whether new requests are welcome.
    pub(crate) fn is_ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed)
    }

    /// What is in force; `None` where nothing is wired.
    pub(crate) fn in_force(&self) -> Option<PolicyInForce> {
        let now = self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone();
        now.map(|now| now())
    }

    fn show(&self, now: impl Fn() -> PolicyInForce + Send + Sync + 'static) {
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(now));
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}
