//! What was made out of a framework's words.

use super::place::FieldPath;
use crate::dialect::issues::list::List;

pub(super) enum ParsedIssues {
    /// Issues, as a JSON array (E8).
    Issues(String),
    /// It names no member (R1): what of it may be said, without what it quotes.
    Text(String),
    /// Nothing that is known here.
    Nothing,
}

impl ParsedIssues {
    pub(super) fn issue(place: &FieldPath, text: &str) -> Self {
        let mut list = List::new();
        list.push(&place.json(), text, None);
        Self::from_list(list)
    }

    pub(super) fn from_list(list: List) -> Self {
        list.into_json().map_or(Self::Nothing, Self::Issues)
    }
}
