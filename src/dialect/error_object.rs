//! `{"error":{…}}` in its several forms: what they have in common, and those that are read alone.

use super::json::{self, Object};
use super::{Said, Shape, anthropic, error_with_meta, issues, openai, status_in_error};

/// The most telling form that fits.
pub(super) fn read<'a>(body: &Object<'a>) -> Option<Said<'a>> {
    let error = body.object("error")?;
    anthropic::read(body, &error)
        .or_else(|| google(body, &error))
        .or_else(|| error_with_meta::read(body, &error))
        .or_else(|| status_in_error::read(body, &error))
        .or_else(|| openai::read(body, &error))
        .or_else(|| Some(said(Shape::ErrorObject, body, &error)))
}

/// What an error object says, whichever form it has.
pub(super) fn said<'a>(shape: Shape, body: &Object<'a>, error: &Object<'a>) -> Said<'a> {
    let mut said = Said::new(shape).code(error.name("code")).message(error.words("message"));
    // JSON-RPC, where it is rewritten (R10), calls them data.
    said.details = error.json("details").or_else(|| error.json("data").filter(|_| body.has("jsonrpc")));
    said.issues = issues::beside(error);
    said
}

/// Google's code is its status: a word, beside a number.
fn google<'a>(body: &Object<'a>, error: &Object<'a>) -> Option<Said<'a>> {
    error.raw("code").filter(|code| json::is_number(code))?;
    let status = error.string("status")?;
    Some(said(Shape::Google, body, error).code(Some(status)))
}
