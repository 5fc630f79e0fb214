//! The result of the steps: the content of the rewritten error, and the facts for the log.

use std::borrow::Cow;

use http::StatusCode;

use super::decide::{CodeSource, Decision};
use super::decided::DecidedBy;
use super::details::with_issues;
use super::parse::{KeptForm, Parsed};
use super::reply_details::ReplyDetails;
use super::retained::{Retained, retained};
use super::text::{ReplyText, text};
use crate::code::ErrorCode;
use crate::dialect::{Dialect, ParsedBody, Shape};
use crate::fault::Fault;

pub(crate) enum RewriteDecision<'b> {
    /// Write a new body.
    Rewrite(Rewrite<'b>),
    /// Send the body unchanged, because it is in the shape of its protocol (R10). Only the head and the log get the
    /// contents of the rewrite.
    Pass(Rewrite<'b>),
}

pub(crate) struct Rewrite<'b> {
    fault: Fault,
    /// The cleaned message, while it still borrows from the body: it replaces the fault's, without another copy.
    text: Option<Cow<'b, str>>,
    pub(crate) shape: Option<Shape>,
    /// The part of the body that stays, if the body already is in the client's dialect (R12) or keeps its form (R10).
    pub(crate) retained: Option<Retained>,
    /// The service's response determines the code; else only the status does (P1).
    pub(crate) is_code_named: bool,
    /// What decided the code; `None` where no inner error was read.
    pub(crate) by: Option<DecidedBy>,
    /// The index of the rule that decided, if one did.
    pub(crate) rule: Option<usize>,
    /// The status that this rule sends instead of the inner one (R1).
    pub(crate) to_status: Option<StatusCode>,
    /// The names of fields that no rule reads, and that no client gets (R14).
    pub(crate) dropped: Option<Box<str>>,
    /// The code in the body, if the policy does not know it.
    pub(crate) unknown_code: Option<Box<str>>,
    /// Fields that the policy keeps, for a dialect whose error object takes them (R12): a JSON object.
    pub(crate) kept: Option<Box<str>>,
    /// The body to rewrite: as it was received, repaired for the parser (R3), or without its secrets (R17).
    pub(crate) body: &'b [u8],
}

impl<'b> RewriteDecision<'b> {
    /// Takes the steps after the second one, and joins their results.
    #[inline]
    pub(super) fn new(parsed: &Parsed<'_, 'b>, decision: Decision<'_>) -> Self {
        let text = text(parsed, &decision);
        let details = ReplyDetails::new(parsed, &decision);
        let retained = retained(parsed, &decision);
        let Decision { code, source, is_code_named, more_issues, .. } = decision;
        let ReplyDetails { json, kept, dropped, unknown_code, lack_issues } = details;
        let fault = Fault::new(code);
        let (fault, text) = match text {
            ReplyText::OfCode => (fault, None),
            ReplyText::Stock(text) => (fault.with_stock_message(text), None),
            ReplyText::Clean(text) => (fault, Some(text)),
        };
        let fault = fault.with_raw_details(json).with_left_out(more_issues);
        let (rule, to_status) = match source {
            CodeSource::Rule(at, rule) => (Some(at), rule.to_status()),
            _ => (None, None),
        };
        let fault = match parsed.content {
            ParsedBody::Envelope(envelope) => fault.with_advice(&envelope.advice),
            _ => fault,
        };
        let (shape, by) = (shape_of(parsed), Some(source.decided_by()));
        let rewrite = Rewrite {
            fault,
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
        let rewrite = if lack_issues { rewrite.with_issues() } else { rewrite };
        if matches!(parsed.kept, KeptForm::Whole(_)) { Self::Pass(rewrite) } else { Self::Rewrite(rewrite) }
    }

    /// The result for a body without its secrets (R17): it is rewritten, even if it would pass with them.
    #[cfg(feature = "redact")]
    pub(super) fn of_redacted(self, kept: KeptForm) -> Self {
        match (self, kept) {
            (Self::Pass(rewrite), KeptForm::Whole(protocol)) => {
                Self::Rewrite(Rewrite { retained: Some(Retained::Protocol(protocol)), ..rewrite })
            }
            (decision, _) => decision,
        }
    }
}

/// The shape in which the body was parsed. A body that keeps its form has none: only its head was parsed.
fn shape_of(parsed: &Parsed<'_, '_>) -> Option<Shape> {
    match parsed.content {
        ParsedBody::Envelope(_) if parsed.kept == KeptForm::Nothing => Some(Shape::Standard),
        ParsedBody::Foreign(foreign) => Some(foreign.shape),
        ParsedBody::Envelope(_) | ParsedBody::Unread(_) | ParsedBody::Nothing | ParsedBody::Protocol(_) => None,
    }
}

impl<'b> Rewrite<'b> {
    /// The fault itself, without any change by an inner error.
    #[inline]
    pub(crate) fn unchanged(fault: Fault) -> Self {
        Self {
            fault,
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

    /// An inner error that has only a status.
    pub(super) fn of_status(fault: Fault, by: DecidedBy) -> Self {
        Self { by: Some(by), is_code_named: false, ..Self::unchanged(fault) }
    }

    /// An inner error that is one line of text, with the text that its client gets, if any.
    #[inline]
    pub(super) fn of_line(fault: Fault, by: DecidedBy, text: Option<Cow<'b, str>>) -> Self {
        Self { shape: Some(Shape::PlainText), text, by: Some(by), is_code_named: false, ..Self::unchanged(fault) }
    }

    pub(crate) fn code(&self) -> &ErrorCode {
        self.fault.code()
    }

    /// The fault, and the text to write instead of its own.
    pub(crate) fn parts(&self) -> (&Fault, Option<&str>) {
        (&self.fault, self.text.as_deref())
    }

    /// The fault with its text.
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
