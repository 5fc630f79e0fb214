//! One route's errors, counted in constant memory.

use std::sync::Arc;

use error_envelope_core::exchange::Origin;
use error_envelope_core::policy::Mode;

use super::draft;
use super::error_record::{Entry, ErrorRecord, Kind};
use super::path_forms::PathForms;
use super::week::{self, Week};

/// The most kinds that are counted separately: more than a person reads. Beyond this number, the rarest kinds are
/// counted together.
pub(crate) const MOST_KINDS: usize = 24;

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
    /// Errors whose body has no structure: empty, HTML or plain text.
    pub(crate) without_shape: Week,
    /// Requests that the mode `own` would refuse.
    pub(crate) would_refuse: Week,
    pub(crate) abandoned: Week,
    pub(crate) last: u64,
    pub(crate) last_without_code: u64,
    pub(crate) last_would_refuse: u64,
    pub(crate) kinds: Vec<OfKind>,
    /// Forms of paths that no route matched.
    pub(crate) forms: PathForms,
    /// Errors of kinds that are no longer counted separately.
    pub(crate) others: Week,
    /// The last error whose bodies may be shown.
    pub(crate) example: Option<Arc<Entry>>,
}

/// How often errors of one kind were seen.
#[derive(Clone, Debug)]
pub(crate) struct OfKind {
    pub(crate) kind: Arc<Kind>,
    pub(crate) week: Week,
    pub(crate) last: u64,
}

impl Tally {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { mode, ..Self::default() }
    }

    /// Counts one, and returns its kind.
    pub(crate) fn count(&mut self, seen: &ErrorRecord<'_>) -> Arc<Kind> {
        let day = week::day(seen.at);
        (self.mode, self.last) = (seen.mode, seen.at);
        if seen.kind.is_error() {
            self.count_error(seen, day);
        } else {
            self.abandoned.add(day, 1);
        }
        self.count_kind(seen, day)
    }

    fn count_error(&mut self, seen: &ErrorRecord<'_>, day: u32) {
        let kind = &seen.kind;
        self.errors.add(day, 1);
        if let Some(form) = &seen.form {
            self.forms.count(form, day);
        }
        if kind.origin == Origin::Inner {
            self.inner.add(day, 1);
        }
        if kind.is_without_code() {
            self.count_without_code(seen, day);
        }
        if kind.origin == Origin::Guard && kind.would_be.is_some() {
            self.would_refuse.add(day, 1);
            self.last_would_refuse = seen.at;
        }
    }

    fn count_without_code(&mut self, seen: &ErrorRecord<'_>, day: u32) {
        if seen.kind.dialect.is_none() {
            self.without_shape.add(day, 1);
        }
        if draft::status_suffices(&seen.kind) {
            self.by_status.add(day, 1);
        } else {
            self.without_code.add(day, 1);
            self.last_without_code = seen.at;
        }
    }

    fn count_kind(&mut self, seen: &ErrorRecord<'_>, day: u32) -> Arc<Kind> {
        if let Some(known) = self.kinds.iter_mut().find(|known| *known.kind == seen.kind) {
            known.week.add(day, 1);
            known.last = seen.at;
            return known.kind.clone();
        }
        if self.kinds.len() == MOST_KINDS {
            self.forget_rarest(day);
        }
        let mut week = Week::default();
        week.add(day, 1);
        let kind = Arc::new(seen.kind.clone());
        self.kinds.push(OfKind { kind: kind.clone(), week, last: seen.at });
        kind
    }

    fn forget_rarest(&mut self, day: u32) {
        let rarest = (0..self.kinds.len()).min_by_key(|at| (self.kinds[*at].week.sum(day), self.kinds[*at].last));
        if let Some(rarest) = rarest {
            self.others.take_over(&self.kinds.swap_remove(rarest).week);
        }
    }

    /// The kinds that were seen in the last seven days, the commonest first.
    pub(crate) fn commonest(&self, today: u32) -> Vec<(u64, &OfKind)> {
        let mut kinds: Vec<_> = self.kinds.iter().map(|it| (it.week.sum(today), it)).collect();
        kinds.retain(|(count, _)| *count > 0);
        kinds.sort_by_key(|(count, it)| (std::cmp::Reverse(*count), std::cmp::Reverse(it.last)));
        kinds
    }
}
