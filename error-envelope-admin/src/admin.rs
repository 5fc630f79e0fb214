//! What is served, and what it is wired to.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use error_envelope_core::exchange::Observer;
use error_envelope_runtime::{KillSwitch, PolicyHandle, PolicyHolder, PolicyStatus};
#[cfg(feature = "prometheus")]
use metrics_exporter_prometheus::PrometheusHandle;

use crate::error_store::Store;
use crate::guard::Hosts;
#[cfg(feature = "prometheus")]
use crate::sampler;

/// What is served on the admin address. Clones share it.
///
/// 1. [`Admin::new`], `Admin::metrics` and [`Admin::allow_host`] say what there is to see, and by which names.
/// 2. [`Admin::attach`] wires it to the layer: the active policy, each error, and the kill switch.
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
    policy: Mutex<Option<PolicyHandle>>,
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

impl Admin {
    /// An admin address that is wired to nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    #[cfg(feature = "prometheus")]
    #[cfg_attr(docsrs, doc(cfg(feature = "prometheus")))]
    /// Serves what this recorder has at `/metrics`: [`install_metrics`](crate::install_metrics) makes one. A thread looks at
    /// it once a minute, for the charts of requests.
    pub fn metrics(mut self, handle: PrometheusHandle) -> Self {
        sampler::follow(handle.clone(), &self.shared.store);
        self.metrics = Metrics::Here(handle);
        self
    }

    /// Sets the text at `/metrics` of an address without metrics: one sentence that names the place where they are.
    pub fn metrics_elsewhere(mut self, place: impl Into<Arc<str>>) -> Self {
        self.metrics = Metrics::Elsewhere(place.into());
        self
    }

    /// Allows requests under this host name, too, in any letter case and without a port: by default it is asked by
    /// `localhost` or by number alone, since any other name may be pointed here by a stranger (DNS rebinding).
    pub fn allow_host(mut self, name: &str) -> Self {
        self.hosts.allow(name);
        self
    }

    /// Wires it to a layer, or to the [`PolicyHandle`] of another adapter: the active policy, each error that it answers, and
    /// the kill switch. The last one that it was wired to is shown as the active one.
    #[must_use]
    pub fn attach<P: PolicyHolder>(&self, to: P) -> P {
        to.map_policy(|policy| {
            let policy = policy.with_observer(self.observer()).with_switch(self.kill_switch());
            self.shared.show(policy.clone());
            policy
        })
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

    /// Has what was counted since the last minute's turn in the charts, too.
    pub(crate) fn look_at_counters(&self) {
        #[cfg(feature = "prometheus")]
        if let Metrics::Here(handle) = &self.metrics {
            sampler::look(handle, &self.shared.store);
        }
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

    /// The status of the active policy; `None` where nothing is wired.
    pub(crate) fn policy_status(&self) -> Option<PolicyStatus> {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(PolicyHandle::status)
    }

    fn show(&self, policy: PolicyHandle) {
        *self.policy.lock().unwrap_or_else(PoisonError::into_inner) = Some(policy);
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}
