//! `{"error":{…}}`: the common parts of its forms.

use super::json::Object;
use super::parsed_error::ParsedError;

/// Parses an error object of any form.
pub(super) fn parse<'a>(error: &Object<'a>) -> ParsedError<'a> {
    let mut parsed = ParsedError::new(error.name("code"), error.words("message"));
    parsed.details = error.json("details");
    parsed
}
