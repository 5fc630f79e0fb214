//! What every adapter needs, by the names that another one calls it by.

#[cfg(feature = "policy-file")]
use std::path::Path;
#[cfg(feature = "policy-file")]
use std::sync::Arc;
use std::time::SystemTime;

#[cfg(feature = "policy-file")]
use super::standing::PolicyInForce;
#[cfg(feature = "policy-file")]
use super::switch::KillSwitch;
use super::{id, log};
use crate::exchange::{Answered, Event, Notes};
#[cfg(feature = "policy-file")]
use crate::exchange::{Observer, Terms};
#[cfg(feature = "policy-file")]
use crate::loader::PolicyLoader;
#[cfg(feature = "policy-file")]
use crate::policy::{Policy, PolicyError};
use crate::request_id::RequestId;

/// A fresh id of now, its random bits from the thread's CSPRNG (I1).
#[must_use]
pub fn fresh_id() -> RequestId {
    id::fresh()
}

/// The clock of the system, for [`Terms::new`](crate::exchange::Terms::new).
#[must_use]
pub fn clock() -> SystemTime {
    id::now()
}

/// Runs code that may panic; a panic becomes its text (F2). Nothing can be caught with `panic = "abort"`.
///
/// # Errors
///
/// The panic's text.
pub fn catch<T>(code: impl FnOnce() -> T) -> Result<T, Box<str>> {
    super::catch::catch(code)
}

/// Logs and counts one event (L1, L2), under the target `tower_error_envelope`, and drops its cause.
pub fn event(event: Event) {
    log::event(event);
}

/// Logs and counts what an answer has to tell.
pub fn answered(answered: &mut Answered) {
    log::answered(answered);
}

/// Logs and counts what `auth_observe` has not let refuse a request (M1).
pub fn unenforced(event: Option<Box<Event>>) {
    log::unenforced(event);
}

/// Logs that other request ids gave way where no error carries them to the log (I2, I3).
pub fn notes(id: RequestId, notes: Option<Box<Notes>>) {
    log::notes(id, notes);
}

/// The policy that is in force (M3): a request asks for its terms once, and keeps them to its end.
#[cfg(feature = "policy-file")]
#[derive(Clone)]
pub struct InForce(super::in_force::InForce);

#[cfg(feature = "policy-file")]
impl InForce {
    /// A policy for good.
    pub fn fixed(policy: impl Into<Arc<Policy>>) -> Self {
        Self(super::in_force::InForce::fixed(policy.into()))
    }

    /// The policy of a file, which is read again by a thread of its own whenever a file of the policy changes, as
    /// [`ErrorEnvelopeLayer::watching`](crate::ErrorEnvelopeLayer::watching) does. The thread ends with the last clone.
    ///
    /// # Errors
    ///
    /// What [`PolicyLoader::load`] refuses, and folders that cannot be watched.
    pub fn watching(path: impl AsRef<Path>, loader: PolicyLoader) -> Result<Self, PolicyError> {
        let watched = super::watch::Watched::new(path.as_ref(), loader)?;
        Ok(Self(super::in_force::InForce::fixed(Arc::default()).with_watched(watched)))
    }

    /// Shows each error to an observer, once, as it is logged.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self(self.0.with_terms(|terms| terms.with_observer(Some(observer))))
    }

    /// Lets a switch put every route into [`Mode::Off`](crate::Mode::Off).
    #[must_use]
    pub fn switched_by(self, switch: KillSwitch) -> Self {
        Self(self.0.with_switch(switch))
    }

    /// What holds for a request that begins now.
    #[must_use]
    #[inline]
    pub fn terms(&self) -> Arc<Terms> {
        self.0.terms()
    }

    /// What is in force: the policy, since when, from which files, and what was refused last. A thrown switch is left out
    /// of it.
    #[must_use]
    pub fn in_force(&self) -> PolicyInForce {
        self.0.standing()
    }

    /// Logs what is in force, in figures.
    pub fn announce(&self) {
        log::in_force(&self.0.policy(), None, "error envelopes are in force");
    }
}

#[cfg(feature = "policy-file")]
impl std::fmt::Debug for InForce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InForce").field("policy", &self.0.policy()).finish()
    }
}
