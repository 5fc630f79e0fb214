//! The common parts of the dialects with an error object, `{"error":{…}}`.

use super::json::Object;
use super::parsed_error::ParsedError;

/// Parses the error object of any dialect that has an error object.
pub(super) fn parse<'a>(error: &Object<'a>) -> ParsedError<'a> {
    let mut parsed = ParsedError::new(error.name("code"), error.words("message"));
    parsed.details = error.json("details");
    parsed
}
