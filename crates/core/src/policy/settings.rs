//! The settings of a request, as the guards and the session use them (rule G0).

use std::ops::Deref;

use super::choice::Mode;
use super::compile::lists::Index;
use super::keys::{PartialSettings, ResponseSettings, Settings};

/// The part of the settings that outlives the session, because the log needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogLabel {
    pub(crate) mode: Mode,
    pub(super) route: Option<Index>,
    /// The index of the narrowest scope; 0 is the policy itself.
    pub(super) part: u16,
}

impl LogLabel {
    #[inline]
    pub(crate) fn has_route(self) -> bool {
        self.route.is_some()
    }
}

impl ResponseSettings {
    /// The index of the narrowest scope; 0 is the policy itself.
    #[inline]
    pub(crate) fn part(&self) -> u32 {
        self.part.into()
    }

    #[inline]
    pub(crate) fn label(&self) -> LogLabel {
        LogLabel { mode: self.mode, route: self.route, part: self.part }
    }
}

impl Settings {
    /// Whether the settings belong to a route or a scope.
    pub(super) fn has_place(&self) -> bool {
        self.label().has_route() || self.part() > 0
    }

    #[inline]
    pub(crate) fn response_settings(&self) -> ResponseSettings {
        self.response_settings
    }

    /// Whether the guards only check the type and the size of a body, and the mode enforces them.
    #[inline]
    pub(crate) fn guards_bodies_alone(&self) -> bool {
        self.require_headers.is_none() && self.auth.is_none() && !matches!(self.mode, Mode::Off | Mode::Observe)
    }
}

impl Deref for Settings {
    type Target = ResponseSettings;

    #[inline]
    fn deref(&self) -> &ResponseSettings {
        &self.response_settings
    }
}

impl Default for Settings {
    fn default() -> Self {
        PartialSettings::default().with_defaults(0, None)
    }
}
