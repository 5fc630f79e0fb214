//! An object or an array in JSON, and the meaning of the names in it.

use std::borrow::Cow;
use std::ops::Range;

use super::name;
use crate::field_names::{PLACES, PLACES_OF_DATA, is_code_name, is_text_or_code};

/// An object or an array whose end has not been read yet.
#[derive(Default)]
pub(super) struct Level<'a> {
    pub(super) start: usize,
    pub(super) is_object: bool,
    /// True if this object or array is in the value of a credential.
    pub(super) is_in_credential: bool,
    /// True if the texts in this object or array may be messages.
    pub(super) has_messages: bool,
    /// The name of the next value, in an object.
    pub(super) name: Cow<'a, str>,
    /// The meaning of the name of the next value. In an array, it is the meaning of the array's name.
    pub(super) meaning: Meaning,
    /// The previous text in an array, if it names a credential.
    pub(super) previous_name: Option<Cow<'a, str>>,
    /// True if a field names a credential. Values that the client sent are then treated as values of this credential.
    pub(super) names_credential: bool,
    pub(super) sent: Vec<Range<usize>>,
    /// True if all texts in this object or array belong to an issue, even if their names do not show this, as in the
    /// constraints of class-validator.
    pub(super) has_texts: bool,
    /// True if the last step of a path names a credential.
    pub(super) ends_with_credential: bool,
    /// True if a field contains the place of an issue.
    pub(super) has_place: bool,
    /// True if the place of this issue is a credential.
    pub(super) has_credential_place: bool,
    /// The number of issue texts that were read before this object or array.
    pub(super) first_text: usize,
}

impl Level<'_> {
    /// Records the place of an issue. A name that data may also have is a place only under an error field, except for a
    /// `path` that is an array.
    pub(super) fn note_place(&mut self, is_credential: bool, is_list: bool) {
        let is_of_data = PLACES_OF_DATA.contains(&&*self.name) && !(is_list && self.name == "path");
        self.has_place |= !is_of_data || self.has_messages;
        self.has_credential_place |= is_credential && (!is_of_data || self.has_messages);
    }
}

/// The meaning that a name has for its values. An array passes the meaning of its name on to its elements. The meaning
/// is computed once and stored, because both the name and the array may be long.
#[derive(Clone, Copy, Default)]
pub(super) struct Meaning {
    /// True if numbers under the name are amounts and not credentials.
    pub(super) is_measure: bool,
    /// True if texts below the name are messages.
    pub(super) is_error: bool,
    /// True if texts under the name belong to an issue.
    pub(super) is_text: bool,
}

impl Meaning {
    pub(super) fn new(name: &str) -> Self {
        let is_error = is_error(name);
        let is_text = !is_code_name(name) && (is_error || is_text_or_code(name) || is_message(name));
        Self { is_measure: name::is_measure(name), is_error, is_text }
    }
}

pub(super) fn is_place(name: &str) -> bool {
    PLACES.contains(&name)
}

/// Returns true if a field contains errors, so that the texts below it are messages.
fn is_error(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["error", "violation", "issue", "problem", "invalid"].iter().any(|word| name.contains(word))
}

/// Returns true if the texts under a field belong to an issue, although its name does not belong to a single text.
fn is_message(name: &str) -> bool {
    const LONGEST: usize = 64;

    name.len() <= LONGEST && name.to_ascii_lowercase().contains("message")
}

/// Returns true if a text under this name is a code (E9), which is not removed.
pub(super) fn is_code(name: &str, text: &str) -> bool {
    const LONGEST: usize = 64;

    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
    name != "key" && is_code_name(name) && text.len() <= LONGEST && text.bytes().all(is_fit)
}
