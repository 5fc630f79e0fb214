//! Step 3: the text that reaches the client (rule R3).

use std::borrow::Cow;

use super::decide::{CodeSource, Decision};
use super::parse::Parsed;
use crate::code::ErrorCode;
use crate::dialect::{ClientMessage, Foreign, ParsedBody, ParsedError};
use crate::message;

/// The text of a rewritten error.
pub(super) enum ReplyText<'b> {
    /// The default message of its code.
    OfCode,
    /// Another text of the catalogue, instead of the code's message.
    Stock(Cow<'static, str>),
    /// A clean text of the service or the policy.
    Clean(Cow<'b, str>),
}

/// Chooses the text, and states in it how many issues the list leaves out (R4).
#[inline]
pub(super) fn text<'b>(parsed: &Parsed<'_, 'b>, decision: &Decision<'_>) -> ReplyText<'b> {
    let text = match parsed.content {
        ParsedBody::Envelope(envelope) => cleaned(&envelope.message, message::clean),
        ParsedBody::Foreign(foreign) => text_of_foreign(foreign, parsed, decision),
        ParsedBody::Unread(_) | ParsedBody::Nothing | ParsedBody::Protocol(_) => text_of_rule(decision),
    };
    let more = decision.more_issues;
    match text {
        Some(text) if more > 0 => ReplyText::Clean(message::with_more(&text, more).into_owned().into()),
        Some(text) => ReplyText::Clean(text),
        None if more > 0 => {
            ReplyText::Stock(message::with_more(decision.code.default_message(), more).into_owned().into())
        }
        // A code that is known by name alone has no text: its status has.
        None if decision.code.is_foreign() => {
            ReplyText::Stock(ErrorCode::of_status(parsed.status).default_message().into())
        }
        None => ReplyText::OfCode,
    }
}

fn text_of_rule(decision: &Decision<'_>) -> Option<Cow<'static, str>> {
    let CodeSource::Rule(_, rule) = decision.source else { return None };
    rule.say().map(|text| Cow::Owned(text.to_owned()))
}

fn text_of_foreign<'b>(
    foreign: &Foreign<'b>,
    parsed: &Parsed<'_, 'b>,
    decision: &Decision<'_>,
) -> Option<Cow<'b, str>> {
    if let Some(text) = text_of_rule(decision) {
        return Some(text);
    }
    let body = &foreign.parsed;
    let (recognised, has_exact_message) = match decision.source {
        CodeSource::Layer { .. } | CodeSource::UnknownLayer => return text_of_body(body, message::clean),
        CodeSource::Rule(_, rule) => (rule.names_code() || rule.names_message(), rule.exact_message().is_some()),
        CodeSource::Dialect => (true, false),
        CodeSource::Otherwise(_) => (false, false),
    };
    if decision.code == ErrorCode::INTERNAL_ERROR || parsed.status.is_server_error() && !recognised {
        return if has_exact_message { text_of_body(body, message::of_recognised_text) } else { None };
    }
    let clean = if recognised { message::of_recognised_text } else { message::from_foreign_text };
    // A client of the body's own dialect reads the text, whatever issues are in it (R12).
    let is_whole = has_exact_message || parsed.stays;
    match &body.client_message {
        ClientMessage::Text(text) if !is_whole => clean(text).map(|text| Cow::Owned(text.into_owned())),
        ClientMessage::Nothing if !is_whole => None,
        _ => text_of_body(body, clean),
    }
}

fn text_of_body<'b>(body: &ParsedError<'b>, clean: fn(&str) -> Option<Cow<'_, str>>) -> Option<Cow<'b, str>> {
    cleaned(body.message.as_ref()?, clean)
}

/// A text, if it is clean already where it stands.
fn cleaned<'b>(text: &Cow<'b, str>, clean: fn(&str) -> Option<Cow<'_, str>>) -> Option<Cow<'b, str>> {
    match text {
        Cow::Borrowed(text) => clean(text),
        Cow::Owned(text) => clean(text).map(|text| Cow::Owned(text.into_owned())),
    }
}
