//! The facts about a body before it is read.

use http_body::Body;

use error_envelope_core::exchange::BodyFacts;
use error_envelope_runtime::catch;

/// What a body reports about itself. One that panics reports nothing, and will panic again when it is read (F2).
pub(super) fn facts<B: Body>(body: &B) -> BodyFacts {
    let facts = catch(|| {
        let size = body.size_hint();
        BodyFacts { ended: body.is_end_stream(), lower: size.lower(), upper: size.upper() }
    });
    facts.unwrap_or_default()
}
