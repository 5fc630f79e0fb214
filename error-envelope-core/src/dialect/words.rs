//! What frameworks say of bad input, in their own words (rule R13).
//!
//! Asked of a 400 or 422 alone, and where no list of issues was read as E8 has it. A text is known by what it begins
//! with (`rust`), JSON by where a list stands in it and by what its entries have (`lists`, `entries`, `fields`), or by the
//! form of a sentence (`sentences`). What is only alike stays what it was.
//!
//! Of each only the path, the text and a code go on: what validators say of the value that was sent does not.

mod entries;
mod fields;
mod lists;
mod parsed_issues;
pub(super) mod place;
mod rust;
mod sentences;
mod serde;

use std::borrow::Cow;

use self::parsed_issues::ParsedIssues;
use super::issues::list::List;
use super::issues::quoting::without_values;
use super::json;
use super::parsed_error::{Body, ClientMessage, FrameworkMessage, ParsedError};

/// What a text says; `None` where it is nobody's that is known here.
pub(super) fn of_text(text: &str) -> Option<ParsedError<'_>> {
    let mut said = ParsedError::new(None, Some(Cow::Borrowed(text)));
    hear(&mut said, rust::parse_text(text)).then_some(said)
}

/// What a JSON array says.
pub(super) fn of_array(text: &str) -> Option<ParsedError<'_>> {
    let elements = json::array(text)?;
    let mut list = List::new();
    if !entries::read(&mut list, &elements) {
        list = List::new();
        // Django's, of what is wrong with each element of a list.
        if !fields::read_elements(&mut list, &elements) {
            return None;
        }
    }
    Some(ParsedError { issues: Some(Cow::Owned(list.into_json()?)), ..ParsedError::new(None, None) })
}

/// Adds to what a JSON object says in its shape what it says in its words; `false` where there is nothing to add.
pub(super) fn add_to(said: &mut ParsedError<'_>, body: &Body<'_, '_>) -> bool {
    let says_more = said.code.is_some() || said.message.is_some() || said.details.is_some();
    if let Some((name, issues)) = lists::find(body, says_more) {
        said.issues = Some(Cow::Owned(issues));
        // What the list was read from says what was sent as well.
        if name == lists::DETAILS {
            said.details = None;
        }
        let told = match lists::sentence(body) {
            ParsedIssues::Text(text) => ClientMessage::Text(text),
            _ => said.message.as_deref().map(without_values).map_or(ClientMessage::All, |text| match text {
                Cow::Borrowed(_) => ClientMessage::All,
                Cow::Owned(text) => ClientMessage::Text(text),
            }),
        };
        said.words = Some(Box::new(FrameworkMessage { told, list: Some(name) }));
        return true;
    }
    hear(said, lists::sentence(body))
}

fn hear(said: &mut ParsedError<'_>, heard: ParsedIssues) -> bool {
    match heard {
        ParsedIssues::Issues(issues) => {
            said.issues = Some(Cow::Owned(issues));
            said.words = Some(Box::new(FrameworkMessage { told: ClientMessage::Nothing, list: Some("message") }));
        }
        ParsedIssues::Text(text) => {
            said.words = Some(Box::new(FrameworkMessage { told: ClientMessage::Text(text), list: None }))
        }
        ParsedIssues::Nothing => return false,
    }
    true
}
