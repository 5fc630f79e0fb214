//! Finds the text and the code in a JSON body that is in no known shape (R2).
//!
//! 1. The module finds the object with the text. This object is the body, or the only object in the body that has a
//!    text, at most two levels deep. An array of one object is treated as that object.
//! 2. The module finds the text, which is in the first field that has a text. A sentence is preferred to a single word.
//! 3. The module finds the code, which is in the first field that has a code. If no field has a code, a single word
//!    next to the sentence is the code.
//!
//! Other modules decide whether the client gets the text or the code.

use std::borrow::Cow;

use http::StatusCode;

use super::field_lists;
use crate::dialect::codes::{is_bare_code, is_code};
use crate::dialect::field_names::{
    CodeName, Meaning, Ranks, TEXT_LISTS, is_error_field, is_for_debugging, is_list_of_names, is_name_of_data,
    is_of_error, is_sure_place, is_whole, is_whole_name, meaning, names_fields,
};
use crate::dialect::name_words::is_never_kept;
use crate::dialect::phrases::is_phrase;
use crate::dialect::rest;
use crate::dialect::tree::Node;

/// The text and the code of a body, with the places at which they were found.
pub(in crate::dialect) struct ForeignText<'t, 'a> {
    /// The object with the text, or the body if no object has a text.
    pub(in crate::dialect) holder: Node<'t, 'a>,
    /// The objects around the holder, the outermost first.
    pub(in crate::dialect) wrappers: Vec<Node<'t, 'a>>,
    pub(in crate::dialect) text: Option<Found<'t, 'a>>,
    pub(in crate::dialect) code: Option<Found<'t, 'a>>,
    /// The first text or number under an unambiguous name of a code, in any form (R1).
    pub(in crate::dialect) raw_code: Option<Cow<'a, str>>,
}

impl<'t, 'a> ForeignText<'t, 'a> {
    /// Returns the body, and also the object with the text, if this is another object.
    pub(in crate::dialect) fn objects(&self, body: Node<'t, 'a>) -> impl Iterator<Item = Node<'t, 'a>> + Clone {
        [body].into_iter().chain(Some(self.holder).filter(|holder| !std::ptr::eq(holder.raw(), body.raw())))
    }
}

/// A value, and the field in which it was found.
#[derive(Clone)]
pub(in crate::dialect) struct Found<'t, 'a> {
    pub(in crate::dialect) value: Cow<'a, str>,
    pub(in crate::dialect) field: Node<'t, 'a>,
}

/// The maximum number of objects around the object with the text (R2).
const MAX_WRAPPERS: usize = 2;

/// The maximum number of fields or elements of one object or list that are searched for the error. An object or a list
/// with more of them is data.
const MOST_BESIDE: usize = 256;

/// Reads an object.
pub(in crate::dialect) fn read<'t, 'a>(body: Node<'t, 'a>, status: StatusCode) -> ForeignText<'t, 'a> {
    // The status's phrase and its explanation state less than an object under `error` next to them (Heat).
    let says_nothing = || texts(body).all(|text| is_phrase(text.value.trim()) || text.field.name() == "explanation");
    let in_error = body.field("error").filter(|error| error.is_object() && has_text(*error) && says_nothing());
    let in_object = || [has_text, has_list].into_iter().find_map(|is_error| holder(body, 0, is_error));
    let without_text = || ["error", "errors"].iter().find_map(|name| object_in(body.field(name)?));
    let (holder, wrappers, is_issue) = match in_error.map(|error| (error, vec![body])).or_else(in_object) {
        // An object in a map is an issue if it names a place. The objects around it are then not wrappers.
        Some((holder, wrappers)) if is_issue(holder, &wrappers) => (holder, Vec::new(), true),
        Some((holder, wrappers)) => (holder, wrappers, false),
        None => (without_text().unwrap_or(body), Vec::new(), false),
    };
    let text = match texts(holder).next() {
        Some(first) if is_word(&first.value, status) => {
            // A word that could not become the code would be lost, so only a real sentence replaces it.
            let stays = !is_code(&first.value, status) && !is_phrase(first.value.trim());
            let is_better = |text: &str| !is_word(text, status) && (!stays || rest::sentence(text).is_some());
            let sentence = texts(holder).find(|text| is_better(&text.value));
            sentence.or_else(|| led_sentence(holder).filter(|_| !stays)).or(Some(first))
        }
        first => first.or_else(|| led_sentence(holder)),
    };
    let extensions = holder.field("extensions").filter(|it| it.is_object());
    // The code of an issue is not the code of the body, so the body's own code is searched first.
    let outer = Some(body).filter(|_| is_issue);
    let inner = outer.into_iter().chain([holder]).chain(extensions);
    let is_top = std::ptr::eq(holder.raw(), body.raw());
    let around = Some(body).filter(|_| !is_top);
    let objects = || inner.clone().chain(wrappers.iter().rev().copied()).chain(around);
    let mut raw_code = None;
    let mut sure = objects().flat_map(|object| codes(object, CodeName::Sure));
    let of_form = |found: &Found<'_, 'a>| is_code(&found.value, status);
    let word = || {
        let text = text.as_ref()?.field.raw();
        texts_of(holder, Some(text)).find(of_form)
    };
    let led = || objects().flat_map(|object| codes(object, CodeName::Led)).find(of_form);
    let bare = || {
        codes(holder, CodeName::Bare)
            .find(|found| of_form(found) && is_bare_code(found.field.name(), &found.value, is_top))
    };
    let sure = sure.find(|found| {
        raw_code.get_or_insert_with(|| found.value.clone());
        of_form(found)
    });
    // Google's older APIs send this form.
    let listed = || {
        let reason = holder.field("errors")?.elements()?.next().filter(|it| it.has("domain"))?.field("reason")?;
        Some(Found { value: reason.text()?, field: reason }).filter(of_form)
    };
    // A number under `error` is the number of the error.
    let numbered = || {
        let field = holder.field("error").filter(|error| !error.is_text())?;
        Some(Found { value: field.word_or_digits()?, field }).filter(of_form)
    };
    let code = sure.or_else(word).or_else(led).or_else(bare).or_else(listed).or_else(numbered);
    ForeignText { holder, wrappers, text, code, raw_code }
}

/// Returns true if an inner object is an issue about one field. Such an object names a place, or is in a map under the
/// name of a field.
fn is_issue(holder: Node<'_, '_>, wrappers: &[Node<'_, '_>]) -> bool {
    let is_named = |map: Node<'_, '_>| {
        let mut fields = map.children().filter(|field| !is_whole(*field, map));
        fields.any(|field| object_in(field).is_some_and(|it| std::ptr::eq(it.raw(), holder.raw())))
    };
    // A list in a map of errors states what is wrong with one field.
    let is_in_list = |map: Node<'_, '_>| {
        matches!(map.name(), "errors" | "message")
            && map.children().any(|it| it.only().is_some_and(|it| std::ptr::eq(it.raw(), holder.raw())))
    };
    let holds = |map: &Node<'_, '_>| {
        names_place(holder) || holder.has("path") || (names_fields(map.name()) || is_in_list(*map)) && is_named(*map)
    };
    wrappers.last().is_some_and(holds) || wrappers.iter().any(|map| field_lists::is_map(*map) || is_tree(*map))
}

/// Returns true if an object is the root of Zod's `treeifyError()`.
pub(in crate::dialect) fn is_tree(object: Node<'_, '_>) -> bool {
    let is_branch = |name| object.field(name).is_some_and(|it| it.is_object() || it.is_array());
    object.field("errors").is_some_and(Node::is_array) && (is_branch("properties") || is_branch("items"))
}

/// Returns the only sentence under a name that begins with a word for errors. A word under a better name is then the
/// code.
fn led_sentence<'t, 'a>(object: Node<'t, 'a>) -> Option<Found<'t, 'a>> {
    let mut sentences = object.children().filter_map(|field| {
        let value = field.words().filter(|text| text.trim().contains(' '))?;
        (is_of_error(field.name()) && !is_for_debugging(field.name())).then_some(Found { value, field })
    });
    sentences.next().filter(|_| sentences.next().is_none())
}

/// Returns the only text with a space, if no other field of its object has such a text (R2).
///
/// The text is also searched for in objects under fields that mean errors, at most as deep as a text with a known name.
pub(in crate::dialect) fn only_sentence<'t, 'a>(body: Node<'t, 'a>) -> Option<Found<'t, 'a>> {
    let mut object = body;
    for _ in 0..=MAX_WRAPPERS {
        let is_text_of_error = |name: &str| !is_for_debugging(name) && !is_never_kept(name);
        let mut sentences = object.children().filter_map(|field| {
            let value = field.words().filter(|text| text.trim().contains(' ') && is_text_of_error(field.name()))?;
            Some(Found { value, field })
        });
        if let Some(sentence) = sentences.next() {
            return Some(sentence).filter(|_| sentences.next().is_none());
        }
        let is_error = |field: &Node<'_, '_>| is_error_field(*field, object) || field.name() == "messages";
        let mut errors = object.children().filter(is_error);
        let only = errors.next().filter(|_| errors.next().is_none())?;
        object = object_in(only)?;
    }
    None
}

/// Returns the object with the text, and the objects around it. Returns `None` if no object or several objects have a
/// text. If one of several objects is under a field that means errors, this object is returned.
fn holder<'t, 'a>(
    object: Node<'t, 'a>,
    depth: usize,
    is_error: fn(Node<'t, 'a>) -> bool,
) -> Option<(Node<'t, 'a>, Vec<Node<'t, 'a>>)> {
    if is_error(object) {
        return Some((object, Vec::new()));
    }
    if depth == MAX_WRAPPERS {
        return None;
    }
    let fields = object.children().take(MOST_BESIDE);
    let rank = |field: Node<'t, 'a>| (is_error_field(field, object), field.is_object());
    let found = fields.filter_map(|field| Some((holder(object_in(field)?, depth + 1, is_error)?, rank(field))));
    let mut found: Vec<_> = found.collect();
    if let Some(best) = found.iter().map(|(_, rank)| *rank).max().filter(|best| best.0) {
        found.retain(|(_, rank)| *rank == best);
    }
    let ((holder, mut wrappers), _) = found.pop().filter(|_| found.is_empty())?;
    wrappers.insert(0, object);
    Some((holder, wrappers))
}

/// Returns the object in a field. A list of one object is treated as that object.
fn object_in<'t, 'a>(field: Node<'t, 'a>) -> Option<Node<'t, 'a>> {
    field.only().or(Some(field)).filter(|it| it.is_object())
}

/// Returns true if an object has a text.
pub(in crate::dialect) fn has_text(object: Node<'_, '_>) -> bool {
    texts(object).next().is_some()
}

/// Returns true if an object has a list of errors under a name that usually belongs to a text.
fn has_list(object: Node<'_, '_>) -> bool {
    let is_error = |element: Node<'_, '_>| element.is_text() || element.is_object() && has_text(element);
    let mut lists = TEXT_LISTS.iter().filter_map(|name| object.field_in_any_case(name));
    lists.any(|field| field.elements().is_some_and(|mut it| it.any(is_error))) && !field_lists::is_map(object)
}

/// Returns the texts of an object. The preferred texts come first.
fn texts<'t, 'a: 't>(object: Node<'t, 'a>) -> Box<dyn Iterator<Item = Found<'t, 'a>> + 't> {
    // If the object has only one list, the list means errors and has only one text, that text is used whatever its name
    // is.
    let is_list = |field: &Node<'_, '_>| field.is_array() || field.is_object();
    let only =
        move || Some(object.children().find(is_list)?).filter(|_| object.children().filter(is_list).count() == 1);
    let is_errors = move |field: &Node<'t, 'a>| {
        field.is_array() && !is_whole_name(field.name()) && meaning(*field, object) == Meaning::Errors
    };
    let others = std::iter::once_with(only).flatten().filter(is_errors);
    let others = others.filter_map(|field| Some(Found { value: field.only()?.words()?, field }));
    Box::new(texts_of(object, None).chain(others))
}

/// Returns the texts of an object, without the text of the field `except`.
pub(in crate::dialect) fn texts_of<'t, 'a: 't>(
    object: Node<'t, 'a>,
    except: Option<&'a str>,
) -> Box<dyn Iterator<Item = Found<'t, 'a>> + 't> {
    let is_wanted = move |field: &Node<'t, 'a>| except.is_none_or(|except| !std::ptr::eq(except, field.raw()));
    let texts = object.ranked(&Ranks::text).filter_map(move |field| {
        let field = Some(field).filter(is_wanted)?;
        let value = field.words()?;
        (value.contains(' ') || !is_name_of_data(field.name())).then_some(Found { value, field })
    });
    // OData writes texts as objects with a language.
    let by_language = move || {
        let field = object.field("message").filter(|it| it.is_object()).filter(is_wanted)?;
        Some(Found { value: field.field("value")?.words()?, field })
    };
    // If the object is a map of the request's fields, a list under such a name is not a text.
    let is_text = move |field: &Node<'t, 'a>| !(field.is_array() && field_lists::is_map(object));
    let lists = TEXT_LISTS.iter().filter_map(move |name| {
        let field = object.field_in_any_case(name).filter(is_wanted).filter(is_text)?;
        Some(Found { value: field.only().unwrap_or(field).words()?, field })
    });
    Box::new(texts.chain(std::iter::once_with(by_language).flatten()).chain(lists))
}

/// Returns true if a text is a single word, or states no more than the status.
fn is_word(text: &str, status: StatusCode) -> bool {
    let text = text.trim();
    let repeats = || {
        let behind = text.get(..5).filter(|it| it.eq_ignore_ascii_case("error")).map(|_| text[5..].trim_start());
        behind.is_some_and(|behind| behind.starts_with(status.as_str()))
    };
    !text.contains(char::is_whitespace) && rest::sentence(text).is_none() || is_phrase(text) || repeats()
}

/// Returns the texts and numbers in the fields whose names are names of codes with this reliability. Of a list of codes,
/// the first one counts.
fn codes<'t, 'a: 't>(object: Node<'t, 'a>, worth: CodeName) -> Box<dyn Iterator<Item = Found<'t, 'a>> + 't> {
    Box::new(object.ranked(&move |ranks| ranks.code(worth)).filter_map(|field| {
        let first = || field.elements()?.next().filter(|_| field.name().ends_with("codes"));
        let value = field.only().or_else(first).unwrap_or(field).word_or_digits()?;
        // AWS writes a namespace before the name.
        let value = match value {
            Cow::Borrowed(value) if field.name() == "__type" => {
                Cow::Borrowed(value.rsplit('#').next().unwrap_or(value))
            }
            value => value,
        };
        Some(Found { value, field })
    }))
}

/// Returns the code of the first of several errors.
pub(in crate::dialect) fn code_of_first<'a>(errors: Node<'_, 'a>, status: StatusCode) -> Option<Cow<'a, str>> {
    let first = errors.elements()?.next()?;
    codes(first, CodeName::Sure).find(|code| is_code(&code.value, status)).map(|code| code.value)
}

/// Returns true if an object names a place. An array of one such object is a list of one issue (R2, R13).
pub(in crate::dialect) fn names_place(object: Node<'_, '_>) -> bool {
    let is_place = |field: Node<'_, '_>| is_sure_place(field.name()) || is_list_of_names(object, field);
    object.children().any(|field| !field.is_null() && is_place(field))
}
