//! The faults of a scheme that is the only one of its route. Each is created only once, because refusals may come in
//! large numbers.

use std::sync::OnceLock;

use crate::fault::Fault;

/// One fault for each reason to refuse, and for each whether a token was sent.
#[derive(Default)]
pub(super) struct PreparedRejections([OnceLock<Fault>; 2 * MOST]);

const MOST: usize = 6;

impl PreparedRejections {
    pub(super) fn get_or_prepare(&self, why: usize, token_sent: bool, make: impl FnOnce() -> Fault) -> Fault {
        match self.0.get(2 * why + usize::from(token_sent)) {
            Some(kept) => kept.get_or_init(|| make().with_stored_reply()).clone(),
            None => make(),
        }
    }
}
