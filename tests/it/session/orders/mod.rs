//! Runs a session with calls that some bytes choose, in any order. Five claims hold:
//!
//! 1. A request is forwarded at most once, and gets at most one response: one reply, or one response that passes.
//! 2. The request has one record, which is closed once (L5).
//! 3. The client gets no byte of a replaced body or of an error's cause.
//! 4. The request is forwarded only if its guards let it in.
//! 5. The request always ends, and nothing more is decided after that.
//!
//! Proptest and the fuzz target `session` provide the bytes.

mod ledger;
mod passing;
mod request;
mod response;
mod run;

use crate::choices::Choices;

/// Panics if one of the claims does not hold.
pub(crate) fn check(bytes: &[u8]) {
    let choices = &mut Choices::new(bytes);
    let mut run = run::Run::begin(choices);
    while !choices.is_empty() {
        run.call(choices);
    }
    run.end(choices);
}
