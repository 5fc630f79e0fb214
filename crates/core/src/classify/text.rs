//! Step 3: the text that reaches the client (rule R3).

use std::borrow::Cow;

use super::decide::{CodeSource, Decision};
use super::parse::Parsed;
use crate::code::ErrorCode;
use crate::dialect::{ClientMessage, Foreign, ParsedBody, ParsedError};
use crate::message;

/// The text of a rewritten error.
pub(super) enum ReplyText<'b> {
    /// The default message of the error's code.
    OfCode,
    /// A text of the catalogue other than the default message of the code.
    Stock(Cow<'static, str>),
    /// A text of the service or the policy, already cleaned.
    Clean(Cow<'b, str>),
}

/// Chooses the text. It also states how many issues are missing from the list (R4).
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
        // A code of which only the name is known has no default message: the one of the status is used.
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
    // A client that reads the body's own dialect gets the whole text, even if it contains the issues (R12).
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

/// The text, if it is fit for a message after cleaning. It is copied only if it is not part of the body.
fn cleaned<'b>(text: &Cow<'b, str>, clean: fn(&str) -> Option<Cow<'_, str>>) -> Option<Cow<'b, str>> {
    match text {
        Cow::Borrowed(text) => clean(text),
        Cow::Owned(text) => clean(text).map(|text| Cow::Owned(text.into_owned())),
    }
}
