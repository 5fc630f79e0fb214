//! What a part of a body says is wrong, and what is known of where it stands (rule R13).

use std::cmp::Reverse;

use super::names::Meaning;
use crate::dialect::issues::list::List;
use crate::dialect::place::Place;
use crate::dialect::sentences;

/// More bytes of issues than a list has room for.
const MAX_BYTES: usize = 64 * 1024;

/// What an issue takes beside its path and its text.
const BYTES_OF_ISSUE: usize = 24;

/// What a candidate says.
#[derive(Default)]
pub(super) struct Found {
    issues: Vec<Issue>,
    bytes: usize,
    /// One of them is said of the whole, by a name that stands for it.
    pub(super) of_whole: bool,
}

struct Issue {
    place: Place,
    text: String,
    code: Option<String>,
}

/// What is known of where a candidate stands.
#[derive(Clone, Copy, Default)]
pub(super) struct Surroundings {
    /// It stands below a member that means errors.
    pub(super) means_errors: bool,
    /// The nearest such member says so of data as well: `details`, `data`.
    pub(super) is_vague: bool,
    pub(super) depth: usize,
}

impl Surroundings {
    /// So many members deep a candidate stands at most.
    pub(super) const DEEPEST: usize = 3;

    pub(super) fn deeper(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }

    pub(super) fn under(self, meaning: Meaning) -> Self {
        let deeper = self.deeper();
        match meaning {
            Meaning::Nothing => deeper,
            Meaning::Errors => Self { means_errors: true, is_vague: false, ..deeper },
            Meaning::ErrorsOrData => {
                Self { means_errors: true, is_vague: self.is_vague || !self.means_errors, ..deeper }
            }
        }
    }
}

impl Found {
    pub(super) fn push(&mut self, place: Place, text: &str, code: Option<&str>) {
        if !self.is_full() {
            self.bytes += place.bytes() + text.len() + BYTES_OF_ISSUE;
            self.issues.push(Issue { place, text: text.to_owned(), code: code.map(str::to_owned) });
        }
    }

    /// Nothing more is taken: what is read on is read in vain.
    pub(super) fn is_full(&self) -> bool {
        self.bytes > MAX_BYTES
    }

    pub(super) fn rank(&self, around: Surroundings) -> (usize, bool, Reverse<usize>) {
        (self.places(), around.means_errors, Reverse(around.depth))
    }

    pub(super) fn names_field(&self) -> bool {
        self.places() > 0
    }

    fn places(&self) -> usize {
        self.issues.iter().filter(|issue| issue.place.has_name()).count()
    }

    /// The whole candidate decides whether its places begin with parts of the request, or with fields of that name.
    pub(super) fn finish(&mut self) {
        let placed = || self.issues.iter().map(|issue| &issue.place).filter(|place| !place.is_empty());
        let begin = placed().all(|place| place.begins_with_part(false)) && placed().any(|it| it.begins_with_part(true));
        for issue in &mut self.issues {
            if begin {
                issue.place.without_part();
            }
            if let Some(name) = sentences::missing_name(&issue.text) {
                issue.place.end_with(&name);
            }
            // A path of numbers alone names no field.
            if !issue.place.has_name() {
                issue.place = Place::default();
            }
        }
    }

    pub(super) fn into_json(self) -> Option<String> {
        let mut list = List::new();
        for Issue { place, text, code } in self.issues {
            let sentence = if place.is_empty() { sentences::read(&text, sentences::Context::default()) } else { None };
            match sentence.as_deref() {
                Some([one]) => list.push(&one.place.json(), &one.text, code.as_deref()),
                _ => list.push(&place.json(), &text, code.as_deref()),
            }
        }
        list.into_json()
    }
}
