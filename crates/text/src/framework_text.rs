//! Reads the text of a framework about bad input (R13). The module finds the issues in the text, and the part of the
//! text that the client gets next to the issues.

use std::borrow::Cow;

use http::StatusCode;

use crate::issue_list::List;
use crate::issues::{IssueList, tells_of_input};
use crate::message;
use crate::sentences::{self, Context, Reading, without_values};

/// The result of reading a text.
pub struct FrameworkText {
    /// The issues that the text states.
    pub issues: Option<IssueList>,
    pub client_message: ClientMessage,
}

/// The part of a text that the client gets next to the issues that were found in the text (R13).
#[derive(Debug, Default, PartialEq, Eq)]
pub enum ClientMessage {
    #[default]
    All,
    /// The client gets no other text, because the issues contain all of it.
    Nothing,
    /// The client gets this text, from which the values that the client sent are removed.
    Text(String),
}

impl ClientMessage {
    /// Returns the part of the message that the client may get, before it is cleaned.
    pub fn of<'m>(&'m self, whole: Option<&'m str>) -> Option<&'m str> {
        match self {
            Self::All => whole,
            Self::Nothing => None,
            Self::Text(text) => Some(text),
        }
    }
}

/// Searches a text for issues. If the text is a string of a JSON body (`is_json`), it is searched on every 4xx. Any
/// other text is searched only on a 400 or 422, and is sent to clients only if it has few lines (R3).
pub fn read(text: &str, status: StatusCode, is_json: bool) -> FrameworkText {
    let of_input = tells_of_input(status);
    let is_read = of_input || is_json && status.is_client_error() && sentences::may_name_field(text);
    let readings = if is_read { sentences::read(text, Context::default()) } else { None };
    let issues = readings.and_then(|readings| list_of(&readings).into_list());
    let mut client_message = match issues {
        Some(_) if of_input => ClientMessage::Nothing,
        _ if is_read => without_sent_values(text),
        _ => ClientMessage::All,
    };
    let left = if let ClientMessage::Text(left) = &client_message { left } else { text };
    if !is_json && !message::has_few_lines(left) {
        client_message = ClientMessage::Nothing;
    }
    FrameworkText { issues, client_message }
}

/// Returns the message without the values that the client sent.
pub fn without_sent_values(text: &str) -> ClientMessage {
    match without_values(text) {
        Cow::Owned(text) => ClientMessage::Text(text),
        Cow::Borrowed(_) => ClientMessage::All,
    }
}

/// Returns a list with one issue for each sentence. The issue's path is the field that the sentence names.
pub fn list_of(readings: &[Reading]) -> List {
    let mut list = List::new();
    readings.iter().for_each(|it| list.push(&it.place.json(), &it.text, None));
    list
}
