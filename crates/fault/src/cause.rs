//! The chain of an error's causes.

use std::error::Error;
use std::fmt;
use std::io;

/// The most causes that are visited. A longer chain is a cycle or a mistake.
const MAX_CAUSES: usize = 64;

/// An error whose type does not implement `Error`, and in which no part has a code. The hint is logged, and advises how
/// to give the error a code.
pub struct Unrecognised {
    error: Box<dyn AsRef<dyn Error + Send + Sync> + Send + Sync>,
    pub hint: &'static str,
}

impl Unrecognised {
    pub fn new(error: impl AsRef<dyn Error + Send + Sync> + Send + Sync + 'static, hint: &'static str) -> Self {
        Self { error: Box::new(error), hint }
    }
}

impl Error for Unrecognised {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        (*self.error).as_ref().source()
    }
}

impl fmt::Display for Unrecognised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt((*self.error).as_ref(), f)
    }
}

impl fmt::Debug for Unrecognised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt((*self.error).as_ref(), f)
    }
}

/// Returns the error and its causes, beginning with the outermost. The error inside an `io::Error`, which `source()`
/// skips, is included (F1).
#[inline]
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| next(*error)).take(MAX_CAUSES)
}

#[inline]
fn next<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(payload) => Some(payload),
        None => error.source(),
    }
}

/// Returns the first cause of this type.
pub fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// Returns true if any cause is an `io::Error` of a certain kind.
pub fn has_io_kind(error: &(dyn Error + 'static), is: impl Fn(io::ErrorKind) -> bool) -> bool {
    chain(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|error| is(error.kind()))
}

/// Returns true if a time limit ended a body. Such an error is an I/O error, or comes from tower-http's
/// `RequestBodyTimeoutLayer`. The latter is recognised by its text, so that no version of tower-http is required.
///
/// # Panics
///
/// Panics if the `Display` of an error panics. Call the function only where a panic is caught.
pub fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    const TOWER_HTTP: &str = "data was not received within the designated timeout";

    has_io_kind(error, |kind| kind == io::ErrorKind::TimedOut) || chain(error).any(|it| it.to_string() == TOWER_HTTP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::ErrorCode;
    use crate::fault::Fault;

    #[test]
    fn f1_the_payload_of_an_io_error_is_a_cause() {
        let inner = io::Error::other(Fault::new(ErrorCode::GONE));
        let outer = io::Error::new(io::ErrorKind::TimedOut, inner);
        assert_eq!(find::<Fault>(&outer).unwrap().code(), &ErrorCode::GONE);
        assert!(has_io_kind(&outer, |kind| kind == io::ErrorKind::TimedOut));
        assert!(find::<Fault>(&io::Error::from(io::ErrorKind::NotFound)).is_none());
    }
}
