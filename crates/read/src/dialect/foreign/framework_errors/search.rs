//! Finds the issues in a JSON body by its structure (R13).
//!
//! Each list and each object of the body, at most three fields deep, is a candidate. A candidate is read as a list of
//! entries, or as a map from names to mistakes. The candidate that names the most places is chosen. If several name
//! equally many places, a candidate below a field that means errors is preferred, and then the outermost. A wrapper
//! around the error (R2) is never a map.

use super::found::{Found, Surroundings};
use super::{entry, map};
use crate::dialect::field_names::{Meaning, meaning};
use crate::dialect::foreign::foreign_text;
use crate::dialect::issues::IssueList;
use crate::dialect::json;
use crate::dialect::tree::{Node, Tree};

/// The issues that were found in a body, and the JSON text that contains them.
pub(super) struct Issues<'a> {
    pub(super) list: IssueList,
    /// The JSON text from which the issues were read.
    pub(super) source: &'a str,
}

struct Candidate<'x> {
    found: Found<'x, 'x>,
    places: usize,
    source: Node<'x, 'x>,
    around: Surroundings,
}

/// Returns the issues of a body. The `wrappers` of the body are never read as maps. The fields that the policy's own
/// shape has read (`taken`) are not searched.
pub(super) fn issues<'a>(body: Node<'_, 'a>, wrappers: &[Node<'_, 'a>], taken: &[&str]) -> Option<Issues<'a>> {
    if !body.children().any(|value| value.is_object() || value.is_array() || is_list_in_text(value)) {
        return None;
    }
    let texts = lists_in_texts(body);
    let trees: Vec<Tree<'_>> = texts.iter().map(|(_, text)| Tree::parse(text)).collect();
    let wrappers: Vec<&str> = wrappers.iter().map(|wrapper| wrapper.raw()).collect();
    let mut search = Search { candidates: 0, best: None, wrappers: &wrappers, taken };
    let is_graphql = body.has("data") && body.field("errors").is_some_and(Node::is_array);
    search.value(body, body, Surroundings { is_graphql, ..Surroundings::default() });
    for ((field, _), tree) in texts.iter().zip(&trees) {
        if let Some(list) = tree.root() {
            search.list(list, *field, Surroundings { depth: 1, ..Surroundings::default() });
        }
    }
    let Candidate { found, source, .. } = search.best?;
    let start = source.raw().as_ptr() as usize - body.raw().as_ptr() as usize;
    let source = &body.raw()[start..start + source.raw().len()];
    Some(Issues { list: found.into_list()?, source })
}

/// Returns true if a text is itself a JSON list. Some services send the message of a ZodError unchanged, which is its
/// list of issues (Zod 4.6 in Hono 4.13 and tRPC 11).
fn is_list_in_text(value: Node<'_, '_>) -> bool {
    value.raw().starts_with("\"[")
}

fn lists_in_texts<'t, 'a>(body: Node<'t, 'a>) -> Vec<(Node<'t, 'a>, String)> {
    const MOST: usize = 4;

    let objects = body.children().filter(|it| it.is_object());
    let fields = std::iter::once(body).chain(objects).flat_map(Node::children).filter(|it| is_list_in_text(*it));
    let list = |field: Node<'t, 'a>| {
        let text = field.text()?.trim().to_owned();
        json::array(&text)?;
        Some((field, text))
    };
    fields.filter_map(list).take(MOST).collect()
}

/// The maximum number of objects and lists that are tried. The errors of all known services have fewer objects and
/// lists.
const MOST_CANDIDATES: usize = 128;

struct Search<'x, 's> {
    candidates: usize,
    best: Option<Candidate<'x>>,
    wrappers: &'s [&'s str],
    taken: &'s [&'s str],
}

impl<'x> Search<'x, '_> {
    fn value(&mut self, value: Node<'x, 'x>, source: Node<'x, 'x>, around: Surroundings) {
        self.candidates += 1;
        if value.is_object() {
            self.object(value, source, around);
        } else if value.is_array() {
            self.list(value, source, around);
        }
    }

    /// Returns true if a value may name at least as many places as the best candidate. The value must have a text for
    /// each place.
    fn may_be_best(&self, value: Node<'x, 'x>) -> bool {
        (value.is_object() || value.is_array())
            && self.candidates < MOST_CANDIDATES
            && self.best.as_ref().is_none_or(|best| value.count_texts() >= best.places)
    }

    /// Returns true if a value cannot replace the best candidate, because it can name no more places and does not win a
    /// tie.
    fn is_beaten(&self, value: Node<'x, 'x>, around: Surroundings) -> bool {
        self.best.as_ref().is_some_and(|best| {
            value.count_texts() == best.places && (best.around.means_errors || !around.means_errors)
        })
    }

    fn object(&mut self, object: Node<'x, 'x>, source: Node<'x, 'x>, around: Surroundings) {
        let mut found = Found::default();
        let is_taken = |field: Node<'_, '_>| around.depth == 0 && self.taken.contains(&field.name());
        let is_wrapper =
            object.children().any(is_taken) || self.wrappers.iter().any(|wrapper| std::ptr::eq(*wrapper, object.raw()));
        let is_open = !is_wrapper && !self.is_beaten(object, around);
        if is_open && matches!(source.name(), "detail" | "details" | "errors") && entry::is_one_issue(object) {
            entry::read(&mut found, object, around, None);
            self.keep_if_best(found, source, around);
        } else if is_open && map::read(&mut found, object, around) {
            let fields = map::flattened(object);
            let around = Surroundings { means_errors: around.means_errors || fields.is_some(), ..around };
            // A text of the body next to the fields is not part of an issue.
            let is_body = around.depth == 0 && !map::has_errors_of_whole(object);
            let fields = fields.filter(|_| is_body || foreign_text::has_text(object));
            self.keep_if_best(found, fields.unwrap_or(source), around);
        }
        self.inside(object, around);
    }

    fn inside(&mut self, object: Node<'x, 'x>, around: Surroundings) {
        if around.depth == Surroundings::DEEPEST {
            return;
        }
        // If an object has the text of an error, its fields with other names are data.
        let around = if around.is_vague && foreign_text::has_text(object) {
            Surroundings { means_errors: false, is_vague: false, ..around }
        } else {
            around
        };
        let has_text = || foreign_text::has_text(object);
        for field in object.children() {
            if self.may_be_best(field) && (around.depth > 0 || !self.taken.contains(&field.name())) {
                // The text next to `params` has these values in it.
                let is_of_text = field.name().eq_ignore_ascii_case("params")
                    && field.is_object()
                    && !field.children().all(|value| value.elements().is_some_and(|mut it| it.all(Node::is_text)))
                    && has_text();
                let meaning = if is_of_text { Meaning::Nothing } else { meaning(field, object) };
                self.value(field, field, around.inside_field(meaning));
            }
        }
    }

    fn list(&mut self, list: Node<'x, 'x>, source: Node<'x, 'x>, around: Surroundings) {
        if self.is_beaten(list, around) {
            return;
        }
        let mut found = Found::default();
        let mut read = list.children().all(|element| entry::read(&mut found, element, around, None));
        if !read && (around.depth == 0 || around.means_errors) {
            found = Found::default();
            read = map::read_elements(&mut found, list, around);
            if !read {
                // Only the elements that cannot be read as entries are left out.
                found = Found::default();
                list.children().for_each(|element| found.keep_if(|found| entry::read(found, element, around, None)));
                read = found.places() > 0;
            }
        }
        if read {
            self.keep_if_best(found, source, around);
        }
        // A single error may contain a list of the mistakes of its fields (Payload).
        list.only().into_iter().for_each(|only| self.inside(only, Surroundings { means_errors: false, ..around }));
    }

    fn keep_if_best(&mut self, mut found: Found<'x, 'x>, source: Node<'x, 'x>, around: Surroundings) {
        found.finish();
        let counts = found.of_whole || found.places() > 0;
        if counts && self.best.as_ref().is_none_or(|best| found.rank(around) > best.found.rank(best.around)) {
            self.best = Some(Candidate { places: found.places(), found, source, around });
        }
    }
}
