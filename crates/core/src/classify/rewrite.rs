//! Steps 3 and 5: the text that reaches the client (R3), and the part of a body that stays in place (R10–R12, R16). The
//! result of all steps is a [`Rewrite`]: the content of the rewritten error, and the facts for the log.

use std::borrow::Cow;

use http::StatusCode;
use serde_json::value::RawValue;

use super::decide::{CodeSource, DecidedBy, Decision};
use super::details::with_issues;
use super::parse::{KeptForm, Parsed};
use super::reply_details::ReplyDetails;
use crate::code::ErrorCode;
use crate::dialect;
use crate::dialect::protocol::Protocol;
use crate::dialect::{ClientMessage, Dialect, Foreign, ParsedBody, ParsedError, Shape};
use crate::fault::Fault;
use crate::issues::written;
use crate::json::Object;
use crate::message;
use crate::page::PageType;
#[cfg(feature = "redact")]
use crate::redact::{self, Strictness, TAKEN};

/// The decision about an inner error.
pub(crate) struct Rewrite<'b> {
    fault: Fault,
    /// True if the body is sent unchanged, because it is in the shape of its protocol (R10). For such a body, only the
    /// head and the log use the other fields of this struct.
    pub(crate) passes: bool,
    /// The cleaned message, as long as it borrows from the body. This text replaces the fault's message without another
    /// copy.
    text: Option<Cow<'b, str>>,
    pub(crate) shape: Option<Shape>,
    /// The part of the body that stays, if the body already is in the client's dialect (R12) or keeps its form (R10).
    pub(crate) retained: Option<Retained>,
    /// True if the service's response determines the code, and false if only its status does (P1).
    pub(crate) is_code_named: bool,
    /// The source that decided the code, or `None` if no inner error was read.
    pub(crate) by: Option<DecidedBy>,
    /// The index of the rule that decided, if one did.
    pub(crate) rule: Option<usize>,
    /// The status that the rule sends instead of the inner status (R1).
    pub(crate) to_status: Option<StatusCode>,
    /// The names of fields that no rule reads, and that no client gets (R14).
    pub(crate) dropped: Option<Box<str>>,
    /// The code in the body, if the policy does not know it.
    pub(crate) unknown_code: Option<Box<str>>,
    /// A JSON object of the fields that the policy keeps, for a dialect whose error object accepts them (R12).
    pub(crate) kept: Option<Box<str>>,
    /// The body to rewrite: as it was received, repaired for the parser (R3), or without its secrets (R17).
    pub(crate) body: &'b [u8],
}

impl<'b> Rewrite<'b> {
    /// Runs the steps after the second one, and joins their results.
    #[inline]
    pub(super) fn new(parsed: &Parsed<'_, 'b>, decision: Decision<'_>) -> Self {
        let (fault, text, of_issues) = text(Fault::new(decision.code.clone()), parsed, &decision);
        let details = {
            let message = text.as_deref().map_or_else(|| fault.message(), Cow::Borrowed);
            ReplyDetails::new(parsed, &decision, (&message, of_issues))
        };
        let retained = retained(parsed, &decision);
        let Decision { source, is_code_named, more_issues, .. } = decision;
        let ReplyDetails { json, kept, dropped, unknown_code, lack_issues } = details;
        let fault = fault.with_raw_details(json).with_left_out(more_issues);
        let (rule, to_status) = match source {
            CodeSource::Rule(at, rule) => (Some(at), rule.to_status),
            _ => (None, None),
        };
        let fault = match parsed.content {
            ParsedBody::Envelope(envelope) => fault.with_advice(&envelope.advice),
            _ => fault,
        };
        let (shape, by) = (shape_of(parsed), Some(source.decided_by()));
        let rewrite = Self {
            fault,
            passes: matches!(parsed.kept, KeptForm::Whole(_)),
            text,
            shape,
            retained,
            is_code_named,
            by,
            rule,
            to_status,
            dropped,
            unknown_code,
            kept,
            body: parsed.bytes,
        };
        if lack_issues { rewrite.with_issues() } else { rewrite }
    }

    /// Returns the result for a body without its secrets (R17). The body is rewritten even if it would pass with its
    /// secrets.
    #[cfg(feature = "redact")]
    pub(super) fn of_redacted(self, kept: KeptForm) -> Self {
        match kept {
            KeptForm::Whole(protocol) => Self { passes: false, retained: Some(Retained::Protocol(protocol)), ..self },
            _ => self,
        }
    }

    /// Removes secrets from the text and the details once more. Markup, entities and control characters may have hidden
    /// them in the body (R17).
    #[cfg(feature = "redact")]
    pub(super) fn redacted(mut self) -> Self {
        if let Some(text) = self.text.take() {
            let is_cut = text.len() + '…'.len_utf8() > message::MAX_BYTES && text.ends_with('…');
            let mut text = redact::text(&text, Strictness::Readable).into_owned();
            // A secret that was cut in its middle is not recognised.
            let is_word = |last: &str| last.len() < 256 && !last.contains(TAKEN);
            if let Some((left, _)) = text.rsplit_once(' ').filter(|(_, last)| is_cut && is_word(last)) {
                text = format!("{left} …");
            }
            self.text = Some(text.into());
        }
        let details = self.fault.details_json().and_then(|details| redact::body(details.as_bytes()));
        let details = details.and_then(|details| String::from_utf8(details).ok());
        if let Some(details) = details.and_then(|details| RawValue::from_string(details).ok()) {
            self.fault = self.fault.with_raw_details(Some(details));
        }
        self
    }
}

/// Returns the shape in which the body was parsed. A body that keeps its form has no shape, because only its head was
/// parsed.
fn shape_of(parsed: &Parsed<'_, '_>) -> Option<Shape> {
    match parsed.content {
        ParsedBody::Envelope(_) if parsed.kept == KeptForm::Nothing => Some(Shape::Standard),
        ParsedBody::Foreign(foreign) => Some(foreign.shape),
        ParsedBody::Envelope(_) | ParsedBody::Unread(_) | ParsedBody::Nothing | ParsedBody::Protocol(_) => None,
    }
}

impl<'b> Rewrite<'b> {
    /// Creates the result for a fault that no inner error changes.
    #[inline]
    pub(crate) fn unchanged(fault: Fault) -> Self {
        Self {
            fault,
            passes: false,
            text: None,
            shape: None,
            retained: None,
            is_code_named: true,
            by: None,
            rule: None,
            to_status: None,
            dropped: None,
            unknown_code: None,
            kept: None,
            body: &[],
        }
    }

    /// Creates an inner error that has only a status.
    pub(super) fn of_status(fault: Fault, by: DecidedBy) -> Self {
        Self { by: Some(by), is_code_named: false, ..Self::unchanged(fault) }
    }

    /// Creates an inner error that is one line of text, with the text that its client gets, if any.
    #[inline]
    pub(super) fn of_line(fault: Fault, by: DecidedBy, text: Option<Cow<'b, str>>) -> Self {
        Self { shape: Some(Shape::PlainText), text, by: Some(by), is_code_named: false, ..Self::unchanged(fault) }
    }

    pub(crate) fn code(&self) -> &ErrorCode {
        self.fault.code()
    }

    /// Returns the fault, and the text to write instead of the fault's message.
    pub(crate) fn parts(&self) -> (&Fault, Option<&str>) {
        (&self.fault, self.text.as_deref())
    }

    /// Returns the fault with its text.
    pub(crate) fn into_fault(self) -> Fault {
        match self.text {
            Some(text) => self.fault.with_clean_message(text.into_owned()),
            None => self.fault,
        }
    }

    /// Adds an issue list with the message as its only issue (E8).
    fn with_issues(mut self) -> Self {
        if let Some(text) = self.text.take() {
            self.fault = self.fault.with_clean_message(text.into_owned());
        }
        Self { fault: with_issues(self.fault), ..self }
    }
}

/// Adds an issue list to an `invalid_request` without one, if the dialect requires it (E8).
#[inline(always)]
pub(crate) fn with_issue_list(fault: Fault, dialect: Dialect) -> Fault {
    let needs_list = *fault.code() == ErrorCode::INVALID_REQUEST && dialect.spec().always_lists_issues;
    if needs_list { with_issues(fault) } else { fault }
}

/// Chooses the text of the error. A text of the catalogue is in the returned fault. A text of the service or the policy
/// is cleaned and returned separately. The last value is true if the text was made from the issues. The text also
/// contains the number of issues that are missing from the list (R4).
#[inline]
pub(super) fn text<'b>(
    fault: Fault,
    parsed: &Parsed<'_, 'b>,
    decision: &Decision<'_>,
) -> (Fault, Option<Cow<'b, str>>, bool) {
    let (mut more, mut of_issues) = (decision.more_issues, false);
    let text = match parsed.content {
        ParsedBody::Envelope(envelope) => cleaned(&envelope.message, message::clean),
        ParsedBody::Foreign(foreign) => text_of_foreign(foreign, parsed, decision),
        ParsedBody::Unread(_) | ParsedBody::Nothing | ParsedBody::Protocol(_) => text_of_rule(decision),
    };
    let text = text.or_else(|| reason(parsed, decision)).or_else(|| {
        let (text, others) = text_of_issue(parsed, decision)?;
        (more, of_issues) = (more + others, true);
        Some(Cow::Owned(text))
    });
    match text {
        Some(text) if more > 0 => (fault, Some(message::with_more(&text, more).into_owned().into()), of_issues),
        None if more > 0 => {
            let text = message::with_more(decision.code.default_message(), more).into_owned();
            (fault.with_stock_message(text), None, false)
        }
        // A code of which only the name is known has no default message, so the message of the status is used.
        None if decision.code.is_foreign() => {
            (fault.with_stock_message(ErrorCode::of_status(parsed.status).default_message()), None, false)
        }
        None => (stock(fault, parsed.status), None, of_issues),
        text => (fault, text, of_issues),
    }
}

/// Returns the fault with the text for an inner error that has no text. The text states no more than the status does
/// (R1, R3).
#[inline]
pub(super) fn stock(fault: Fault, status: StatusCode) -> Fault {
    match status.as_u16() {
        400 | 401 | 403 | 404 | 422 | 429 | 500.. => fault,
        415 if *fault.code() == ErrorCode::UNSUPPORTED_MEDIA_TYPE => {
            fault.with_stock_message("The content type is not supported.")
        }
        _ if *fault.code() == ErrorCode::BAD_REQUEST => {
            let text = fault.clone().with_status(status).message().into_owned();
            fault.with_stock_message(text)
        }
        _ => fault,
    }
}

/// Returns a text made of the first issue and the number of the other issues. A 4xx without a text gets this text, if
/// its status is neither 400 nor 422 (E8).
fn text_of_issue(parsed: &Parsed<'_, '_>, decision: &Decision<'_>) -> Option<(String, usize)> {
    let ParsedBody::Foreign(Foreign { parsed: body, .. }) = parsed.content else { return None };
    if !parsed.status.is_client_error() || dialect::tells_of_input(parsed.status) || !decision.passes {
        return None;
    }
    let in_details = || Some(Object::parse(body.details.as_deref()?)?.raw("issues")?.get());
    written::first_issue(body.issues.as_deref().or_else(in_details)?)
}

/// Returns the service's words in the status line, if its body is JSON without a text (R3).
fn reason<'b>(parsed: &Parsed<'_, 'b>, decision: &Decision<'_>) -> Option<Cow<'b, str>> {
    let is_foreign = !matches!(parsed.content, ParsedBody::Envelope(_)) && parsed.kept == KeptForm::Nothing;
    let reason = parsed.reason.filter(|_| is_foreign && decision.code != ErrorCode::INTERNAL_ERROR)?;
    serde_json::from_slice::<&RawValue>(parsed.bytes).ok().and_then(|_| message::from_foreign_text(reason))
}

fn text_of_rule(decision: &Decision<'_>) -> Option<Cow<'static, str>> {
    let CodeSource::Rule(_, rule) = decision.source else { return None };
    rule.say.as_deref().map(|text| Cow::Owned(text.to_owned()))
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
        return if has_exact_message { text_of_body(body, message::from_json_text) } else { None };
    }
    let clean = match (foreign.is_json(), recognised) {
        (true, _) => message::from_json_text,
        (false, true) => message::of_recognised_text,
        (false, false) => message::from_foreign_text,
    };
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

/// Returns the text if it can be a message after cleaning. The text is copied only if it is not a part of the body.
fn cleaned<'b>(text: &Cow<'b, str>, clean: fn(&str) -> Option<Cow<'_, str>>) -> Option<Cow<'b, str>> {
    match text {
        Cow::Borrowed(text) => clean(text),
        Cow::Owned(text) => clean(text).map(|text| Cow::Owned(text.into_owned())),
    }
}

/// The part of a body that passes (R3), if the body is in the client's dialect or keeps its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retained {
    /// All of the body stays, except a text that clients must not get.
    Whole,
    /// All of the body stays, except the fields that the layer adds to each error, because the client chose the dialect
    /// (R11).
    Negotiated,
    /// Only the names in the fields of the body stay, such as a code.
    Names,
    /// The parts that clients of the protocol may get stay, in any dialect (R10).
    Protocol(Protocol),
    /// The JSON-RPC body of an inner layer stays, except for the id (E7).
    LayersJsonRpc,
    /// The page of an inner layer stays, except for the id (R16, R18).
    Page(PageType),
}

impl Retained {
    /// Returns the word that the media type of a body with this form contains.
    pub(crate) const fn format(self) -> Option<&'static str> {
        match self {
            Self::Protocol(protocol) => Some(protocol.format()),
            Self::LayersJsonRpc => Some("json"),
            Self::Whole | Self::Negotiated | Self::Names | Self::Page(_) => None,
        }
    }
}

/// Returns the part of the body that passes, or `None` if all of the body is rewritten.
#[inline]
pub(super) fn retained(parsed: &Parsed<'_, '_>, decision: &Decision<'_>) -> Option<Retained> {
    match (parsed.kept, parsed.content) {
        (KeptForm::Filtered(protocol), _) => Some(Retained::Protocol(protocol)),
        (KeptForm::LayersJsonRpc, _) => Some(Retained::LayersJsonRpc),
        // The head has the code with which an inner layer wrote the page. The page stays for a client that prefers
        // pages (E7).
        (KeptForm::Page(page), ParsedBody::Envelope(head))
            if parsed.context.page == Some(page) && decision.code == head.code =>
        {
            Some(Retained::Page(page))
        }
        (KeptForm::Nothing, _) if parsed.stays => {
            let is_whole = decision.passes && (parsed.is_vouched || parsed.status.is_client_error());
            Some(if is_whole { Retained::Whole } else { Retained::Names })
        }
        (KeptForm::Nothing, _) if parsed.is_own && decision.passes && parsed.status.is_client_error() => {
            Some(Retained::Negotiated)
        }
        _ => None,
    }
}
