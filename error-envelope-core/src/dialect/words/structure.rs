//! Where in a JSON body what is wrong stands, by its structure (rule R13).
//!
//! Each list and each object of the body, at most three members deep, is a candidate: a list of entries, or a map from
//! names to what is wrong with them. The one that names most places counts; between equals the outermost whose paths begin
//! below a member that means errors.

mod map;
mod names;

use std::cmp::Reverse;

use serde_json::value::RawValue;

use super::entry;
use crate::dialect::issues::list::List;
use crate::dialect::json::{self, Object};
use crate::dialect::place::Place;
use crate::dialect::sentences;
pub(super) use names::{Meaning, meaning};

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
    of_whole: bool,
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

    fn under(self, meaning: Meaning) -> Self {
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

/// The issues of a body, and what they were read from.
pub(super) struct Issues {
    /// As a JSON array.
    pub(super) json: String,
    /// The member of the body, or of its error; the whole body's is empty.
    pub(super) member: String,
    /// The text of what they were read from.
    pub(super) source: String,
}

struct Candidate {
    found: Found,
    source: String,
    trail: Vec<String>,
    around: Surroundings,
}

/// What an object says.
pub(super) fn of_object(object: &Object<'_>) -> Option<Issues> {
    if !object.members().any(|(_, value)| matches!(value.get().as_bytes(), [b'[' | b'{', ..] | [b'"', b'[', ..])) {
        return None;
    }
    let mut search = Search::default();
    search.object(object, "", Surroundings::default());
    search.best.and_then(Candidate::into_issues)
}

/// What an array says.
pub(super) fn of_array(text: &str) -> Option<Issues> {
    let mut search = Search::default();
    search.list(text, Surroundings::default());
    search.best.and_then(Candidate::into_issues)
}

#[derive(Default)]
struct Search {
    best: Option<Candidate>,
    trail: Vec<String>,
}

impl Search {
    fn object(&mut self, object: &Object<'_>, source: &str, around: Surroundings) {
        let mut found = Found::default();
        if map::read(&mut found, object, around) {
            self.offer(found, source, around);
        }
        if around.depth == Surroundings::DEEPEST {
            return;
        }
        for (name, value) in object.members() {
            self.trail.push(name.to_owned());
            self.member(value, around.under(meaning(name, object)));
            self.trail.pop();
        }
    }

    fn member(&mut self, value: &RawValue, around: Surroundings) {
        match value.get().as_bytes() {
            [b'{', ..] => {
                if let Some(object) = Object::parse(value.get()) {
                    self.object(&object, value.get(), around);
                }
            }
            [b'[', ..] => self.list(value.get(), around),
            // A ZodError's message is its issues as JSON; some throw it as it is (Zod 4.6 behind Hono 4.13, tRPC 11).
            [b'"', b'[', ..] => self.list(&json::string(value).unwrap_or_default(), around),
            _ => {}
        }
    }

    fn list(&mut self, source: &str, around: Surroundings) {
        let Some(elements) = json::array(source) else { return };
        let mut found = Found::default();
        let is_entry = |found: &mut Found, element: &RawValue| {
            Object::parse(element.get()).is_some_and(|it| entry::read(found, &it, around, None))
        };
        let mut read = elements.iter().all(|element| found.is_full() || is_entry(&mut found, element));
        if !read {
            found = Found::default();
            read = map::read_elements(&mut found, &elements, around);
        }
        if read {
            self.offer(found, source, around);
        }
    }

    fn offer(&mut self, mut found: Found, source: &str, around: Surroundings) {
        found.finish();
        let counts = found.of_whole || found.names_field();
        if counts && self.best.as_ref().is_none_or(|best| found.rank(around) > best.found.rank(best.around)) {
            self.best = Some(Candidate { found, source: source.to_owned(), trail: self.trail.clone(), around });
        }
    }
}

impl Candidate {
    fn into_issues(self) -> Option<Issues> {
        let mut trail = self.trail.into_iter();
        let member = match (trail.next(), trail.next()) {
            (Some(first), Some(second)) if first == "error" => second,
            (first, _) => first.unwrap_or_default(),
        };
        Some(Issues { json: self.found.into_json()?, member, source: self.source })
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

    fn rank(&self, around: Surroundings) -> (usize, bool, Reverse<usize>) {
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
