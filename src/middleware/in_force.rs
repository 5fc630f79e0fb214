//! Which terms are in force (rule M3): a request takes them once, and keeps them to its end.

use std::sync::Arc;
use std::time::SystemTime;

#[cfg(feature = "policy-file")]
use arc_swap::ArcSwap;

use super::id;
use super::standing::PolicyInForce;
use super::switch::{KillSwitch, Switched};
#[cfg(feature = "policy-file")]
use super::watch::Watched;
use crate::exchange::Terms;
use crate::policy::Policy;

/// Where a service takes its terms from.
#[derive(Clone)]
pub(super) struct InForce {
    source: Source,
    switched: Option<Arc<Switched>>,
}

#[derive(Clone)]
enum Source {
    Fixed {
        terms: Arc<Terms>,
        since: SystemTime,
    },
    #[cfg(feature = "policy-file")]
    Watched {
        watched: Arc<Watched>,
        /// Those of the policy that was in force when they were last asked for.
        latest: Arc<ArcSwap<Terms>>,
    },
}

impl InForce {
    /// A policy for good.
    pub(super) fn fixed(policy: Arc<Policy>) -> Self {
        Self { source: Source::fixed(Terms::new(policy, id::now)), switched: None }
    }

    /// The same with another policy, for good.
    pub(super) fn with_policy(self, policy: Arc<Policy>) -> Self {
        let terms = self.source.terms().with_policy(policy);
        Self { source: Source::fixed(terms), ..self }
    }

    /// The same with the policy of files.
    #[cfg(feature = "policy-file")]
    pub(super) fn with_watched(self, watched: Arc<Watched>) -> Self {
        let terms = self.source.terms().with_policy(watched.policy());
        Self { source: Source::Watched { watched, latest: Arc::new(ArcSwap::from_pointee(terms)) }, ..self }
    }

    /// The same where no policy changes.
    pub(super) fn with_terms(self, change: impl FnOnce(Terms) -> Terms) -> Self {
        let terms = Arc::new(change(Terms::clone(&self.source.terms())));
        let source = match self.source {
            Source::Fixed { since, .. } => Source::Fixed { terms, since },
            #[cfg(feature = "policy-file")]
            Source::Watched { watched, .. } => Source::Watched { watched, latest: Arc::new(ArcSwap::new(terms)) },
        };
        Self { source, ..self }
    }

    pub(super) fn with_switch(self, switch: KillSwitch) -> Self {
        Self { switched: Some(Arc::new(Switched::new(switch))), ..self }
    }

    #[inline]
    pub(super) fn terms(&self) -> Arc<Terms> {
        let terms = self.source.terms();
        match &self.switched {
            Some(switched) if switched.is_off() => switched.off(terms),
            _ => terms,
        }
    }

    pub(super) fn policy(&self) -> Arc<Policy> {
        self.terms().policy().clone()
    }

    /// What is in force but for a switch, and how it came to be.
    pub(super) fn standing(&self) -> PolicyInForce {
        match &self.source {
            Source::Fixed { terms, since } => PolicyInForce::fixed(terms.policy().clone(), *since),
            #[cfg(feature = "policy-file")]
            Source::Watched { watched, .. } => watched.standing(),
        }
    }

    #[cfg(feature = "policy-file")]
    pub(super) fn watched(&self) -> Option<&Watched> {
        match &self.source {
            Source::Fixed { .. } => None,
            Source::Watched { watched, .. } => Some(watched),
        }
    }
}

impl Source {
    fn fixed(terms: Terms) -> Self {
        Self::Fixed { terms: Arc::new(terms), since: id::now() }
    }

    #[inline]
    fn terms(&self) -> Arc<Terms> {
        match self {
            Self::Fixed { terms, .. } => terms.clone(),
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
}
