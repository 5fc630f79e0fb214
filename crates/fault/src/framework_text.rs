//! Reads the text of a framework about bad input (rule R13): the issues in it, and what is left of it for the client.

use std::borrow::Cow;

use crate::issue_list::List;
use crate::issues::IssueList;
use crate::message;
use crate::sentences::{self, Context, Reading, without_values};

/// What was read from a text.
pub struct FrameworkText {
    /// The issues that the text states.
    pub issues: Option<IssueList>,
    pub client_message: ClientMessage,
}

/// What is left of a message for the client, once its issues were read (R13).
#[derive(Debug, Default, PartialEq, Eq)]
pub enum ClientMessage {
    #[default]
    All,
    /// Nothing, because the issues contain all of it.
    Nothing,
    /// This text, without the values that the client sent.
    Text(String),
}

impl ClientMessage {
    /// The part of the message that the client may get, before it is cleaned.
    pub fn of<'m>(&'m self, whole: Option<&'m str>) -> Option<&'m str> {
        match self {
            Self::All => whole,
            Self::Nothing => None,
            Self::Text(text) => Some(text),
        }
    }
}

/// Reads a text. `of_input`: the status is 400 or 422, so the text may state issues, which are read, too. `is_json`:
/// the text is a string of a JSON body. Any other text is only sent to clients if it is a single line (R3).
pub fn read(text: &str, of_input: bool, is_json: bool) -> FrameworkText {
    let readings = if of_input { sentences::read(text, Context::default()) } else { None };
    let (issues, mut client_message) = match readings {
        Some(readings) => (list_of(&readings).into_list(), ClientMessage::Nothing),
        None if of_input => (None, without_sent_values(text)),
        None => (None, ClientMessage::All),
    };
    let left = if let ClientMessage::Text(left) = &client_message { left } else { text };
    if !is_json && !message::is_line(left) {
        client_message = ClientMessage::Nothing;
    }
    FrameworkText { issues, client_message }
}

/// The message without the values that the client sent.
pub fn without_sent_values(text: &str) -> ClientMessage {
    match without_values(text) {
        Cow::Owned(text) => ClientMessage::Text(text),
        Cow::Borrowed(_) => ClientMessage::All,
    }
}

/// An issue list of what the sentences state, with the fields that they name.
pub fn list_of(readings: &[Reading]) -> List {
    let mut list = List::new();
    readings.iter().for_each(|it| list.push(&it.place.json(), &it.text, None));
    list
}
