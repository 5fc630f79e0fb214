//! Finds the text and the code in a JSON body that is in no known shape (rule R2).
//!
//! 1. The object with the text: it is the body, or the only object in it that has a text, at most two levels deep. An
//!    array of one object counts as that object.
//! 2. The text: the first field that has a text. A sentence is preferred to a single word.
//! 3. The code: the first field that has a code, else a single word next to the sentence.
//!
//! Whether the client gets the text or the code is decided elsewhere.

use std::borrow::Cow;

use http::StatusCode;

use super::field_names::{
    CODES, Meaning, NO_CODES, PLACES, PLACES_OF_DATA, TEXT_LISTS, TEXTS_BY_NAME, is_whole, meaning, names_fields,
};
use super::phrases::{is_phrase, is_phrase_as_code};
use super::tree::Node;

/// The text and the code, with the places where they were found.
pub(super) struct ForeignText<'t, 'a> {
    /// The object with the text; the body if no object has one.
    pub(super) holder: Node<'t, 'a>,
    /// The objects around the holder, the outermost first.
    pub(super) wrappers: Vec<Node<'t, 'a>>,
    pub(super) text: Option<Found<'t, 'a>>,
    pub(super) code: Option<Found<'t, 'a>>,
}

/// A value, and the field in which it was found.
#[derive(Clone)]
pub(super) struct Found<'t, 'a> {
    pub(super) value: Cow<'a, str>,
    pub(super) field: Node<'t, 'a>,
}

/// How many objects may be around the object with the text (R2).
const MAX_WRAPPERS: usize = 2;

/// An object or a list with more fields or elements is data, so the error is not searched for behind these.
const MOST_BESIDE: usize = 256;

/// Reads an object.
pub(super) fn read<'t, 'a>(body: Node<'t, 'a>, status: StatusCode) -> ForeignText<'t, 'a> {
    let (holder, wrappers) = match holder(body, 0) {
        // An object that names a place, inside a map, is an issue. The objects around it do not count as wrappers.
        Some((holder, wrappers)) if is_issue(holder, &wrappers) => (holder, Vec::new()),
        Some(found) => found,
        None => (body.field("error").filter(|error| error.is_object()).unwrap_or(body), Vec::new()),
    };
    let sentence = texts(holder).find(|text| !is_word(&text.value, status));
    let text = sentence.or_else(|| texts(holder).next());
    let around = wrappers.iter().rev().copied().chain([body]);
    let code = std::iter::once(holder).chain(around).find_map(code).or_else(|| {
        let text = text.as_ref()?.field.raw();
        texts_of(holder, |field| !std::ptr::eq(field.raw(), text)).find(|word| is_code(&word.value))
    });
    ForeignText { holder, wrappers, text, code }
}

/// Whether an inner object is an issue, about one field: it names a place, or it is in a map under the name of a field.
fn is_issue(holder: Node<'_, '_>, wrappers: &[Node<'_, '_>]) -> bool {
    let is_named = |map: Node<'_, '_>| {
        let mut fields = map.children().filter(|field| !is_whole(*field, map));
        fields.any(|field| object_in(field).is_some_and(|it| std::ptr::eq(it.raw(), holder.raw())))
    };
    let holds =
        |map: &Node<'_, '_>| names_place(holder) || holder.has("path") || names_fields(map.name()) && is_named(*map);
    wrappers.last().is_some_and(holds)
}

/// The only text with a space, if no other field of its object has one (R2). On a 400 or 422 it states what is wrong.
///
/// It is also searched for under fields that mean errors, at most as deep as a text that has a known name.
pub(super) fn only_sentence<'t, 'a>(body: Node<'t, 'a>) -> Option<Found<'t, 'a>> {
    let mut object = body;
    for _ in 0..=MAX_WRAPPERS {
        let mut sentences = object.children().filter_map(|field| {
            let value = field.words().filter(|text| text.trim().contains(' '))?;
            Some(Found { value, field })
        });
        if let Some(sentence) = sentences.next() {
            return Some(sentence).filter(|_| sentences.next().is_none());
        }
        let mut errors = object.children().filter(|field| meaning(*field, object) != Meaning::Nothing);
        let only = errors.next().filter(|_| errors.next().is_none())?;
        object = object_in(only)?;
    }
    None
}

/// The object with the text, and the objects around it; `None` if no object or several objects have a text.
fn holder<'t, 'a>(object: Node<'t, 'a>, depth: usize) -> Option<(Node<'t, 'a>, Vec<Node<'t, 'a>>)> {
    if has_text(object) {
        return Some((object, Vec::new()));
    }
    if depth == MAX_WRAPPERS {
        return None;
    }
    let objects = object.children().take(MOST_BESIDE).filter_map(object_in);
    let mut found = objects.filter_map(|inside| holder(inside, depth + 1));
    let (holder, mut wrappers) = found.next().filter(|_| found.next().is_none())?;
    wrappers.insert(0, object);
    Some((holder, wrappers))
}

/// The object in a field; a list of one object counts as that object.
fn object_in<'t, 'a>(field: Node<'t, 'a>) -> Option<Node<'t, 'a>> {
    field.only().or(Some(field)).filter(|it| it.is_object())
}

/// Whether an object has a text.
fn has_text(object: Node<'_, '_>) -> bool {
    object.named(&TEXTS_BY_NAME).any(|(_, field)| field.has_words()) || texts(object).next().is_some()
}

/// The texts of an object, in the order in which they are preferred.
fn texts<'t, 'a>(object: Node<'t, 'a>) -> impl Iterator<Item = Found<'t, 'a>> {
    texts_of(object, |_| true)
}

/// The texts of those fields for which `is_wanted` returns true.
pub(super) fn texts_of<'t, 'a>(
    object: Node<'t, 'a>,
    is_wanted: impl Fn(&Node<'t, 'a>) -> bool + Copy,
) -> impl Iterator<Item = Found<'t, 'a>> {
    let texts = object.named(&TEXTS_BY_NAME).filter_map(move |(_, field)| {
        let field = Some(field).filter(is_wanted)?;
        Some(Found { value: field.words()?, field })
    });
    // OData's texts, which have a language.
    let by_language = move || {
        let field = object.field("message").filter(|it| it.is_object()).filter(is_wanted)?;
        Some(Found { value: field.field("value")?.words()?, field })
    };
    let lists = object.named(&TEXT_LISTS).filter_map(move |(_, field)| {
        let field = Some(field).filter(is_wanted)?;
        Some(Found { value: field.only().unwrap_or(field).words()?, field })
    });
    texts.chain(std::iter::once_with(by_language).flatten()).chain(lists)
}

/// Whether a text states no more than a single word does, or the status.
fn is_word(text: &str, status: StatusCode) -> bool {
    let text = text.trim();
    let repeats = || {
        let behind = text.get(..5).filter(|it| it.eq_ignore_ascii_case("error")).map(|_| text[5..].trim_start());
        behind.is_some_and(|behind| behind.starts_with(status.as_str()))
    };
    !text.contains(char::is_whitespace) || is_phrase(text) || repeats()
}

fn code<'t, 'a>(object: Node<'t, 'a>) -> Option<Found<'t, 'a>> {
    CODES.iter().find_map(|name| {
        let field = object.field_in_any_case(name)?;
        let value = field.only().unwrap_or(field).word_or_digits().filter(|value| is_code(value))?;
        // AWS puts a namespace before the name.
        let value = match (*name, value) {
            ("__type", Cow::Borrowed(value)) => Cow::Borrowed(value.rsplit('#').next().unwrap_or(value)),
            (_, value) => value,
        };
        Some(Found { value, field })
    })
}

/// Whether a code states more than the status, or than the mere fact of an error.
fn is_code(code: &str) -> bool {
    let is_status = code.len() == 3 && code.parse::<u16>().is_ok_and(|code| (100..600).contains(&code));
    let is_word = NO_CODES.iter().any(|word| code.eq_ignore_ascii_case(word));
    !is_status && !is_word && !is_phrase_as_code(code) && !code.contains(' ')
}

/// Whether an object names a place. An array of one such object is a list of one issue (R2, R13).
pub(super) fn names_place(object: Node<'_, '_>) -> bool {
    PLACES.iter().any(|name| {
        let is_place = |field: Node<'_, '_>| {
            !field.is_null() && (!PLACES_OF_DATA.contains(name) || *name == "path" && field.is_array())
        };
        object.field(name).is_some_and(is_place)
    })
}
