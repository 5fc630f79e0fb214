//! Provides the config for requests (rule M3). A request gets the config once, and keeps it until the request ends.

use std::fmt;
#[cfg(feature = "policy-file")]
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

#[cfg(feature = "policy-file")]
use arc_swap::ArcSwap;
#[cfg(feature = "policy-file")]
use error_envelope_core::loader::PolicyLoader;
use error_envelope_core::policy::Policy;
#[cfg(feature = "policy-file")]
use error_envelope_core::policy::PolicyError;
use error_envelope_core::session::{Observer, SessionConfig};

#[cfg(feature = "policy-file")]
use crate::reloader::PolicyReloader;
use crate::status::PolicyStatus;
use crate::switch::{KillSwitch, Switched};
use crate::{clock, count, log};

/// A handle to the active policy and the other settings for requests (M3). Clones share the active policy.
///
/// ```
/// use error_envelope_core::policy::{Mode, Policy};
/// use error_envelope_runtime::PolicyHandle;
///
/// let handle = PolicyHandle::fixed(Policy::default());
/// assert_eq!(handle.config().policy().summary().mode(), Mode::Enforce);
/// ```
#[derive(Clone)]
pub struct PolicyHandle {
    source: Source,
    switched: Option<Arc<Switched>>,
}

#[derive(Clone)]
enum Source {
    Fixed {
        config: Arc<SessionConfig>,
        since: SystemTime,
    },
    #[cfg(feature = "policy-file")]
    Watched {
        reloader: Arc<PolicyReloader>,
        /// The config that was made at the last call, from the policy that was active then.
        latest: Arc<ArcSwap<SessionConfig>>,
    },
}

/// A type that contains a [`PolicyHandle`], such as the Tower layer or the handle itself.
pub trait PolicyHolder: Sized {
    /// Replaces the handle by the result of `change`.
    #[must_use]
    fn map_policy(self, change: impl FnOnce(PolicyHandle) -> PolicyHandle) -> Self;
}

impl PolicyHolder for PolicyHandle {
    fn map_policy(self, change: impl FnOnce(Self) -> Self) -> Self {
        change(self)
    }
}

impl PolicyHandle {
    /// Creates a handle with a policy that is never reloaded.
    pub fn fixed(policy: impl Into<Arc<Policy>>) -> Self {
        Self { source: Source::fixed(SessionConfig::new(policy, clock::now)), switched: None }
    }

    /// Creates a handle with the policy in a file, in the same way as [`PolicyHandle::with_file`].
    ///
    /// # Errors
    ///
    /// Fails for the same reasons as [`PolicyHandle::with_file`].
    #[cfg(feature = "policy-file")]
    pub fn watching(path: impl AsRef<Path>, loader: PolicyLoader) -> Result<Self, PolicyError> {
        Self::fixed(Arc::default()).with_file(path, loader)
    }

    /// Returns a handle with the same settings but another policy, which is never reloaded.
    #[must_use]
    pub fn with_policy(self, policy: impl Into<Arc<Policy>>) -> Self {
        let config = self.source.config().with_policy(policy);
        Self { source: Source::fixed(config), ..self }
    }

    /// Returns a handle with the same settings but the policy in a file. A separate thread reloads the policy whenever
    /// one of its files changes. The thread ends when the last clone of the handle is dropped. If the new policy is
    /// refused, the old one stays active (M2).
    ///
    /// # Errors
    ///
    /// Returns an error if [`PolicyLoader::load`] refuses the policy, or if its folders cannot be watched.
    #[cfg(feature = "policy-file")]
    pub fn with_file(self, path: impl AsRef<Path>, loader: PolicyLoader) -> Result<Self, PolicyError> {
        let reloader = PolicyReloader::new(path.as_ref(), loader)?;
        let config = self.source.config().with_policy(reloader.policy());
        Ok(Self { source: Source::Watched { reloader, latest: Arc::new(ArcSwap::from_pointee(config)) }, ..self })
    }

    /// Returns a handle with the changed config. The change stays in effect when the policy is reloaded.
    #[must_use]
    pub fn with_config(self, change: impl FnOnce(SessionConfig) -> SessionConfig) -> Self {
        let config = Arc::new(change(SessionConfig::clone(&self.source.config())));
        let source = match self.source {
            Source::Fixed { since, .. } => Source::Fixed { config, since },
            #[cfg(feature = "policy-file")]
            Source::Watched { reloader, .. } => Source::Watched { reloader, latest: Arc::new(ArcSwap::new(config)) },
        };
        Self { source, ..self }
    }

    /// Passes each error to an observer once, when the error is logged.
    #[must_use]
    pub fn with_observer(self, observer: Arc<dyn Observer>) -> Self {
        self.with_config(|config| SessionConfig { observer: Some(observer), ..config })
    }

    /// Lets a switch put every route into [`Mode::Off`](error_envelope_core::policy::Mode::Off).
    #[must_use]
    pub fn with_switch(self, switch: KillSwitch) -> Self {
        Self { switched: Some(Arc::new(Switched::new(switch))), ..self }
    }

    /// Returns the config of a request that begins now.
    #[must_use]
    #[inline]
    pub fn config(&self) -> Arc<SessionConfig> {
        let config = self.source.config();
        match &self.switched {
            Some(switched) if switched.is_on() => switched.in_mode_off(config),
            _ => config,
        }
    }

    /// Returns the policy of a request that begins now.
    #[must_use]
    pub fn policy(&self) -> Arc<Policy> {
        self.config().policy().clone()
    }

    /// Returns the status of the active policy: its age, its files, and the last rejection. A kill switch does not
    /// affect this status.
    #[must_use]
    pub fn status(&self) -> PolicyStatus {
        match &self.source {
            Source::Fixed { config, since } => {
                let policy = config.policy().clone();
                PolicyStatus { policy, since: *since, files: Arc::default(), rejection: None }
            }
            #[cfg(feature = "policy-file")]
            Source::Watched { reloader, .. } => reloader.status(),
        }
    }

    /// Reloads a watched policy's files, even if they seem unchanged. Returns `true` if a different policy is active
    /// now. A policy that is not watched does not change. This method blocks its thread until the files are read.
    ///
    /// # Errors
    ///
    /// Fails for the same reasons as [`PolicyHandle::with_file`]. The old policy then stays active.
    #[cfg(feature = "policy-file")]
    pub fn reload(&self) -> Result<bool, PolicyError> {
        match &self.source {
            Source::Fixed { .. } => Ok(false),
            Source::Watched { reloader, .. } => reloader.reload(),
        }
    }

    /// Records in the metrics which policy is active, by the hash of its files (rule L2).
    pub fn record(&self) {
        count::record_policy(self.policy().summary().hash());
    }

    /// Records in the metrics which policy is active, and logs the policy's figures.
    pub fn announce(&self) {
        self.record();
        log::log_policy(&self.status().policy, None, "error envelopes are active");
    }
}

impl Source {
    fn fixed(config: SessionConfig) -> Self {
        Self::Fixed { config: Arc::new(config), since: clock::now() }
    }

    #[inline]
    fn config(&self) -> Arc<SessionConfig> {
        match self {
            Self::Fixed { config, .. } => config.clone(),
            #[cfg(feature = "policy-file")]
            Self::Watched { reloader, latest } => {
                let (policy, known) = (reloader.policy(), latest.load_full());
                if Arc::ptr_eq(known.policy(), &policy) {
                    return known;
                }
                let config = Arc::new(known.with_policy(policy));
                // If several requests find the new policy at the same time, only one of them reports it to the
                // observer.
                let is_first = Arc::ptr_eq(&latest.compare_and_swap(&known, config.clone()), &known);
                if let Some(observer) = config.observer().filter(|_| is_first) {
                    let _ = crate::catch(|| observer.on_policy(config.policy()));
                }
                config
            }
        }
    }
}

impl fmt::Debug for PolicyHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PolicyHandle").field("policy", &self.policy()).finish()
    }
}
