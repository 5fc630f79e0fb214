//! The layer. It contains the policy, and the functions that the user's code adds.

use std::error::Error;
use std::fmt;
#[cfg(feature = "policy-file")]
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tower_layer::Layer;

#[cfg(not(feature = "policy-file"))]
use error_envelope_core::absent::NeedsPolicyFile;

use super::recognise::{proxy_error, recognise};
use super::service::ErrorEnvelopeService;
use super::verify::{Verifier, Verifiers};
#[cfg(feature = "anyhow")]
use error_envelope_core::fault::AsFault;
use error_envelope_core::fault::Fault;
#[cfg(feature = "policy-file")]
use error_envelope_core::loader::PolicyLoader;
use error_envelope_core::policy::{Policy, PolicyError, UpstreamUrl};
use error_envelope_core::session::{CauseTexts, Classifier, Observer, SessionConfig};
use error_envelope_runtime as runtime;
#[cfg(feature = "jwks-url")]
use error_envelope_runtime::KeyFetcher;
use error_envelope_runtime::{DropGuarded, KillSwitch, PolicyHandle, PolicyHolder, PolicyStatus, RequestMetrics};

/// Wraps a service so that all errors for its clients have the same shape.
///
/// Without a policy it enforces the defaults on every route. Each request gets an id, and bodies are limited to 1 MiB.
/// Every inner 4xx and 5xx is rewritten into the envelope, except for the bodies of protocols (rule R10). Panics and
/// errors become responses. RPC clients get errors of their own protocol instead.
///
/// ```
/// use tower_error_envelope::{ErrorEnvelopeLayer, Policy, RouteRule};
///
/// let policy = Policy::builder().route(RouteRule::new("POST /upload").body_limit(64 * 1024 * 1024)).build()?;
/// let layer = ErrorEnvelopeLayer::new().policy(policy);
/// # let _ = layer;
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct ErrorEnvelopeLayer {
    policy: PolicyHandle,
    verifiers: Verifiers,
    announced: Arc<Announced>,
    metrics: RequestMetrics,
    #[cfg(feature = "jwks-url")]
    key_fetcher: Option<KeyFetcher>,
}

/// What has been said about the active policy.
#[derive(Default)]
struct Announced {
    is_counted: AtomicBool,
    is_logged: AtomicBool,
    /// True if the missing verifiers were logged.
    are_missing_logged: AtomicBool,
}

impl ErrorEnvelopeLayer {
    /// Creates a layer with the default policy.
    pub fn new() -> Self {
        Self {
            policy: PolicyHandle::fixed(Policy::default()).with_config(config),
            verifiers: Verifiers::default(),
            announced: Arc::default(),
            metrics: RequestMetrics::default(),
            #[cfg(feature = "jwks-url")]
            key_fetcher: None,
        }
    }

    /// Sets the policy. The policy may be shared. Services that already exist keep their policy.
    pub fn policy(mut self, policy: impl Into<Arc<Policy>>) -> Self {
        self.policy = self.policy.with_policy(policy.into());
        self.announced = Arc::default();
        self
    }

    /// Sets a function that maps the inner service's errors to faults. The function is called before the layer's
    /// built-in classification (rule F1). If the function returns `None`, the built-in classification decides. If the
    /// function panics, the client gets a 500 (rule F2).
    ///
    /// ```
    /// use std::{error::Error, io};
    /// use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault};
    ///
    /// let layer = ErrorEnvelopeLayer::new().classify(|error: &(dyn Error + 'static)| {
    ///     let missing = error.downcast_ref::<io::Error>()?.kind() == io::ErrorKind::NotFound;
    ///     missing.then(|| Fault::new(ErrorCode::NOT_FOUND))
    /// });
    /// # let _ = layer;
    /// ```
    pub fn classify<C>(mut self, classifier: C) -> Self
    where
        C: Fn(&(dyn Error + 'static)) -> Option<Fault> + Send + Sync + 'static,
    {
        let classifier = DropGuarded::new(classifier);
        let classifier: Arc<Classifier> = Arc::new(move |error: &(dyn Error + 'static)| classifier.get()?(error));
        self.policy = self.policy.with_config(|config| SessionConfig { classifier: Some(classifier), ..config });
        self
    }

    /// Lets errors of type `E` keep their code inside an `anyhow::Error`, which hides the type of its content (feature
    /// `anyhow`). `E` may be the type of a context, of the error itself, or of one of its causes. The setting applies
    /// to the whole process, because `?` converts an error without knowing the layer. Without this setting, such an
    /// error becomes `internal_error`, and the log contains a hint.
    ///
    /// ```
    /// use anyhow::Context;
    /// use tower_error_envelope::{AsFault, ErrorEnvelopeLayer, Fault};
    ///
    /// #[derive(Debug, thiserror::Error, AsFault)]
    /// #[error("none left")]
    /// #[fault(CONFLICT)]
    /// struct SoldOut;
    ///
    /// fn order() -> anyhow::Result<()> {
    ///     Err(SoldOut).context("placing the order")
    /// }
    ///
    /// let layer = ErrorEnvelopeLayer::new().recognise::<SoldOut>();
    /// assert_eq!(Fault::from(order().unwrap_err()).code(), "conflict");
    /// # let _ = layer;
    /// ```
    #[cfg(feature = "anyhow")]
    pub fn recognise<E: AsFault + Send + Sync + 'static>(self) -> Self {
        error_envelope_fault::anyhow::recognise::<E>();
        self
    }

    /// Shows the cause of an error to the client, as the last field of `error` (rule E11). Only the standard envelope has
    /// this field. The cause consists of the texts of the error and its sources. For a 5xx that a handler wrote, the cause
    /// is the beginning of its body. For a panic, it consists of the panic's text and its
    /// [place](crate::middleware::log_panic_places) in the code.
    ///
    /// Never turn development on in production, because such texts can be confidential. In mode `enforce`, an outer
    /// layer or gateway that rewrites the error removes the cause. The layer logs one warning that development is on.
    ///
    /// ```
    /// use tower_error_envelope::ErrorEnvelopeLayer;
    ///
    /// let layer = ErrorEnvelopeLayer::new().development(cfg!(debug_assertions));
    /// # let _ = layer;
    /// ```
    pub fn development(mut self, on: bool) -> Self {
        if on {
            runtime::log_panic_places();
        }
        let development = on.then_some(runtime::cause_texts as CauseTexts);
        self.policy = self.policy.with_config(|config| SessionConfig { development, ..config });
        self
    }

    /// Passes the record of each request, also of a success, to an [`Observer`] once, when the record is closed. An `Arc`
    /// of an observer is also an observer.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.policy = self.policy.with_observer(Arc::new(observer));
        self
    }

    /// Lets a [`KillSwitch`] put every route into [`Mode::Off`](crate::Mode::Off).
    pub fn kill_switch(mut self, switch: KillSwitch) -> Self {
        self.policy = self.policy.with_switch(switch);
        self
    }

    /// Returns the status of the active policy: its age, its files, and the last rejection. A [`KillSwitch`] does not
    /// affect this status.
    #[must_use]
    pub fn policy_status(&self) -> PolicyStatus {
        self.policy.status()
    }

    /// Logs the address of the service for each request (rule L1), as the field `upstream`. Only gateways use this
    /// method. The logged address is the upstream of the request's [scope](crate::policy::Scope::upstream), or else
    /// `rest`. By default, no address is logged, because the layer calls the service that it wraps.
    ///
    /// ```
    /// use tower_error_envelope::ErrorEnvelopeLayer;
    ///
    /// let layer = ErrorEnvelopeLayer::new().log_upstreams(Some("http://orders:8080".parse()?));
    /// # let _ = layer;
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    #[doc(hidden)]
    pub fn log_upstreams(mut self, rest: Option<UpstreamUrl>) -> Self {
        let forwarding = Some(Arc::new(rest));
        self.policy = self.policy.with_config(|config| SessionConfig { forwarding, ..config });
        self
    }

    /// Sets the verifier of the policy's custom scheme `name` (rule G2). If several verifiers are set for the same
    /// name, the last one is used.
    ///
    /// ```
    /// use tower_error_envelope::auth::{AuthScheme, CredentialRequest, Verified};
    /// use tower_error_envelope::session::BoxError;
    /// use tower_error_envelope::{ErrorEnvelopeLayer, Policy};
    ///
    /// async fn look_up(request: CredentialRequest) -> Result<Verified, BoxError> {
    ///     match request.headers().get("x-session") {
    ///         None => Ok(Verified::Missing),
    ///         Some(session) if session == "s-1" => Ok(Verified::granted("anna")),
    ///         Some(_) => Ok(Verified::Invalid),
    ///     }
    /// }
    ///
    /// let policy = Policy::builder().scheme("session", AuthScheme::custom()).auth(["session"]).build()?;
    /// let layer = ErrorEnvelopeLayer::new().policy(policy).verifier("session", look_up);
    /// # let _ = layer;
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    pub fn verifier(mut self, name: impl Into<String>, verifier: impl Verifier) -> Self {
        self.verifiers.add(name.into(), verifier);
        self
    }

    /// Sets the fetcher for the key sets (`jwks_url`) of policies that are read from files. By default, all layers
    /// share one [`KeyFetcher`]. Call this method before [`watching`](Self::watching), which reads the policy file.
    ///
    /// ```no_run
    /// use tower_error_envelope::ErrorEnvelopeLayer;
    /// use tower_error_envelope::auth::KeyFetcher;
    ///
    /// let fetcher = KeyFetcher::trusting(&std::fs::read("internal-ca.pem")?)?;
    /// let layer = ErrorEnvelopeLayer::new().key_fetcher(fetcher).watching("policy.toml")?;
    /// # let _ = layer;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "jwks-url")]
    pub fn key_fetcher(mut self, fetcher: KeyFetcher) -> Self {
        self.key_fetcher = Some(fetcher);
        self
    }
}

/// Policies that are read from files.
#[cfg(feature = "policy-file")]
impl ErrorEnvelopeLayer {
    /// Creates a layer with the policy of a file. The policy is reloaded when this file, an included file, or a key
    /// file changes or is replaced: see [`ErrorEnvelopeLayer::watching`].
    ///
    /// # Errors
    ///
    /// Fails for the same reasons as [`ErrorEnvelopeLayer::watching`].
    pub fn watch(path: impl AsRef<Path>) -> Result<Self, PolicyError> {
        Self::new().watching(path)
    }

    /// Reads the policy from a file, and reloads it when its files change.
    ///
    /// A request keeps the policy that was active when it began (rule M3). If the files are missing or have errors, the
    /// old policy stays active, and the rejection is logged and counted (rule M2). Secrets from the environment do not
    /// change while the process runs. Add verifiers before you call this method, because a scheme without its verifier
    /// is refused.
    ///
    /// A separate thread reads the files twice, 100 ms apart. The content is used only if both reads return the same
    /// bytes. To replace a file, rename a new file to its name. This call waits at most 1 s until the files stop
    /// changing, and at most 10 s for a file system that does not respond.
    ///
    /// ```no_run
    /// use tower_error_envelope::ErrorEnvelopeLayer;
    ///
    /// let layer = ErrorEnvelopeLayer::watch("policy.toml")?;
    /// # let _ = layer;
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error for everything that [`PolicyLoader::load`](crate::policy::PolicyLoader::load) refuses, and if a
    /// folder cannot be watched. Also returns an error if the files keep changing, or if their file system does not
    /// respond.
    pub fn watching(mut self, path: impl AsRef<Path>) -> Result<Self, PolicyError> {
        let loader = self.loader();
        self.policy = self.policy.with_file(path, loader)?;
        self.announced = Arc::default();
        Ok(self)
    }

    /// Reads the policy from a file once, without watching the file. Add verifiers before you call this method.
    ///
    /// # Errors
    ///
    /// Returns an error for everything that [`PolicyLoader::load`](crate::policy::PolicyLoader::load) refuses.
    pub fn policy_file(self, path: impl AsRef<Path>) -> Result<Self, PolicyError> {
        let policy = self.loader().load(path)?.into_policy();
        Ok(self.policy(policy))
    }

    /// Reloads a watched policy's files, even if they seem unchanged. Call this method for example on SIGHUP. Returns
    /// `true` if a different policy is active now. A policy that is not watched does not change.
    ///
    /// The method blocks its thread for 100 ms, and for as long as it reads the files. While the files are being
    /// written, the method takes up to 5 s. If their file system does not respond, it takes up to 10 s. If another
    /// reload is running, it takes up to twice as long. Meanwhile the layer keeps serving requests, because no lock is
    /// held. Call it from a thread that may wait, such as those of tokio's `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// Fails for the same reasons as [`ErrorEnvelopeLayer::watching`]. The old policy then stays active.
    pub fn reload(&self) -> Result<bool, PolicyError> {
        self.policy.reload()
    }

    /// Checks a policy file and its included files in the same way as [`ErrorEnvelopeLayer::watching`], but returns all
    /// errors instead of only the first.
    ///
    /// # Errors
    ///
    /// Returns every error with its file and line.
    pub fn check_policy(&self, path: impl AsRef<Path>) -> Result<(), Vec<PolicyError>> {
        self.loader().check(path).map(drop)
    }

    fn loader(&self) -> PolicyLoader {
        let loader = PolicyLoader::new().verifiers(self.verifiers.names());
        #[cfg(feature = "jwks-url")]
        let loader = {
            let fetcher = self.key_fetcher.clone();
            loader.key_sets(move |url| Ok(fetcher.clone().unwrap_or_else(KeyFetcher::shared).keys(url)))
        };
        loader
    }
}

/// Code that calls these methods does not compile, and the compiler's error names the missing feature.
#[cfg(not(feature = "policy-file"))]
#[doc(hidden)]
#[allow(missing_docs, reason = "the functions that the feature adds are documented")]
impl ErrorEnvelopeLayer {
    pub fn watch(_: impl NeedsPolicyFile) -> Result<Self, PolicyError> {
        unreachable!("no type meets the bound")
    }

    pub fn watching(self, _: impl NeedsPolicyFile) -> Result<Self, PolicyError> {
        unreachable!("no type meets the bound")
    }

    pub fn policy_file(self, _: impl NeedsPolicyFile) -> Result<Self, PolicyError> {
        unreachable!("no type meets the bound")
    }
}

impl ErrorEnvelopeLayer {
    /// Counts and logs the active policy once. axum wraps each route with a clone of the layer, and a server may create
    /// a clone for each connection. So all clones share [`Announced`]. If no subscriber wants the
    /// log event yet, the next clone tries again.
    fn announce(&self) {
        if !self.announced.is_counted.swap(true, Ordering::Relaxed) {
            self.policy.record();
        }
        let config = self.policy.config();
        let is_wanted = match config.development.is_some() {
            true => tracing::enabled!(target: "tower_error_envelope", tracing::Level::WARN),
            false => tracing::enabled!(target: "tower_error_envelope", tracing::Level::INFO),
        };
        if !is_wanted || self.announced.is_logged.swap(true, Ordering::Relaxed) {
            return;
        }
        // If a kill switch is on, this is logged elsewhere.
        runtime::log_policy(
            &self.policy.status().policy,
            Some(config.classifier.is_some()),
            "error envelopes are active",
        );
        if config.development.is_some() {
            tracing::warn!(
                target: "tower_error_envelope",
                "clients get the causes of errors, which can be confidential: turn development off in production"
            );
        }
    }

    /// Logs once which verifiers the policy requires but the layer lacks. Requests that need a missing verifier get
    /// 503.
    fn announce_missing_verifiers(&self) {
        let policy = self.policy.policy();
        let missing = self.verifiers.missing(policy.custom_schemes());
        let Some(first) = missing.first() else { return };
        if !tracing::enabled!(target: "tower_error_envelope", tracing::Level::ERROR)
            || self.announced.are_missing_logged.swap(true, Ordering::Relaxed)
        {
            return;
        }
        tracing::error!(
            target: "tower_error_envelope",
            schemes = missing.join(", "),
            "no verifier is registered for these auth schemes; requests that need one get 503: \
             add ErrorEnvelopeLayer::verifier({first:?}, …)"
        );
    }
}

/// Adds the functions with which the layer recognises types of other crates.
fn config(config: SessionConfig) -> SessionConfig {
    SessionConfig {
        recogniser: Some(recognise),
        proxy_errors: Some(proxy_error),
        #[cfg(feature = "hyper")]
        reason_phrase: Some(super::extensions::reason_phrase),
        #[cfg(feature = "axum")]
        framework_route: Some(super::extensions::framework_route),
        #[cfg(feature = "axum")]
        original_uri: Some(super::extensions::original_uri),
        ..config
    }
}

impl PolicyHolder for ErrorEnvelopeLayer {
    fn map_policy(mut self, change: impl FnOnce(PolicyHandle) -> PolicyHandle) -> Self {
        self.policy = change(self.policy);
        self
    }
}

impl Default for ErrorEnvelopeLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for ErrorEnvelopeLayer {
    type Service = ErrorEnvelopeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        self.announce();
        self.announce_missing_verifiers();
        ErrorEnvelopeService::new(inner, self.policy.clone(), self.verifiers.clone(), self.metrics.clone())
    }
}

impl fmt::Debug for ErrorEnvelopeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorEnvelopeLayer")
            .field("policy", &self.policy.policy())
            .field("classifier", &self.policy.config().classifier.is_some())
            .finish()
    }
}
