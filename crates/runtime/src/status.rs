//! The status of the active policy, for operators.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

#[cfg(feature = "jwt")]
use error_envelope_core::guard::auth::RemoteKeys;
use error_envelope_core::policy::Policy;

/// The active policy: its age, its files, and the last rejection.
///
/// ```
/// use tower_error_envelope::{ErrorEnvelopeLayer, Mode};
///
/// let status = ErrorEnvelopeLayer::new().policy_status();
/// assert_eq!(status.policy().summary().mode(), Mode::Enforce);
/// assert!(status.files().is_empty() && status.rejection().is_none());
/// ```
#[derive(Clone, Debug)]
pub struct PolicyStatus {
    pub(crate) policy: Arc<Policy>,
    pub(crate) since: SystemTime,
    pub(crate) files: Arc<[PathBuf]>,
    pub(crate) rejection: Option<PolicyRejection>,
}

/// A policy that was refused while another one was active (rule M2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRejection {
    pub(crate) at: SystemTime,
    pub(crate) why: Arc<str>,
    pub(crate) is_current: bool,
}

impl PolicyStatus {
    /// Creates a policy without a file.
    pub(crate) fn fixed(policy: Arc<Policy>, since: SystemTime) -> Self {
        Self { policy, since, files: Arc::default(), rejection: None }
    }

    /// Returns the policy.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Returns the time at which the policy became active. For a policy that is not watched, this is the time at which
    /// the layer got the policy.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// Returns the files of the policy, which are watched: the policy itself, its included files, and its key files.
    /// The list is empty if the policy is not watched.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Returns the URLs of the key sets that were never fetched successfully. The queries of the URLs are removed,
    /// because they may contain credentials. Requests with a token that needs such a set get 503.
    #[must_use]
    pub fn missing_key_sets(&self) -> Vec<&str> {
        #[cfg(feature = "jwt")]
        return self.policy.remote_keys().filter(|keys| !keys.has_set()).map(shown_url).collect();
        #[cfg(not(feature = "jwt"))]
        Vec::new()
    }

    /// Returns the key sets whose last fetch failed, as URLs without queries, each with the reason of the failure. If
    /// an older set exists, it stays active.
    #[must_use]
    pub fn failing_key_sets(&self) -> Vec<(&str, Arc<str>)> {
        #[cfg(feature = "jwt")]
        return self.policy.remote_keys().filter_map(|keys| Some((shown_url(keys), keys.failure()?))).collect();
        #[cfg(not(feature = "jwt"))]
        Vec::new()
    }

    /// Returns the last rejection of new policy files, if there was one. The rejection is still returned after the
    /// files were corrected.
    #[must_use]
    pub fn rejection(&self) -> Option<&PolicyRejection> {
        self.rejection.as_ref()
    }
}

/// Returns the URL of a set without its query, which may contain a secret.
#[cfg(feature = "jwt")]
fn shown_url(keys: &RemoteKeys) -> &str {
    keys.url().split('?').next().unwrap_or_default()
}

impl PolicyRejection {
    /// Returns the time at which the files were first refused. The reason may have changed since then.
    #[must_use]
    pub fn since(&self) -> SystemTime {
        self.at
    }

    /// Returns the text of the error with its file, line and key, as in the log.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Returns true if the current content of the files is still refused.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.is_current
    }
}
