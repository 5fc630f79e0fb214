//! What is in force, and how it came to be: for whoever is on call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::policy::Policy;

/// The policy that is in force, and how it came to be:
/// [`ErrorEnvelopeLayer::in_force`](crate::ErrorEnvelopeLayer::in_force).
///
/// ```
/// use tower_error_envelope::{ErrorEnvelopeLayer, Mode};
///
/// let in_force = ErrorEnvelopeLayer::new().in_force();
/// assert_eq!(in_force.policy().figures().mode(), Mode::Enforce);
/// assert!(in_force.files().is_empty() && in_force.refusal().is_none());
/// ```
#[derive(Clone, Debug)]
pub struct PolicyInForce {
    pub(super) policy: Arc<Policy>,
    pub(super) since: SystemTime,
    pub(super) files: Arc<[PathBuf]>,
    pub(super) refusal: Option<Refusal>,
}

/// A policy that was refused while another one was in force (rule M2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(super) at: SystemTime,
    pub(super) why: Arc<str>,
    pub(super) stands: bool,
}

impl PolicyInForce {
    /// One that no file is behind.
    pub(super) fn fixed(policy: Arc<Policy>, since: SystemTime) -> Self {
        Self { policy, since, files: Arc::default(), refusal: None }
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Since when it is in force; of one that is not watched, when the layer was given it.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// The files that it was read from, and whose changes are watched: the policy, what it includes, and the files of keys
    /// that it names. Empty where it is not watched.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// What was refused last; `None` where nothing was. It is still told once it was put right.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }
}

impl Refusal {
    /// When it was refused first for this reason.
    #[must_use]
    pub fn at(&self) -> SystemTime {
        self.at
    }

    /// What was wrong, with its file, line and key, as the log says it.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Whether what the files say now is still refused.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.stands
    }
}
