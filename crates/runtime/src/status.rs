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
/// assert_eq!(status.policy.summary().mode(), Mode::Enforce);
/// assert!(status.files.is_empty() && status.rejection.is_none());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PolicyStatus {
    /// The policy.
    pub policy: Arc<Policy>,
    /// The time at which the policy became active. For a policy that is not watched, this is the time at which the
    /// layer got the policy.
    pub since: SystemTime,
    /// The files of the policy, which are watched: the policy itself, its included files, and its key files. The list
    /// is empty if the policy is not watched.
    pub files: Arc<[PathBuf]>,
    /// The last rejection of new policy files, if there was one. It stays after the files were corrected.
    pub rejection: Option<PolicyRejection>,
}

/// A policy that was refused while another one was active (rule M2).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyRejection {
    /// The time at which the files were first refused. The reason may have changed since then.
    pub since: SystemTime,
    /// The text of the error with its file, line and key, as in the log.
    pub why: Arc<str>,
    /// True if the current content of the files is still refused.
    pub is_current: bool,
}

impl PolicyStatus {
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
}

/// Returns the URL of a set without its query, which may contain a secret.
#[cfg(feature = "jwt")]
fn shown_url(keys: &RemoteKeys) -> &str {
    keys.url().split('?').next().unwrap_or_default()
}
