//! The settings of the admin address, and its connections to the layer.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use std::{fmt, io};

use error_envelope_core::session::Observer;
#[cfg(feature = "prometheus")]
use error_envelope_runtime::PrometheusHandle;
use error_envelope_runtime::{KillSwitch, PolicyHandle, PolicyHolder, PolicyStatus};

use crate::error_store::store::Store;
use crate::files::{Journal, TokenFile};
use crate::guard::Hosts;
use crate::small_server::Handshake;

/// The admin address: what it serves, and its connections to the layer. Clones share the same state.
///
/// 1. [`Admin::new`], `Admin::metrics` and [`Admin::allow_host`] set what the address serves, and under which host
///    names.
/// 2. [`Admin::attach`] connects the address to the layer: to its active policy, its requests, and its kill switch.
/// 3. [`Admin::serve`] runs a server for the address. Instead, you can mount [`Admin::service`] in your own server.
/// 4. [`Admin::drain`] marks the process as not ready for new requests.
#[derive(Clone, Default)]
#[must_use]
pub struct Admin {
    pub(crate) shared: Arc<Shared>,
    pub(crate) hosts: Hosts,
    pub(crate) metrics: Metrics,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) token: Option<TokenFile>,
    pub(crate) journal: Option<Journal>,
    pub(crate) tls: Option<Handshake>,
    /// True if the server listens on an address other than loopback.
    pub(crate) is_exposed: bool,
}

/// The data from which all responses are made.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) store: Arc<Store>,
    /// True if the process should get no new requests.
    pub(crate) draining: AtomicBool,
    policy: Mutex<Option<PolicyHandle>>,
    outages: Mutex<Option<Read<Vec<Outage>>>>,
    certificates: Mutex<Vec<Read<CertificateStatus>>>,
}

/// A function that returns the state of another part of the process.
type Read<T> = Box<dyn Fn() -> T + Send>;

/// A service that cannot be reached. [`Admin::show_outages`] shows outages on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// The address of the service.
    pub service: String,
    /// The time at which the first request failed.
    pub since: SystemTime,
    /// The time at which the last request failed.
    pub last: SystemTime,
    /// The reason why the last request failed, such as `connection refused`.
    pub reason: String,
    /// The number of requests that failed since then, for any reason.
    pub requests: u64,
}

/// The state of a certificate that this process serves. [`Admin::show_certificate`] shows it on the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateStatus {
    /// The files of the certificate and its key.
    pub files: String,
    /// The earliest expiry in the active chain, or `None` if it is unknown.
    pub not_after: Option<SystemTime>,
    /// The reason why the current files are rejected, if they are. An older certificate then stays active.
    pub rejection: Option<String>,
}

/// The place where the metrics are served.
#[derive(Clone, Default)]
pub(crate) enum Metrics {
    #[default]
    Nowhere,
    #[cfg(feature = "prometheus")]
    Here(PrometheusHandle),
    /// Another address serves the metrics. The text names that address.
    Elsewhere(Arc<str>),
}

impl Admin {
    /// Creates an admin address that is not connected to a layer yet.
    pub fn new() -> Self {
        Self::default()
    }

    #[cfg(feature = "prometheus")]
    /// Serves this recorder's metrics at `/metrics`. [`install_metrics`](crate::install_metrics) makes such a recorder.
    pub fn metrics(mut self, handle: PrometheusHandle) -> Self {
        self.metrics = Metrics::Here(handle);
        self
    }

    /// Sets the text that `/metrics` returns if this address does not serve the metrics. Pass a sentence that names
    /// where they are served.
    pub fn metrics_elsewhere(mut self, place: impl Into<Arc<str>>) -> Self {
        self.metrics = Metrics::Elsewhere(place.into());
        self
    }

    /// Also allows requests with this host name, which is given without a port. Letter case is ignored. By default,
    /// only `localhost` and IP addresses are allowed, because anyone can point any other name to this address (DNS
    /// rebinding).
    pub fn allow_host(mut self, name: &str) -> Self {
        self.hosts.allow(name);
        self
    }

    /// Sets the name of this process that the page shows, such as the name of its host. By default, the page shows the
    /// host name of the request.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Requires requests to send the token in this file, as `Authorization: Bearer`. Only the page without its data,
    /// `/healthz`, `/readyz` and `/metrics` need no token. The page asks for the token once, and keeps it in its
    /// browser tab. The file is read for each request, so that a new token applies at once. White space around the
    /// token is ignored.
    ///
    /// Without a token, [`Admin::serve`] refuses changes on an address other than loopback.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or if its token has fewer than 32 bytes.
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> io::Result<Self> {
        self.token = Some(TokenFile::new(path.into())?);
        Ok(self)
    }

    /// Begins each connection with this handshake, such as a TLS handshake.
    pub fn tls(mut self, handshake: Handshake) -> Self {
        self.tls = Some(handshake);
        self
    }

    /// Stores the changes of the kill switch in this file, one JSON object per line. Also sets the switch to the state
    /// of the last change in the file. Without a journal, a restart clears the switch.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or written, or if its last line is not a valid change.
    pub fn journal(mut self, path: impl Into<PathBuf>) -> io::Result<Self> {
        self.journal = Some(Journal::open(&path.into(), &self.shared.store.switch)?);
        Ok(self)
    }

    /// Connects this address to a layer, or to the [`PolicyHandle`] of another adapter. The page then shows the layer's
    /// active policy and errors, and the kill switch controls the layer. If several layers are attached, the page shows
    /// the policy of the last layer.
    #[must_use]
    pub fn attach<P: PolicyHolder>(&self, to: P) -> P {
        to.map_policy(|policy| {
            let policy = policy.with_observer(self.observer()).with_switch(self.kill_switch());
            *self.shared.policy.lock().unwrap_or_else(PoisonError::into_inner) = Some(policy.clone());
            let hash = policy.policy().summary().hash().map(str::to_owned);
            self.shared.store.policy.lock().unwrap_or_else(PoisonError::into_inner).hash = hash;
            policy
        })
    }

    /// Sets the function that lists the services that cannot be reached now. The page shows these services at the top.
    pub fn show_outages(&self, read: impl Fn() -> Vec<Outage> + Send + 'static) {
        *self.shared.outages.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(read));
    }

    /// Adds a function that returns the state of a certificate that this process serves. The page shows the certificate
    /// if its new files are rejected, or if it has expired or expires soon.
    pub fn show_certificate(&self, read: impl Fn() -> CertificateStatus + Send + 'static) {
        self.shared.certificates.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(read));
    }

    /// Returns the observer that counts requests and stores errors for the page.
    #[must_use]
    pub fn observer(&self) -> Arc<dyn Observer> {
        self.shared.store.clone()
    }

    /// Returns the kill switch, which `POST /kill-switch/on` turns on.
    #[must_use]
    pub fn kill_switch(&self) -> KillSwitch {
        self.shared.store.switch.clone()
    }

    /// Makes `/readyz` return 503 from now on, because the process is stopping and should get no new requests.
    pub fn drain(&self) {
        self.shared.draining.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    /// Returns the status of the active policy, or `None` if no layer is connected. The caller must not hold a lock of
    /// the store, because this call may activate a new policy, and that clears counts in the store.
    pub(crate) fn policy_status(&self) -> Option<PolicyStatus> {
        let policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        // A reloaded policy becomes active only when a config is requested. So this requests a config first.
        policy.as_ref().map(|policy| {
            drop(policy.config());
            policy.status()
        })
    }

    /// Returns the services that cannot be reached, beginning with the oldest outage.
    pub(crate) fn outages(&self) -> Vec<Outage> {
        let read = self.outages.lock().unwrap_or_else(PoisonError::into_inner);
        let mut outages = read.as_ref().map(|read| read()).unwrap_or_default();
        outages.sort_by_key(|outage| outage.since);
        outages
    }

    /// Returns the states of the certificates that this process serves.
    pub(crate) fn certificates(&self) -> Vec<CertificateStatus> {
        self.certificates.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|read| read()).collect()
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}
