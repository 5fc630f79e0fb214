//! Where in a JSON body what is wrong stands, by its structure (rule R13).
//!
//! Each list and each object of the body, at most three members deep, is a candidate: a list of entries, or a map from
//! names to what is wrong with them. The one that names most places counts; between equals the outermost whose paths begin
//! below a member that means errors.

use serde_json::value::RawValue;

use super::found::{Found, Surroundings};
use super::names::meaning;
use super::{entry, map};
use crate::dialect::json::{self, Object};

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
