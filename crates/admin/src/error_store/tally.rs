//! One route's errors, counted in constant memory.

use error_envelope_core::policy::Mode;
use error_envelope_core::session::Origin;

use super::error_record::{ErrorRecord, Kind};
use super::ring::{Week, day};

/// The counts of one route.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// The route's mode at its last error.
    pub(crate) mode: Mode,
    pub(crate) errors: Week,
    /// Errors of the service.
    pub(crate) inner: Week,
    /// Errors without a code, to which a rule could give one.
    pub(crate) without_code: Week,
    /// Errors whose status describes them fully.
    pub(crate) by_status: Week,
    /// Requests that the mode `own` would refuse.
    pub(crate) would_refuse: Week,
    pub(crate) abandoned: Week,
    pub(crate) last: u64,
    pub(crate) last_without_code: u64,
    pub(crate) last_would_refuse: u64,
}

impl Tally {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Counts one.
    pub(crate) fn count(&mut self, seen: &ErrorRecord) {
        let (day, kind) = (day(seen.at), &seen.kind);
        (self.mode, self.last) = (seen.mode, seen.at);
        if !kind.is_error() {
            self.abandoned.add(day, 1);
            return;
        }
        self.errors.add(day, 1);
        if kind.origin == Origin::Inner {
            self.inner.add(day, 1);
        }
        if kind.is_without_code() && status_suffices(kind) {
            self.by_status.add(day, 1);
        } else if kind.is_without_code() {
            self.without_code.add(day, 1);
            self.last_without_code = seen.at;
        }
        if kind.origin == Origin::Guard && kind.would_be.is_some() {
            self.would_refuse.add(day, 1);
            self.last_would_refuse = seen.at;
        }
    }
}

/// Whether the status describes the error fully: it has only one meaning, or the service itself failed. The catalogue's
/// code then fits, and a rule would add nothing.
fn status_suffices(kind: &Kind) -> bool {
    let says_all =
        |status| matches!(status, 401 | 405..=408 | 411 | 413..=417 | 421 | 426 | 428 | 429 | 431 | 451 | 500..);
    kind.unknown.is_none() && kind.sent.is_some_and(says_all)
}
