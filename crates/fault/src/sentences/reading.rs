//! The contents of one sentence.

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

    /// A path's parameter may be only a number: axum writes that for a tuple.
    pub(super) fn names_parameter(&self) -> bool {
        !self.place.is_empty() && self.text.starts_with("Cannot parse value at index ")
    }
}
