//! Which terms are in force (rule M3): a request takes them once, and keeps them to its end.

use std::sync::Arc;

#[cfg(feature = "policy-file")]
use arc_swap::ArcSwap;

use super::id;
#[cfg(feature = "policy-file")]
use super::watch::Watched;
use crate::exchange::{Classifier, Terms};
use crate::policy::Policy;

/// Where a service takes its terms from.
#[derive(Clone)]
pub(super) enum InForce {
    Fixed(Arc<Terms>),
    #[cfg(feature = "policy-file")]
    Watched {
        watched: Arc<Watched>,
        /// Those of the policy that was in force when they were last asked for.
        latest: Arc<ArcSwap<Terms>>,
    },
}

impl InForce {
    pub(super) fn fixed(policy: Arc<Policy>, classifier: Option<Arc<Classifier>>) -> Self {
        Self::Fixed(Arc::new(terms(policy, classifier)))
    }

    #[cfg(feature = "policy-file")]
    pub(super) fn watched(watched: Arc<Watched>, classifier: Option<Arc<Classifier>>) -> Self {
        let latest = Arc::new(ArcSwap::from_pointee(terms(watched.policy(), classifier)));
        Self::Watched { watched, latest }
    }

    /// The same policy with another classifier.
    pub(super) fn with_classifier(&self, classifier: Arc<Classifier>) -> Self {
        match self {
            Self::Fixed(terms) => Self::fixed(terms.policy().clone(), Some(classifier)),
            #[cfg(feature = "policy-file")]
            Self::Watched { watched, .. } => Self::watched(watched.clone(), Some(classifier)),
        }
    }

    #[inline]
    pub(super) fn terms(&self) -> Arc<Terms> {
        match self {
            Self::Fixed(terms) => terms.clone(),
            #[cfg(feature = "policy-file")]
            Self::Watched { watched, latest } => {
                let (policy, known) = (watched.policy(), latest.load_full());
                if Arc::ptr_eq(known.policy(), &policy) {
                    return known;
                }
                let terms = Arc::new(known.with_policy(policy));
                latest.store(terms.clone());
                terms
            }
        }
    }

    pub(super) fn policy(&self) -> Arc<Policy> {
        self.terms().policy().clone()
    }
}

fn terms(policy: Arc<Policy>, classifier: Option<Arc<Classifier>>) -> Terms {
    Terms::new(policy, id::now).with_classifier(classifier)
}
