//! Which policy is in force (rule M3): a request takes it once, and keeps it to its end.

use std::sync::Arc;

use crate::policy::Policy;

/// Where a service takes its policy from.
#[derive(Clone)]
pub(super) enum InForce {
    Fixed(Arc<Policy>),
    #[cfg(feature = "policy-file")]
    Watched(Arc<super::watch::Watched>),
}

impl InForce {
    pub(super) fn policy(&self) -> Arc<Policy> {
        match self {
            Self::Fixed(policy) => policy.clone(),
            #[cfg(feature = "policy-file")]
            Self::Watched(watched) => watched.policy(),
        }
    }
}
