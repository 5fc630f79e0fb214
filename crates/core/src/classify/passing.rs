//! The parts of a foreign error that reach the client (rules R3, E8, E9).

use std::borrow::Cow;

use http::StatusCode;
use serde_json::value::RawValue;

use super::decide::CodeSource;
use super::details;
use super::inner::{PolicyView, is_own, stays};
use crate::code::ErrorCode;
use crate::dialect::{self, ClientMessage, Foreign, ParsedError, outgoing};
use crate::message;

/// The text that reaches the client (R3).
pub(super) fn message_text<'b>(
    foreign: Option<&Foreign<'b>>,
    code: &ErrorCode,
    decided: &CodeSource<'_>,
    status: StatusCode,
    known: &PolicyView<'_>,
) -> Option<Cow<'b, str>> {
    if let CodeSource::Rule(_, rule) = decided
        && let Some(text) = rule.say()
    {
        return Some(Cow::Owned(text.to_owned()));
    }
    let parsed = &foreign?.parsed;
    let (recognised, very_text) = match decided {
        CodeSource::Layer => return cleaned(parsed, message::clean),
        CodeSource::Rule(_, rule) => (rule.names_code() || rule.names_message(), rule.names_very_text()),
        CodeSource::Dialect => (true, false),
        CodeSource::Otherwise(_) => (false, false),
    };
    if *code == ErrorCode::INTERNAL_ERROR || status.is_server_error() && !recognised {
        return if very_text { cleaned(parsed, message::of_recognised_text) } else { None };
    }
    let clean = if recognised { message::of_recognised_text } else { message::from_foreign_text };
    // A client of the body's own dialect reads the text, whatever issues are in it (R12).
    let is_whole = very_text || foreign.is_some_and(|foreign| stays(foreign, known));
    match &parsed.client_message {
        ClientMessage::Text(text) if !is_whole => clean(text).map(|text| Cow::Owned(text.into_owned())),
        ClientMessage::Nothing if !is_whole => None,
        _ => cleaned(parsed, clean),
    }
}

/// The message of a body, if it is clean already where it stands.
fn cleaned<'b>(parsed: &ParsedError<'b>, clean: fn(&str) -> Option<Cow<'_, str>>) -> Option<Cow<'b, str>> {
    match parsed.message.as_ref()? {
        Cow::Borrowed(text) => clean(text),
        Cow::Owned(text) => clean(text).map(|text| Cow::Owned(text.into_owned())),
    }
}

/// Whether the fields beside code and message reach the client (R3).
pub(super) fn members_pass(code: &ErrorCode, decided: &CodeSource<'_>, status: StatusCode) -> bool {
    match decided {
        CodeSource::Layer => true,
        _ if *code == ErrorCode::INTERNAL_ERROR => false,
        CodeSource::Otherwise(_) => status.is_client_error(),
        CodeSource::Rule(..) | CodeSource::Dialect => true,
    }
}

/// The details that reach the client, the issue list (E8), an unknown code and a problem's type (E9) among them.
pub(super) fn details_of(
    foreign: &Foreign<'_>,
    kept: &[(&str, &RawValue)],
    code: &ErrorCode,
    decided: &CodeSource<'_>,
    status: StatusCode,
    known: &PolicyView<'_>,
) -> Option<Box<RawValue>> {
    let parsed = &foreign.parsed;
    let described;
    let kept = match foreign.problem_type().filter(|_| status.is_client_error() && !is_own(foreign, known)) {
        Some(uri) if details::has_room(parsed.details.as_deref()) => {
            described = [kept, &[("type", uri)]].concat();
            &described
        }
        _ => kept,
    };
    let named = matches!(decided, CodeSource::Rule(_, rule) if rule.names_code());
    // In the client's own dialect it stays where it is.
    let lost = status.is_client_error() && !named && !stays(foreign, known);
    let upstream_code =
        parsed.code.as_deref().filter(|parsed| lost && outgoing::is_upstream_code(parsed) && code != *parsed);
    let upstream_code = upstream_code
        .filter(|code| known.codes.find(code).is_none() && *code != status.as_str() && !foreign.defines(code))
        .filter(|_| !(parsed.has_issues() && dialect::tells_of_input(status)));
    // Details of another code stay as they came (E1).
    if parsed.issues.is_none()
        && *code == ErrorCode::INVALID_REQUEST
        && let Some(list) = parsed.details_as_issues()
    {
        return details::compose(None, kept, Some(&list.json), upstream_code);
    }
    details::compose(parsed.details.clone(), kept, parsed.issues.as_deref(), upstream_code)
}
