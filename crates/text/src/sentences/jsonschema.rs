//! Reads errors of Python's jsonschema in a text (jsonschema 4.24, in Connexion 3.3). Such a text has a sentence, the
//! part of the schema, the place, and the value that the client sent.
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

use memchr::memmem;

use crate::place::Place;

/// The text behind the sentence. A line break in a value is written as `\n`, so no value contains this text.
const BEHIND: &str = "\n\nFailed validating ";

/// Returns the first line of a text that jsonschema wrote, or `None` for any other text.
pub(super) fn first_line(text: &str) -> Option<&str> {
    memmem::find(text.as_bytes(), BEHIND.as_bytes()).map(|end| &text[..end])
}

/// Returns the place of the wrong value, as the text states it.
pub(super) fn place(text: &str) -> Option<Place> {
    let (_, behind) = text.split_once(BEHIND)?;
    behind.lines().find_map(|line| line.strip_prefix("On instance")?.strip_suffix(':')).map(Place::of_dotted)
}
