//! Maps from names to what is wrong with them (rule R13): texts, lists of texts, lists of such objects, such maps again,
//! objects with a text of their own.

use serde_json::value::RawValue;

use super::entry;
use super::found::{Found, Surroundings};
use super::names::{Meaning, meaning};
use crate::dialect::json::{self, Object};
use crate::dialect::place::{Place, is_part};
use crate::dialect::sentences::without_values;

/// Deeper than any form is.
const DEPTH: usize = 24;

/// Names that stand for the whole of what they are in.
const HERE: [&str; 8] =
    ["non_field_errors", "__all__", "_schema", "_errors", "_error", "base", "formErrors", "nonFieldErrors"];

/// Members of an error object, or of data: what has one is no map from fields to single texts.
const OF_ERRORS: [&str; 8] = ["code", "type", "status", "statusCode", "id", "kind", "hint", "help"];

/// Reads an object; `false` where it has a member that is something else.
pub(super) fn read(found: &mut Found, object: &Object<'_>, around: Surroundings) -> bool {
    if let Some(fields) = object.object("fieldErrors") {
        // Zod's `flatten()`.
        let whole = object.raw("formErrors").is_none_or(|texts| texts_here(found, &Place::default(), texts));
        return whole && read(found, &fields, around.under(Meaning::Errors));
    }
    let mut map = Map { found, around };
    if object.has("properties") || object.has("items") {
        // Its `treeifyError()`.
        if map.tree(&mut Place::default(), object, 0) {
            return true;
        }
        *map.found = Found::default();
    }
    (around.means_errors || !has_errors_inside(object)) && map.object(&mut Place::default(), object, 0)
}

/// The same for each element of a list: of what is wrong with each element that was sent.
pub(super) fn read_elements(found: &mut Found, elements: &[&RawValue], around: Surroundings) -> bool {
    let mut map = Map { found, around };
    let mut place = Place::default();
    elements.iter().enumerate().all(|(index, element)| {
        let Some(fields) = Object::parse(element.get()) else { return false };
        map.found.is_full() || map.indexed(&mut place, index, &fields, 0)
    })
}

/// What is around a list of errors, or says what it says beside them, is no map of fields.
fn has_errors_inside(object: &Object<'_>) -> bool {
    object.members().any(|(name, value)| match value.get().as_bytes() {
        [b'[' | b'{', ..] if matches!(name, "message" | "messages" | "msg" | "error" | "detail") => true,
        [b'[', ..] => match meaning(name, object) {
            Meaning::Errors => !HERE.contains(&name),
            Meaning::ErrorsOrData => value.get().contains('{'),
            Meaning::Nothing => false,
        },
        [b'{', ..] => meaning(name, object) != Meaning::Nothing,
        _ => false,
    })
}

fn texts_here(found: &mut Found, place: &Place, texts: &RawValue) -> bool {
    let Some(texts) = json::array(texts.get()) else { return false };
    texts.iter().all(|text| {
        if found.is_full() {
            return true;
        }
        let text = json::string(text);
        if let Some(text) = &text {
            found.push(place.clone(), &without_values(text), None);
        }
        text.is_some()
    })
}

struct Map<'f> {
    found: &'f mut Found,
    around: Surroundings,
}

impl Map<'_> {
    fn object(&mut self, place: &mut Place, fields: &Object<'_>, depth: usize) -> bool {
        if depth > DEPTH {
            return false;
        }
        // webargs says in which part of the request it looked.
        let names_parts = fields.members().next().is_some()
            && fields.members().all(|(name, value)| is_part(name) && value.get().starts_with('{'));
        fields.members().all(|(name, value)| {
            let mark = place.len();
            let is_here = HERE.contains(&name) && value.get().starts_with('[');
            self.found.of_whole |= is_here && value.get().contains('"');
            if !(names_parts || is_here) {
                place.field(name);
            }
            let read = self.found.is_full() || self.value(place, fields, value, depth);
            place.truncate(mark);
            read
        })
    }

    /// What stands under a name.
    fn value(&mut self, place: &mut Place, fields: &Object<'_>, value: &RawValue, depth: usize) -> bool {
        if let Some(elements) = json::array(value.get()) {
            let mut elements = elements.iter().enumerate();
            return elements.all(|(index, it)| self.found.is_full() || self.element(place, it, index, depth));
        }
        if let Some(text) = json::string(value) {
            // hapi's `source` is one.
            return !text.trim().is_empty() && self.takes_single(fields) && !is_part(&text) && self.text(place, &text);
        }
        let Some(it) = Object::parse(value.get()) else { return false };
        self.entry(place, &it) || self.object(place, &it, depth + 1)
    }

    fn element(&mut self, place: &mut Place, element: &RawValue, index: usize, depth: usize) -> bool {
        if let Some(text) = json::string(element) {
            return self.text(place, &text);
        }
        let Some(it) = Object::parse(element.get()) else { return false };
        // What has a place of its own is an entry of a list.
        let is_placed =
            || entry::places(&it, self.around.means_errors, "").is_ok_and(|it| it.iter().any(Place::has_name));
        if entry::text(&it, self.around.means_errors).is_some() && is_placed() {
            return false;
        }
        self.entry(place, &it) || self.indexed(place, index, &it, depth)
    }

    /// What is wrong with an element of a list; nothing is, with some.
    fn indexed(&mut self, place: &mut Place, index: usize, fields: &Object<'_>, depth: usize) -> bool {
        let mark = place.len();
        place.step(&index.to_string());
        let read = self.object(place, fields, depth + 1);
        place.truncate(mark);
        read
    }

    fn text(&mut self, place: &Place, text: &str) -> bool {
        let is_said = !self.around.is_vague || is_verdict(text);
        if is_said {
            self.found.push(place.clone().in_known_part(), &without_values(text), None);
        }
        is_said
    }

    /// Single texts are what is wrong under a member that means errors, where none of them is the text of an error.
    fn takes_single(&self, fields: &Object<'_>) -> bool {
        let is_texts = |name: &str| entry::TEXTS.contains(&name) || self.around.is_vague && OF_ERRORS.contains(&name);
        self.around.means_errors && !fields.members().any(|(name, _)| is_texts(name))
    }

    /// A text with a code: Django's full details, express-validator's `mapped()`, Mongoose's errors, Rust's validator.
    fn entry(&mut self, place: &Place, it: &Object<'_>) -> bool {
        /// Beside a `message` one of these tells an entry of a validator's from anything else.
        const SIGNS: [&str; 5] = ["code", "path", "kind", "type", "rule"];

        let text = entry::text(it, self.around.means_errors);
        let is_signed = || SIGNS.iter().any(|sign| it.has(sign));
        let text =
            text.filter(|(name, _)| self.around.means_errors || *name == "msg" || *name == "message" && is_signed());
        let is_silent = || it.string("code").is_some() && it.raw("message").is_some_and(|it| it.get() == "null");
        let text = match text {
            Some((_, text)) => text,
            None if is_silent() => "".into(),
            None => return false,
        };
        // celebrate's keys.
        let own = if place.is_empty() { entry::places(it, true, "").unwrap_or_default() } else { Vec::new() };
        let places = if own.is_empty() { vec![place.clone()] } else { own };
        places.into_iter().for_each(|place| entry::push(self.found, place.in_known_part(), it, &text));
        true
    }

    /// `{"errors":[texts],"properties":{name:tree},"items":[tree]}`.
    fn tree(&mut self, place: &mut Place, it: &Object<'_>, depth: usize) -> bool {
        if depth > DEPTH
            || !it.raw("errors").is_some_and(|texts| texts_here(self.found, &place.clone().in_known_part(), texts))
        {
            return false;
        }
        let properties = it.object("properties");
        let of_properties = properties
            .iter()
            .flat_map(Object::members)
            .all(|(name, value)| self.branch(place, value, depth, |place| place.name(name)));
        let items = it.raw("items").and_then(|items| json::array(items.get())).unwrap_or_default();
        of_properties
            && items
                .iter()
                .enumerate()
                .filter(|(_, item)| item.get() != "null")
                .all(|(index, item)| self.branch(place, item, depth, |place| place.step(&index.to_string())))
    }

    fn branch(&mut self, place: &mut Place, tree: &RawValue, depth: usize, step: impl FnOnce(&mut Place)) -> bool {
        let mark = place.len();
        step(place);
        let read = Object::parse(tree.get()).is_some_and(|it| self.tree(place, &it, depth + 1));
        place.truncate(mark);
        read
    }
}

/// Whether a text says what is wrong, where it may as well be data.
fn is_verdict(text: &str) -> bool {
    const WORDS: [&str; 14] = [
        "required",
        "invalid",
        "missing",
        "blank",
        "empty",
        "taken",
        "unknown",
        "duplicate",
        "mandatory",
        "unexpected",
        "forbidden",
        "unique",
        "short",
        "long",
    ];

    let text = text.trim();
    let is_word = |word: &str| WORDS.iter().any(|it| word.eq_ignore_ascii_case(it));
    !text.is_ascii() || text.contains(' ') || text.split(['_', '-', '.', '!']).any(is_word)
}
