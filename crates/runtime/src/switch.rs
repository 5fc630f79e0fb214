//! The kill switch, with which operators on call put every route in mode `off` at once.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use crate::{clock, log};
use error_envelope_core::message::is_invisible;
use error_envelope_core::policy::Policy;
use error_envelope_core::session::SessionConfig;

/// Puts every route into [`Mode::Off`](error_envelope_core::policy::Mode::Off) at once, until the switch is turned off.
/// While the switch is on, the modes in the policy have no effect.
///
/// In mode `off`, the layer only adds request ids, and responds to failures such as panics. Credentials are still
/// required (rule M1). Requests keep the config with which they began (rule M3). If a policy is reloaded while the
/// switch is on, its modes apply when the switch is turned off. Each change of the switch is logged as a warning, and
/// counted. The state of the switch is kept in memory, so a restart clears it.
///
/// ```
/// use tower_error_envelope::middleware::KillSwitch;
/// use tower_error_envelope::ErrorEnvelopeLayer;
///
/// let switch = KillSwitch::new();
/// let layer = ErrorEnvelopeLayer::new().kill_switch(switch.clone());
///
/// assert!(switch.turn_on());
/// assert!(switch.is_on());
/// assert!(switch.turn_off());
/// # let _ = layer;
/// ```
#[derive(Clone, Debug, Default)]
pub struct KillSwitch(Arc<State>);

#[derive(Debug, Default)]
struct State {
    on: AtomicBool,
    last: RwLock<Option<SwitchChange>>,
}

/// The operator who turns a [`KillSwitch`] on or off, and the operator's reason. Both are optional. The log and the
/// admin page show them, but they never become labels of metrics.
///
/// ```
/// use tower_error_envelope::middleware::{KillSwitch, SwitchNote};
///
/// let switch = KillSwitch::new();
/// switch.set(true, SwitchNote::new().by("maria").reason("orders loses its own error texts"));
///
/// let change = switch.last_change().unwrap();
/// assert!(change.on);
/// assert_eq!(change.by.as_deref(), Some("maria"));
/// assert_eq!(change.reason.as_deref(), Some("orders loses its own error texts"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SwitchNote {
    by: Option<Arc<str>>,
    reason: Option<Arc<str>>,
    peer: Option<IpAddr>,
}

impl SwitchNote {
    /// The largest number of characters of a name or a reason. Longer texts are cut.
    pub const MAX_CHARS: usize = 200;

    /// Creates an empty note.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name. Invisible characters and line breaks become spaces. An empty name is ignored.
    pub fn by(self, name: &str) -> Self {
        Self { by: one_line(name), ..self }
    }

    /// Sets the reason. Invisible characters and line breaks become spaces. An empty reason is ignored.
    pub fn reason(self, reason: &str) -> Self {
        Self { reason: one_line(reason), ..self }
    }

    /// Sets the address from which the change was requested. Unlike the name and the reason, the sender cannot choose
    /// this address.
    pub fn peer(self, peer: IpAddr) -> Self {
        Self { peer: Some(peer), ..self }
    }
}

fn one_line(text: &str) -> Option<Arc<str>> {
    let shown = text.chars().take(SwitchNote::MAX_CHARS).map(|it| if is_invisible(it) { ' ' } else { it });
    let shown = shown.collect::<String>();
    Some(shown.trim()).filter(|text| !text.is_empty()).map(Into::into)
}

/// The last change of a [`KillSwitch`]. The name and the reason are not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SwitchChange {
    /// True if the switch was turned on, and false if it was turned off.
    pub on: bool,
    /// The time of the change.
    pub at: SystemTime,
    /// The name of the operator, if the note has one.
    pub by: Option<Arc<str>>,
    /// The reason, if the note has one.
    pub reason: Option<Arc<str>>,
    /// The address from which the change was requested, if it came over the network.
    pub peer: Option<IpAddr>,
}

impl SwitchChange {
    fn new(on: bool, at: SystemTime, SwitchNote { by, reason, peer }: SwitchNote) -> Self {
        Self { on, at, by, reason, peer }
    }
}

impl KillSwitch {
    /// Creates a switch that is off.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts every route in mode `off`. Returns `false` if the switch is already on.
    pub fn turn_on(&self) -> bool {
        self.set(true, SwitchNote::new())
    }

    /// Applies the policy's own modes again. Returns `false` if the switch is already off.
    pub fn turn_off(&self) -> bool {
        self.set(false, SwitchNote::new())
    }

    /// Returns true if every route is in mode `off`.
    #[must_use]
    #[inline]
    pub fn is_on(&self) -> bool {
        self.0.on.load(Ordering::Relaxed)
    }

    /// Returns the last change of the switch, with its author, time and reason. Returns `None` if the switch has never
    /// changed.
    #[must_use]
    #[doc(hidden)]
    pub fn last_change(&self) -> Option<SwitchChange> {
        self.0.last.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Turns the switch on or off, and stores the note. Returns `false`, and keeps the earlier note, if the switch is
    /// already in this state.
    #[doc(hidden)]
    pub fn set(&self, on: bool, note: SwitchNote) -> bool {
        // The lock is held until the note is stored. So if two changes happen at the same time, the stored note belongs
        // to the last change.
        let mut last = self.0.last.write().unwrap_or_else(PoisonError::into_inner);
        let changed = self.0.on.swap(on, Ordering::Relaxed) != on;
        if changed {
            let change = SwitchChange::new(on, clock::now(), note);
            log::log_switched(on, [change.by.as_deref(), change.reason.as_deref()], change.peer);
            *last = Some(change);
        }
        changed
    }

    /// Applies a change that was made before this process began. The change keeps its original time.
    #[doc(hidden)]
    pub fn restore(&self, at: SystemTime, on: bool, note: SwitchNote) {
        let mut last = self.0.last.write().unwrap_or_else(PoisonError::into_inner);
        self.0.on.store(on, Ordering::Relaxed);
        log::log_switch_restored(on);
        *last = Some(SwitchChange::new(on, at, note));
    }
}

/// A switch, and the config that applies while the switch is on.
pub(crate) struct Switched {
    switch: KillSwitch,
    /// The config in mode `off`, and the config from which it was made.
    made: Mutex<Option<(Arc<SessionConfig>, Arc<SessionConfig>)>>,
}

impl Switched {
    pub(crate) fn new(switch: KillSwitch) -> Self {
        Self { switch, made: Mutex::default() }
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.switch.is_on()
    }

    #[cold]
    pub(crate) fn in_mode_off(&self, config: Arc<SessionConfig>) -> Arc<SessionConfig> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((source, off)) = &*made
            && Arc::ptr_eq(source, &config)
        {
            return off.clone();
        }
        let off = Arc::new(config.with_policy(Policy::clone(config.policy()).switched_off()));
        *made = Some((config, off.clone()));
        off
    }
}
