//! Finds out which of two values of a key requires less of a request. [`keys`](crate::policy::keys) names these
//! functions in its rows, for `check`.

#![allow(clippy::ptr_arg, reason = "what is compared is of the type that a table has for the key")]

use crate::policy::choice::{BodyLimitPer, LetterCase, Mode, Paths, Preflight};

/// Whether both tables set the key, and the first value requires less.
pub(super) fn is_weaker<T>(own: &Option<T>, base: &Option<T>, weaker: fn(&T, &T) -> bool) -> bool {
    matches!((own, base), (Some(own), Some(base)) if weaker(own, base))
}

pub(super) fn guards_nothing(own: &Mode, base: &Mode) -> bool {
    let guards = |mode: &Mode| !matches!(mode, Mode::Off | Mode::Observe);
    guards(base) && !guards(own)
}

pub(super) fn larger(own: &Option<u64>, base: &Option<u64>) -> bool {
    own.unwrap_or(u64::MAX) > base.unwrap_or(u64::MAX)
}

pub(super) fn counts_less(own: &BodyLimitPer, base: &BodyLimitPer) -> bool {
    let streams = |per: &BodyLimitPer| match per {
        BodyLimitPer::Body => 0,
        BodyLimitPer::Auto => 1,
        BodyLimitPer::Message => 2,
    };
    streams(own) > streams(base)
}

/// For lists of names of which a request needs only one. An empty list guards nothing.
pub(super) fn lets_more_in(own: &Vec<String>, base: &Vec<String>) -> bool {
    !base.is_empty() && (own.is_empty() || own.iter().any(|name| !base.contains(name)))
}

/// For lists of names of which a request needs all.
pub(super) fn requires_fewer(own: &Vec<String>, base: &Vec<String>) -> bool {
    base.iter().any(|name| !own.contains(name))
}

pub(super) fn enforces_less(own: &bool, base: &bool) -> bool {
    *own && !*base
}

pub(super) fn passes_preflights(own: &Preflight, base: &Preflight) -> bool {
    (*own, *base) == (Preflight::Pass, Preflight::Guard)
}

pub(super) fn reads_on(own: &Paths, base: &Paths) -> bool {
    (*own, *base) == (Paths::Guard, Paths::Refuse)
}

pub(super) fn distinguishes_case(own: &LetterCase, base: &LetterCase) -> bool {
    (*own, *base) == (LetterCase::Exact, LetterCase::Fold)
}
