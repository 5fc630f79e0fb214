//! The name, the text and the status of an error in the form in which a client gets them (R12).

use std::borrow::Cow;

use http::StatusCode;

use super::Dialect;
use crate::fault::Fault;
use crate::issues::written;
use crate::json::Object;
use crate::message;

/// The parts of an error as they are sent to the client.
#[derive(Debug, PartialEq, Eq)]
pub struct OutwardForm<'a> {
    pub name: Cow<'a, str>,
    pub text: Cow<'a, str>,
    pub status: StatusCode,
}

impl<'a> OutwardForm<'a> {
    /// Returns the canonical parts of a fault, for a client that chose the dialect itself (R11).
    pub fn canonical(fault: &'a Fault, status: StatusCode, can_list_issues: bool) -> Self {
        Self { name: Cow::Borrowed(fault.code().as_str()), text: whole_text(fault, can_list_issues), status }
    }

    /// Returns the parts of a fault in this dialect. The policy's `name`, if there is one, replaces the dialect's own
    /// name. The policy's `text` is sent if the fault has no text.
    pub fn new(
        fault: &'a Fault,
        status: StatusCode,
        dialect: Dialect,
        name: Option<&'a str>,
        text: impl FnOnce() -> Option<Cow<'a, str>>,
    ) -> Self {
        let can_list_issues = dialect.spec().can_list_issues;
        let text = match fault.own_message() {
            Some(own) if can_list_issues => Some(own),
            Some(_) => None,
            None => text(),
        };
        Self {
            name: name.map_or_else(|| dialect.spec().name_of(fault.code(), status), Cow::Borrowed),
            text: text.unwrap_or_else(|| whole_text(fault, can_list_issues)),
            status,
        }
    }

    /// Returns the details to send. `always_lists` is true if every `invalid_request` has an issue list in this form.
    pub fn details<'f>(&self, fault: &'f Fault, always_lists: bool) -> Option<Cow<'f, str>> {
        let text = fault.message();
        Some(match without_noise(always_lists, fault.details_json()?, &text)? {
            details if always_lists && self.text != text => {
                written::with_new_message(&details, &text, &self.text).map_or(details, Cow::Owned)
            }
            details => details,
        })
    }
}

/// Returns the details, or `None` if they have no content: `null`, or an issue list that only repeats the message. If
/// the form `always_lists` the issues, such a list stays.
pub fn without_noise<'d>(always_lists: bool, details: &'d str, text: &str) -> Option<Cow<'d, str>> {
    match details {
        "null" => None,
        _ if !always_lists && written::only_repeats_message(details, text) => {
            written::details_without_issues(details).map(Cow::Owned)
        }
        _ => Some(Cow::Borrowed(details)),
    }
}

/// Returns the message of a fault, in a form that can or cannot list issues.
pub fn whole_text(fault: &Fault, can_list_issues: bool) -> Cow<'_, str> {
    if can_list_issues { fault.message() } else { message_or_first_issue(fault) }
}

/// Returns the message of a fault in a form that cannot list issues. The result is the fault's own message, or else the
/// first issue (E8), or else the message of its code.
fn message_or_first_issue(fault: &Fault) -> Cow<'_, str> {
    let first = || written::first_issue_as_text(fault.details_json()?, fault.left_out());
    match (fault.own_message(), first()) {
        (Some(own), Some(first)) => with_issue(own, fault.details_json().unwrap_or_default(), &first),
        (own, first) => own.or_else(|| first.map(Cow::Owned)).unwrap_or_else(|| fault.message()),
    }
}

/// Returns the general text, a colon, and the first issue. If the general text already contains the issue's text,
/// returns only the general text (E8).
fn with_issue<'a>(own: Cow<'a, str>, details: &str, first: &str) -> Cow<'a, str> {
    let text = Object::parse(details).and_then(|details| written::first_message(details.raw("issues")?.get()));
    let is_within = |text: String| own.to_lowercase().contains(text.to_lowercase().trim_matches([' ', '.']));
    if text.is_none_or(is_within) {
        return own;
    }
    let general = own.trim_end().trim_end_matches('.');
    message::clean(&format!("{general}: {first}")).map_or(own.clone(), |text| Cow::Owned(text.into_owned()))
}
