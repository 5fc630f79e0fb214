//! Errors of Python's jsonschema as text (jsonschema 4.24, behind Connexion 3.3): a sentence, the part of the schema,
//! the place, and the value that was sent.
//!
//! ```text
//! 'three' is not of type 'integer'
//!
//! Failed validating 'type' in schema['properties']['items']['items']['properties']['qty']:
//!     {'type': 'integer'}
//!
//! On instance['items'][1]['qty']:
//!     'three'
//! ```

use crate::place::Place;

/// The text behind the sentence: the line breaks of a value are written as `\n`, so that no value has one.
const BEHIND: &str = "\n\nFailed validating ";

/// The first line of such a text; `None` of any other.
pub(super) fn first_line(text: &str) -> Option<&str> {
    text.split_once(BEHIND).map(|(first, _)| first)
}

/// The place of the instance.
pub(super) fn place(text: &str) -> Option<Place> {
    let (_, behind) = text.split_once(BEHIND)?;
    behind.lines().find_map(|line| line.strip_prefix("On instance")?.strip_suffix(':')).map(Place::of_dotted)
}
