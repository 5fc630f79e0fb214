//! A session under whatever calls some bytes choose, in any order. Five claims hold:
//!
//! 1. A request is forwarded once at most, and answered once at most: by one reply or by one response that passes.
//! 2. It has one record, which is closed once (L5).
//! 3. Of a body that is replaced, and of an error's cause, the client gets no byte.
//! 4. It is forwarded only if its guards let it in.
//! 5. It always comes to an end, after which nothing more is decided.
//!
//! Proptest and the fuzz target `session` bring the bytes.

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
