//! `{"error":{…}}`: what its several forms have in common.

use super::issues;
use super::json::Object;
use super::parsed_error::{Body, ParsedError};

/// What an error object says that has no sign of a dialect.
pub(super) fn read<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    Some(parse(body, body.error.as_ref()?))
}

/// What an error object says, whichever form it has.
pub(super) fn parse<'a>(body: &Body<'a, '_>, error: &Object<'a>) -> ParsedError<'a> {
    let mut said = ParsedError::new(error.name("code"), error.words("message"));
    // JSON-RPC, where it is rewritten (R10), calls them data.
    said.details = error.json("details").or_else(|| error.json("data").filter(|_| body.object.has("jsonrpc")));
    said.issues = issues::parse_beside(error);
    said
}
