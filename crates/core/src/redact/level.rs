//! An object or a list of JSON, and what the names in it mean.

use std::borrow::Cow;
use std::ops::Range;

use super::name;
use crate::field_names::{CODES, PLACES, PLACES_OF_DATA, is_text_or_code};

/// The object or list that a `{` or `[` began.
pub(super) struct Level<'a> {
    pub(super) start: usize,
    pub(super) is_object: bool,
    /// It is the value of a credential's name, or within it.
    pub(super) is_telling: bool,
    /// Its texts may be messages.
    pub(super) has_messages: bool,
    /// The name of the next value of an object.
    pub(super) name: Cow<'a, str>,
    /// Of the same name, or that of the list.
    pub(super) meaning: Meaning,
    /// The text before in a list, if it is the name of a credential.
    pub(super) before: Option<Cow<'a, str>>,
    /// A field names a credential: what was sent is its value.
    pub(super) names_credential: bool,
    pub(super) sent: Vec<Range<usize>>,
    /// Its texts are those of an issue, whatever their names: class-validator's constraints.
    pub(super) has_texts: bool,
    /// The last step of a path names a credential.
    pub(super) ends_with_step: bool,
    /// A field names the place of an issue.
    pub(super) has_place: bool,
    /// The place is a credential's.
    pub(super) has_telling_place: bool,
    /// How many texts of issues stood before.
    pub(super) first_text: usize,
}

impl Level<'_> {
    /// The place of an issue. Names that data has as well are places under an error field, and so is a path that is a list.
    pub(super) fn note_place(&mut self, is_telling: bool, is_list: bool) {
        let is_of_data = PLACES_OF_DATA.contains(&&*self.name) && !(is_list && self.name == "path");
        self.has_place |= !is_of_data || self.has_messages;
        self.has_telling_place |= is_telling && (!is_of_data || self.has_messages);
    }
}

/// What a name means for its values. A list has it from its own: a name may be long, and its list as well.
#[derive(Clone, Copy, Default)]
pub(super) struct Meaning {
    /// Numbers are no credentials.
    pub(super) is_measure: bool,
    /// Texts below are messages.
    pub(super) is_error: bool,
    /// Texts are those of an issue.
    pub(super) is_text: bool,
}

impl Meaning {
    pub(super) fn new(name: &str) -> Self {
        let is_error = is_error(name);
        let is_text = !CODES.contains(&name) && (is_error || is_text_or_code(name) || is_message(name));
        Self { is_measure: name::is_measure(name), is_error, is_text }
    }
}

pub(super) fn is_place(name: &str) -> bool {
    PLACES.contains(&name)
}

/// Whether a field has errors, so that the texts below are messages.
fn is_error(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["error", "violation", "issue", "problem", "invalid"].iter().any(|word| name.contains(word))
}

/// Whether the texts of a field are those of an issue, besides the names of a single text.
fn is_message(name: &str) -> bool {
    const LONGEST: usize = 64;

    name.len() <= LONGEST && name.to_ascii_lowercase().contains("message")
}

/// Whether a text is a code (E9), which stays.
pub(super) fn is_code(name: &str, text: &str) -> bool {
    const LONGEST: usize = 64;

    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:/-".contains(&byte);
    name != "key" && CODES.contains(&name) && text.len() <= LONGEST && text.bytes().all(is_fit)
}
