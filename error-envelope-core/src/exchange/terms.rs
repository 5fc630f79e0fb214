//! What holds for all requests of a layer alike.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use super::{Classifier, Observer, Recogniser};
use crate::policy::Policy;

/// The policy that is in force, what names the service's own errors, and the adapter's clock.
///
/// An adapter makes it once, and again where the policy changes; each request keeps the one that it began with (M3).
///
/// ```
/// use std::time::SystemTime;
/// use tower_error_envelope::Policy;
/// use tower_error_envelope::exchange::Terms;
///
/// let terms = Terms::new(Policy::default(), SystemTime::now);
/// # let _ = terms;
/// ```
#[derive(Clone)]
pub struct Terms {
    policy: Arc<Policy>,
    classifier: Option<Arc<Classifier>>,
    recogniser: Option<Recogniser>,
    observer: Option<Arc<dyn Observer>>,
    pub(super) clock: fn() -> SystemTime,
}

impl Terms {
    /// The terms of a policy, without a classifier. `clock` is asked where a key or a token has an end (G2), the dialect
    /// tells the time (R2), or a call's error says until when to wait (P1).
    pub fn new(policy: impl Into<Arc<Policy>>, clock: fn() -> SystemTime) -> Self {
        Self { policy: policy.into(), classifier: None, recogniser: None, observer: None, clock }
    }

    /// Sets what is asked of an error before the contract's list (F1).
    #[must_use]
    pub fn with_classifier(self, classifier: Option<Arc<Classifier>>) -> Self {
        Self { classifier, ..self }
    }

    /// Sets what the adapter knows of errors by the types of other crates (F1).
    #[must_use]
    pub fn with_recogniser(self, recogniser: Recogniser) -> Self {
        Self { recogniser: Some(recogniser), ..self }
    }

    /// Sets who sees the errors.
    #[must_use]
    pub fn with_observer(self, observer: Option<Arc<dyn Observer>>) -> Self {
        Self { observer, ..self }
    }

    /// The same under another policy.
    #[must_use]
    pub fn with_policy(&self, policy: impl Into<Arc<Policy>>) -> Self {
        Self { policy: policy.into(), ..self.clone() }
    }

    /// The policy.
    #[must_use]
    #[inline]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Whether an exchange of these terms may read, set or remove request headers by any name. Where not, it reads those
    /// that [`is_read`](super::is_read) names, and tells the service its id alone: an adapter whose heads lie elsewhere
    /// need not copy the others for [`Exchange::begin_copy`](super::Exchange::begin_copy).
    #[must_use]
    pub fn reads_any(&self) -> bool {
        self.policy.names_headers()
    }

    /// What names the service's own errors.
    #[must_use]
    pub fn classifier(&self) -> Option<&Classifier> {
        self.classifier.as_deref()
    }

    pub(super) fn recogniser(&self) -> Option<Recogniser> {
        self.recogniser
    }

    /// Who sees the errors.
    #[must_use]
    #[inline]
    pub fn observer(&self) -> Option<&dyn Observer> {
        self.observer.as_deref()
    }
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, classifier, .. } = self;
        f.debug_struct("Terms").field("policy", policy).field("classifier", &classifier.is_some()).finish()
    }
}
