//! The text and the code of a JSON body that is in no dialect (rule R2).
//!
//! 1. The object with the text: the body, or the one object in it that has one, two deep at most. An array of one object
//!    is that object.
//! 2. The text: the first of the fields that have one; a sentence goes before a word.
//! 3. The code: the first of the fields that have one; else the word next to the sentence.
//!
//! Nothing here decides whether a client gets it.

use std::borrow::Cow;

use http::StatusCode;

use super::field_names::{
    CODES, Meaning, NO_CODES, PLACES, PLACES_OF_DATA, TEXT_LISTS, TEXTS_BY_NAME, is_whole, meaning, names_fields,
};
use super::phrases::{is_phrase, is_phrase_as_code};
use super::tree::Node;

/// The text and the code, and where they were read.
pub(super) struct ForeignText<'t, 'a> {
    /// The object with the text; the body where there is none.
    pub(super) holder: Node<'t, 'a>,
    /// The objects around it, the outermost first.
    pub(super) wrappers: Vec<Node<'t, 'a>>,
    pub(super) text: Option<Found<'t, 'a>>,
    pub(super) code: Option<Found<'t, 'a>>,
}

/// A value, and the field that it was found under.
#[derive(Clone)]
pub(super) struct Found<'t, 'a> {
    pub(super) value: Cow<'a, str>,
    pub(super) field: Node<'t, 'a>,
}

/// An object around the error, and one more around that (R2).
const MAX_WRAPPERS: usize = 2;

/// An object or a list with more fields or elements is data: the error is not looked for behind them.
const MOST_BESIDE: usize = 256;

/// Reads an object.
pub(super) fn read<'t, 'a>(body: Node<'t, 'a>, status: StatusCode) -> ForeignText<'t, 'a> {
    let (holder, wrappers) = match holder(body, 0) {
        // An object that names a place in a map is an issue, and nothing around it is a wrapper.
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

/// Whether an object inside others is what is wrong with one field: it has a place, or a field's name.
fn is_issue(holder: Node<'_, '_>, wrappers: &[Node<'_, '_>]) -> bool {
    let is_named = |map: Node<'_, '_>| {
        let mut fields = map.children().filter(|field| !is_whole(*field, map));
        fields.any(|field| object_in(field).is_some_and(|it| std::ptr::eq(it.raw(), holder.raw())))
    };
    let holds =
        |map: &Node<'_, '_>| names_place(holder) || holder.has("path") || names_fields(map.name()) && is_named(*map);
    wrappers.last().is_some_and(holds)
}

/// The one text with a space in it of an object that has no other (R2): on a 400 or 422 it states what is wrong.
///
/// It is looked for under fields that mean errors as well, as deep as a text by name.
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

/// The object that has the text, and those around it; `None` where there is none, or where several could be it.
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

/// An object; a list of one error is that error.
fn object_in<'t, 'a>(field: Node<'t, 'a>) -> Option<Node<'t, 'a>> {
    field.only().or(Some(field)).filter(|it| it.is_object())
}

/// Whether an object has a text.
fn has_text(object: Node<'_, '_>) -> bool {
    object.named(&TEXTS_BY_NAME).any(|(_, field)| field.has_words()) || texts(object).next().is_some()
}

/// The texts of an object, the first before the others.
fn texts<'t, 'a>(object: Node<'t, 'a>) -> impl Iterator<Item = Found<'t, 'a>> {
    texts_of(object, |_| true)
}

/// The texts of the fields that `is_wanted` takes.
pub(super) fn texts_of<'t, 'a>(
    object: Node<'t, 'a>,
    is_wanted: impl Fn(&Node<'t, 'a>) -> bool + Copy,
) -> impl Iterator<Item = Found<'t, 'a>> {
    let texts = object.named(&TEXTS_BY_NAME).filter_map(move |(_, field)| {
        let field = Some(field).filter(is_wanted)?;
        Some(Found { value: field.words()?, field })
    });
    // OData's.
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

/// Whether a text is no more specific than a word, or than the status.
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
        // AWS writes the namespace of a name before it.
        let value = match (*name, value) {
            ("__type", Cow::Borrowed(value)) => Cow::Borrowed(value.rsplit('#').next().unwrap_or(value)),
            (_, value) => value,
        };
        Some(Found { value, field })
    })
}

/// Whether a code is more specific than the status, and than the fact that there is an error.
fn is_code(code: &str) -> bool {
    let is_status = code.len() == 3 && code.parse::<u16>().is_ok_and(|code| (100..600).contains(&code));
    let is_word = NO_CODES.iter().any(|word| code.eq_ignore_ascii_case(word));
    !is_status && !is_word && !is_phrase_as_code(code) && !code.contains(' ')
}

/// Whether an object names a place: in an array of one it is a list of one issue then (R2, R13).
pub(super) fn names_place(object: Node<'_, '_>) -> bool {
    PLACES.iter().any(|name| {
        let is_place = |field: Node<'_, '_>| {
            !field.is_null() && (!PLACES_OF_DATA.contains(name) || *name == "path" && field.is_array())
        };
        object.field(name).is_some_and(is_place)
    })
}
