//! Whether a route is ready for its next mode, from the counts of its errors.

use error_envelope_core::policy::Mode;

use super::tally::Tally;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ready,
    NotReady,
    /// The route's mode passes errors without examining them, so nothing is known.
    Unseen,
    /// The route is in `enforce`: nothing is left to do.
    Done,
}

impl Verdict {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NotReady => "not_ready",
            Self::Unseen => "unseen",
            Self::Done => "done",
        }
    }

    pub(crate) fn new(mode: Mode, tally: &Tally, today: u32) -> Self {
        let is_refused = mode == Mode::Observe && tally.would_refuse.sum(today) > 0;
        let is_clean = tally.without_code.sum(today) == 0 && !is_refused;
        match mode {
            Mode::Off => Self::Unseen,
            Mode::Own | Mode::Fill if tally.inner.sum(today) == 0 => Self::Unseen,
            Mode::Enforce if is_clean => Self::Done,
            _ if is_clean => Self::Ready,
            _ => Self::NotReady,
        }
    }
}

/// The mode after this one, in the order in which an operator turns them on.
pub(crate) fn next(mode: Mode) -> Option<Mode> {
    match mode {
        Mode::Off => Some(Mode::Observe),
        Mode::Observe => Some(Mode::Own),
        Mode::Own => Some(Mode::Fill),
        Mode::Fill => Some(Mode::Enforce),
        // `Enforce` is the last mode; one that the core adds later is not in this order yet.
        _ => None,
    }
}

#[cfg(test)]
mod tests;
