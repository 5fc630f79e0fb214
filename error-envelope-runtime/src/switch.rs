//! The kill switch: every route in `off` at once, for whoever is on call.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use crate::{clock, log};
use error_envelope_core::exchange::ExchangeConfig;
use error_envelope_core::policy::{Mode, Policy};

/// Puts every route into [`Mode::Off`] at once, whatever the policy says, until it is taken back.
///
/// In `off` nothing changes but the id, and what fails is answered still; credentials are asked for as before (rule M1): no
/// door opens. Requests keep the terms that they began with (rule M3). A policy that is read anew meanwhile is taken, and
/// holds when the switch is taken back. It is logged as a warning, and counted. It lasts as long as the process.
///
/// ```
/// use tower_error_envelope::middleware::KillSwitch;
/// use tower_error_envelope::ErrorEnvelopeLayer;
///
/// let switch = KillSwitch::new();
/// let layer = ErrorEnvelopeLayer::new().kill_switch(switch.clone());
///
/// assert!(switch.off());
/// assert!(switch.is_off());
/// assert!(switch.back());
/// # let _ = layer;
/// ```
#[derive(Clone, Default)]
pub struct KillSwitch(Arc<State>);

#[derive(Default)]
struct State {
    off: AtomicBool,
    /// When it was thrown or taken back last, in milliseconds since 1970; 0 is never.
    changed: AtomicU64,
}

impl KillSwitch {
    /// A switch that is not thrown.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts every route to `off`; `false` where all of them are.
    pub fn off(&self) -> bool {
        self.set(true)
    }

    /// Lets the policy's own modes hold again; `false` where they do.
    pub fn back(&self) -> bool {
        self.set(false)
    }

    /// Whether every route is in `off`.
    #[must_use]
    #[inline]
    pub fn is_off(&self) -> bool {
        self.0.off.load(Ordering::Relaxed)
    }

    /// When it was thrown or taken back last, to the millisecond; `None` where it never was.
    #[must_use]
    pub fn changed_at(&self) -> Option<SystemTime> {
        match self.0.changed.load(Ordering::Relaxed) {
            0 => None,
            milliseconds => Some(SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)),
        }
    }

    fn set(&self, off: bool) -> bool {
        let changed = self.0.off.swap(off, Ordering::Relaxed) != off;
        if changed {
            let since_1970 = clock::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            self.0.changed.store(u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
            log::log_switched(off);
        }
        changed
    }
}

impl fmt::Debug for KillSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KillSwitch").field("off", &self.is_off()).finish()
    }
}

/// A switch, and what holds while it is thrown.
pub(crate) struct Switched {
    switch: KillSwitch,
    /// Made from the terms beside them.
    made: RwLock<Option<(Arc<ExchangeConfig>, Arc<ExchangeConfig>)>>,
}

impl Switched {
    pub(crate) fn new(switch: KillSwitch) -> Self {
        Self { switch, made: RwLock::default() }
    }

    #[inline]
    pub(crate) fn is_off(&self) -> bool {
        self.switch.is_off()
    }

    #[cold]
    pub(crate) fn off(&self, terms: Arc<ExchangeConfig>) -> Arc<ExchangeConfig> {
        let made = |made: &Option<(Arc<ExchangeConfig>, Arc<ExchangeConfig>)>| match made {
            Some((of, off)) if Arc::ptr_eq(of, &terms) => Some(off.clone()),
            _ => None,
        };
        if let Some(off) = made(&self.made.read().unwrap_or_else(PoisonError::into_inner)) {
            return off;
        }
        let mut kept = self.made.write().unwrap_or_else(PoisonError::into_inner);
        made(&kept).unwrap_or_else(|| {
            let off = Arc::new(terms.with_policy(Policy::clone(terms.policy()).in_mode(Mode::Off)));
            *kept = Some((terms, off.clone()));
            off
        })
    }
}
