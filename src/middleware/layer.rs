//! The layer: a policy, and what the user adds in code.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tower_layer::Layer;

use super::service::ErrorEnvelopeService;
use crate::exchange::Classifier;
use crate::fault::Fault;
use crate::policy::Policy;

/// Wraps a service so that each of its clients' errors has one shape.
///
/// Without a policy it enforces the defaults on every route: a request id, bodies of at most 1 MiB, every inner 4xx/5xx
/// rewritten into the envelope, panics and errors answered.
///
/// ```
/// use tower_error_envelope::{ErrorEnvelopeLayer, Policy, Route};
///
/// let policy = Policy::builder().route(Route::new("POST /upload").body_limit(64 * 1024 * 1024)).build()?;
/// let layer = ErrorEnvelopeLayer::new().policy(policy);
/// # let _ = layer;
/// # Ok::<(), tower_error_envelope::PolicyError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct ErrorEnvelopeLayer {
    policy: Arc<Policy>,
    classifier: Option<Arc<Classifier>>,
    announced: Arc<AtomicBool>,
}

impl ErrorEnvelopeLayer {
    /// A layer with the default policy.
    pub fn new() -> Self {
        Self { policy: Arc::default(), classifier: None, announced: Arc::default() }
    }

    /// Sets the policy. It may be shared: services made before keep theirs.
    pub fn policy(mut self, policy: impl Into<Arc<Policy>>) -> Self {
        self.policy = policy.into();
        self.announced = Arc::default();
        self
    }

    /// Names the service's own errors: asked before the built-in list (rule F1) with the error that the inner service
    /// failed with; `None` leaves it to the list. A panic of it is a 500 (rule F2).
    ///
    /// ```
    /// use std::{error::Error, io};
    /// use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault};
    ///
    /// let layer = ErrorEnvelopeLayer::new().classify(|error: &(dyn Error + 'static)| {
    ///     let missing = error.downcast_ref::<io::Error>()?.kind() == io::ErrorKind::NotFound;
    ///     missing.then(|| Fault::new(ErrorCode::MEDIA_GONE))
    /// });
    /// # let _ = layer;
    /// ```
    pub fn classify<C>(mut self, classifier: C) -> Self
    where
        C: Fn(&(dyn Error + 'static)) -> Option<Fault> + Send + Sync + 'static,
    {
        self.classifier = Some(Arc::new(classifier));
        self
    }
}

impl ErrorEnvelopeLayer {
    /// Says once what is in force. axum wraps each route by a clone of the layer, a server each connection: they share
    /// the mark. Where nobody listens yet it is left for the next.
    fn announce(&self) {
        if !tracing::enabled!(target: "tower_error_envelope", tracing::Level::INFO)
            || self.announced.swap(true, Ordering::Relaxed)
        {
            return;
        }
        let policy = self.policy.in_force();
        tracing::info!(
            target: "tower_error_envelope",
            policy = policy.origin,
            routes = policy.routes,
            map_rules = policy.map_rules,
            own_codes = policy.own_codes,
            mode = policy.mode.as_str(),
            body_limit = %policy.body_limit.map_or("none".to_owned(), |bytes| bytes.to_string()),
            classifier = self.classifier.is_some(),
            "error envelopes are in force"
        );
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
        ErrorEnvelopeService::new(inner, self.policy.clone(), self.classifier.clone())
    }
}

impl fmt::Debug for ErrorEnvelopeLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorEnvelopeLayer")
            .field("policy", &self.policy)
            .field("classifier", &self.classifier.is_some())
            .finish()
    }
}
