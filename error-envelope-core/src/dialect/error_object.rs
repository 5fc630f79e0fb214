//! `{"error":{…}}`: what its several forms have in common.

use super::json::Object;
use super::parsed_error::ParsedError;

/// What an error object says, whichever form it has.
pub(super) fn parse<'a>(error: &Object<'a>) -> ParsedError<'a> {
    let mut parsed = ParsedError::new(error.name("code"), error.words("message"));
    parsed.details = error.json("details");
    parsed
}
