//! What one sentence states.

use super::serde::SerdeError;
use crate::place::Place;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub place: Place,
    pub text: String,
}

impl Reading {
    pub(super) fn from_serde(error: SerdeError<'_>) -> Self {
        Self { place: error.place, text: error.text.into_owned() }
    }

    /// Returns true if it names a parameter. A parameter of a path may be just a number, as axum writes it for a tuple.
    pub(super) fn names_parameter(&self) -> bool {
        !self.place.is_empty() && self.text.starts_with("Cannot parse value at index ")
    }
}
