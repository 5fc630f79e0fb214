//! The parsed content of a sentence.

use crate::place::Place;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub place: Place,
    pub text: String,
}

impl Reading {
    /// Returns true if the sentence names a parameter. axum names a parameter of a path in a tuple by just a number.
    pub(super) fn names_parameter(&self) -> bool {
        !self.place.is_empty() && self.text.starts_with("Cannot parse value at index ")
    }
}
