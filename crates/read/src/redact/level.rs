//! An object or an array in JSON, and what the names in it mean.

use std::borrow::Cow;
use std::ops::Range;

use super::name;
use crate::field_names::{PLACES, PLACES_OF_DATA, is_code_name, is_text_or_code};

/// The object or the array that began with a `{` or `[`.
pub(super) struct Level<'a> {
    pub(super) start: usize,
    pub(super) is_object: bool,
    /// It is in the value of a credential.
    pub(super) is_in_credential: bool,
    /// Its texts may be messages.
    pub(super) has_messages: bool,
    /// In an object, the name of the next value.
    pub(super) name: Cow<'a, str>,
    /// The meaning of that name; in an array, of the name of the array.
    pub(super) meaning: Meaning,
    /// In an array, the text before the next one, if it names a credential.
    pub(super) previous_name: Option<Cow<'a, str>>,
    /// A field names a credential, so what the client sent is the value of that credential.
    pub(super) names_credential: bool,
    pub(super) sent: Vec<Range<usize>>,
    /// All its texts belong to an issue, whatever their names are, as in class-validator's constraints.
    pub(super) has_texts: bool,
    /// The last step of a path names a credential.
    pub(super) ends_with_credential: bool,
    /// A field has the place of an issue.
    pub(super) has_place: bool,
    /// That place is one of a credential.
    pub(super) has_credential_place: bool,
    /// The number of issues' texts that came before it.
    pub(super) first_text: usize,
}

impl Level<'_> {
    /// Notes the place of an issue. A name that data may also have only counts under an error field, unless it is a
    /// path that is an array.
    pub(super) fn note_place(&mut self, is_credential: bool, is_list: bool) {
        let is_of_data = PLACES_OF_DATA.contains(&&*self.name) && !(is_list && self.name == "path");
        self.has_place |= !is_of_data || self.has_messages;
        self.has_credential_place |= is_credential && (!is_of_data || self.has_messages);
    }
}

/// What a name means for its values. An array inherits it from its own name; it is stored because both the name and the
/// array may be long.
#[derive(Clone, Copy, Default)]
pub(super) struct Meaning {
    /// Numbers under it are amounts, not credentials.
    pub(super) is_measure: bool,
    /// Texts below it are messages.
    pub(super) is_error: bool,
    /// Texts under it belong to an issue.
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

/// Returns true if a field has errors, so that the texts below it are messages.
fn is_error(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["error", "violation", "issue", "problem", "invalid"].iter().any(|word| name.contains(word))
}

/// Returns true if the texts under a field belong to an issue, although the name is not the one of a single text.
fn is_message(name: &str) -> bool {
    const LONGEST: usize = 64;

    name.len() <= LONGEST && name.to_ascii_lowercase().contains("message")
}

/// Returns true if a text is a code (E9), which is not removed.
pub(super) fn is_code(name: &str, text: &str) -> bool {
    const LONGEST: usize = 64;

    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
    name != "key" && is_code_name(name) && text.len() <= LONGEST && text.bytes().all(is_fit)
}
