//! Calls the methods of user-defined bodies and errors, and catches their panics (rule F2).

use std::error::Error;

use http_body::{Body, SizeHint};

use error_envelope_core::session::{BodyFacts, BoxError, Failure};
use error_envelope_runtime::catch;

/// What a body reports about itself. If it panics, it counts as reporting nothing. The panic is returned, too: it may
/// not panic again when it is read.
pub(super) fn facts<B: Body>(body: &B) -> (BodyFacts, Option<Box<str>>) {
    let facts = catch(|| {
        let size = body.size_hint();
        BodyFacts { ended: body.is_end_stream(), lower: size.lower(), upper: size.upper() }
    });
    facts.map_or_else(|panic| (BodyFacts::default(), Some(panic)), |facts| (facts, None))
}

/// Whether a body reports its end.
pub(super) fn has_ended<B: Body>(body: &B) -> bool {
    catch(|| body.is_end_stream()).unwrap_or(false)
}

/// The size that a body reports.
pub(super) fn size_hint<B: Body>(body: &B) -> SizeHint {
    catch(|| body.size_hint()).unwrap_or_default()
}

/// The failure that an error stands for, and the error; if inspecting the error panics, the text of the panic.
pub(super) fn inspected(
    error: BoxError,
    failure_of: impl FnOnce(&(dyn Error + 'static)) -> Option<Failure>,
) -> Result<(Failure, BoxError), Box<str>> {
    match catch(|| failure_of(&*error)) {
        Ok(failure) => Ok((failure.unwrap_or_else(Failure::panicked), error)),
        Err(panic) => {
            let _ = catch(|| drop(error));
            Err(panic)
        }
    }
}
