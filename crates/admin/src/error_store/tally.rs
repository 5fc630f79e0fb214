//! The errors of one place since the last policy, counted in constant memory.

use error_envelope_core::policy::Mode;
use error_envelope_core::session::{Origin, Shape};

use super::error_record::{ErrorRecord, Kind};

/// The counts of one place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// The mode at the last event.
    pub(crate) mode: Mode,
    pub(crate) errors: u64,
    /// Errors whose code is only that of their status.
    pub(crate) without_code: u64,
    /// Requests that the mode `own` would refuse.
    pub(crate) would_refuse: u64,
    /// Errors that the mode `fill` would rewrite.
    pub(crate) would_fill: u64,
    /// Errors that the mode `enforce` would rewrite.
    pub(crate) would_rewrite: u64,
    pub(crate) abandoned: u64,
    /// The time of the last event.
    pub(crate) last: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, seen: &ErrorRecord) {
        let kind = &*seen.kind;
        (self.mode, self.last) = (seen.mode, seen.at);
        if !kind.is_error() {
            self.abandoned += 1;
            return;
        }
        let is_observed = kind.origin == Origin::Inner && kind.would_be.is_some();
        self.errors += u64::from(kind.is_sent_error());
        self.without_code += u64::from(kind.is_without_code());
        self.would_refuse += u64::from(!kind.would_refuse.is_empty());
        self.would_fill += u64::from(is_observed && is_filled(kind));
        self.would_rewrite += u64::from(is_observed);
    }
}

/// Whether the error has no body of a known shape: the mode `fill` rewrites an empty body, HTML and plain text (M1).
fn is_filled(kind: &Kind) -> bool {
    matches!(kind.dialect, None | Some(Shape::PlainText))
}
