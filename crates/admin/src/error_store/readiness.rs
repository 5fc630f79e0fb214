//! Whether a route is ready for its next mode, from what was counted since the last policy.

use error_envelope_core::policy::Mode;

use super::tally::Tally;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ready,
    /// The next mode would refuse requests that pass now.
    NotReady,
    /// There were no requests, or none is examined in mode `off`.
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

    /// `requests` is `None` if this process does not count requests. Codes do not matter: an error whose code is only
    /// its status's is a good envelope.
    pub(crate) fn new(mode: Mode, tally: &Tally, requests: Option<u64>) -> Self {
        match mode {
            Mode::Enforce => Self::Done,
            Mode::Off => Self::Unseen,
            _ if tally.would_refuse > 0 => Self::NotReady,
            _ if requests.unwrap_or(tally.errors) == 0 => Self::Unseen,
            _ => Self::Ready,
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
