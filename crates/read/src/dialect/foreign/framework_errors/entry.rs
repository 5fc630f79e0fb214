//! Reads an entry, which is an object that states what is wrong with one field (R13). This module finds the place and
//! the text among the fields of the entry.

use std::borrow::Cow;

use super::found::{Found, Issue, Surroundings};
use crate::dialect::codes::is_code_or_word;
use crate::dialect::field_names::{
    self, ISSUE_CODES, ISSUE_TEXTS, Meaning, PLACES, PLACES_OF_DATA, Ranks, TEXT_LISTS, TOP_PLACES,
    TOP_PLACES_OF_INPUT, VALUES, is_any, is_list_of_names, is_no_place, is_part, is_sure_place,
};
use crate::dialect::foreign::foreign_text;
use crate::dialect::name_words::words;
use crate::dialect::outgoing::is_identifier;
use crate::dialect::place::{Place, is_dotted};
use crate::dialect::tree::Node;

/// Fields of an entry that contain a list of further entries, in express-validator and yup.
const INNER_LISTS: [&str; 2] = ["nestedErrors", "fields"];

/// Reads an element of a list. Returns `false` if the element is not an entry.
pub(super) fn read<'t, 'a>(
    found: &mut Found<'t, 'a>,
    object: Node<'t, 'a>,
    around: Surroundings,
    inherited: Option<&Cow<'a, str>>,
) -> bool {
    if !object.is_object() {
        return false;
    }
    if found.is_full() {
        found.count(count(object, around));
        return true;
    }
    if object.has("constraints") || object.has("children") {
        return read_class_validator(found, object, &mut Place::default(), 0);
    }
    // If an error names its place, the text may have any name.
    let beside_place = || {
        let is_composed = || object.children().any(|field| composed_place(field, around.means_errors).is_some());
        let is_placed = is_composed() || around.means_errors && is_placed(object);
        let text = foreign_text::only_sentence(Some(object).filter(|_| is_placed)?)?;
        let is_inside = object.children().any(|field| std::ptr::eq(field.raw(), text.field.raw()));
        is_inside.then(|| (text.field.name(), text.value))
    };
    let own = text(object, around.means_errors).or_else(beside_place);
    let Some((name, text)) = own.or_else(|| inherited.map(|text| ("", text.clone()))) else {
        return read_several_texts(found, object, around);
    };
    let is_list = |list: &Node<'_, '_>| list.children().next().is_some_and(Node::is_object);
    let inner = INNER_LISTS.iter().find_map(|name| object.field(name).filter(is_list)?.elements());
    if let Some(mut inner) = inner.filter(|_| around.depth < Surroundings::DEEPEST) {
        let around = around.one_level_down();
        return inner.all(|it| read(found, it, around, Some(&text)));
    }
    let Ok(places) = places(object, around, name) else { return false };
    for mut place in places {
        if let Some(name) = missing_name(object) {
            place.end_with(&name);
        }
        push(found, place, object, text.clone());
    }
    true
}

/// Reads an entry with several texts for one place: `{"field":"to","messages":["…","…"]}`.
fn read_several_texts<'t, 'a>(found: &mut Found<'t, 'a>, entry: Node<'t, 'a>, around: Surroundings) -> bool {
    let Some((name, texts)) = list_of_texts(entry) else { return read_inner_errors(found, entry, around) };
    let places = places(entry, around, name).unwrap_or_default();
    push_all(found, &places, &texts.children().filter_map(|text| Some((entry, text.words()?))).collect::<Vec<_>>())
}

/// Adds an issue for each place and text. Issues beyond the maximum are only counted.
fn push_all<'t, 'a>(found: &mut Found<'t, 'a>, places: &[Place], texts: &[(Node<'t, 'a>, Cow<'a, str>)]) -> bool {
    let mut left = places.len() * texts.len();
    for (place, (entry, text)) in places.iter().flat_map(|place| texts.iter().map(move |text| (place, text))) {
        if found.is_full() {
            found.count(left);
            break;
        }
        push(found, place.clone(), *entry, text.clone());
        left -= 1;
    }
    !texts.is_empty() && places.iter().any(Place::has_name)
}

/// Reads an entry whose list states what is wrong with its place:
/// `{"field":"to","errors":[{"code":"AC01","text":"…"}]}`.
fn read_inner_errors<'t, 'a>(found: &mut Found<'t, 'a>, entry: Node<'t, 'a>, around: Surroundings) -> bool {
    let is_list = |field: &Node<'_, '_>| field.is_array() && field_names::meaning(*field, entry) == Meaning::Errors;
    let Some(errors) = entry.children().find(is_list) else { return false };
    // An error that names a place is itself an entry.
    if errors.children().any(states_place) {
        return false;
    }
    let places = places(entry, around, "").unwrap_or_default();
    let text = |error: Node<'t, 'a>| Some((error, error.words().or_else(|| Some(text(error, true)?.1))?));
    places.iter().any(Place::has_name)
        && push_all(found, &places, &errors.children().filter_map(text).collect::<Vec<_>>())
}

/// Returns the list of texts in an entry, with the name of the field that contains the list.
pub(super) fn list_of_texts<'t, 'a>(entry: Node<'t, 'a>) -> Option<(&'t str, Node<'t, 'a>)> {
    let may_be = |list: Node<'_, '_>| list.elements().is_some_and(|mut it| it.next().is_some_and(Node::is_text));
    // Most entries have no such list, and looking up names is slow.
    if !entry.children().any(may_be) {
        return None;
    }
    let fields = entry.ranked(&Ranks::text);
    let lists = TEXT_LISTS.iter().filter_map(|name| entry.field_in_any_case(name));
    let mut fields = fields.chain(lists).map(|field| (field.name(), field));
    fields.find(|(_, list)| list.elements().is_some_and(|mut it| it.all(Node::is_text)) && list.count_texts() > 0)
}

/// Returns the number of issues in a part of a body that is only counted. Texts and entries are counted.
pub(super) fn count(part: Node<'_, '_>, around: Surroundings) -> usize {
    if part.is_text() || part.is_array() && part.children().next().is_none_or(Node::is_text) {
        return part.count_texts();
    }
    if let Some(constraints) = part.field("constraints") {
        // Only class-validator writes such an entry.
        return [Some(constraints), part.field("children")].into_iter().flatten().map(|it| count(it, around)).sum();
    }
    if part.children().any(Node::is_text) && text(part, around.means_errors).is_some() {
        return 1;
    }
    if let Some((_, texts)) = list_of_texts(part).filter(|_| has_place(part)) {
        return texts.count_texts();
    }
    part.children().map(|child| count(child, around)).sum()
}

/// Returns true if an object names a place as an entry does. Such an object has a text under a name for places, or a
/// `path` that is a list of steps. In a map from fields to mistakes, a field with such a name would contain a list or
/// further mistakes.
pub(super) fn states_place(object: Node<'_, '_>) -> bool {
    let is_name = |step: Node<'_, '_>| step.word_or_digits().is_some_and(|step| !step.contains(' '));
    let is_path = |path: Node<'_, '_>| path.elements().is_some_and(|mut steps| steps.all(is_name));
    // One pass over the fields suffices. The check runs for each element of a list.
    object.children().any(|it| it.is_text() && is_sure_place(it.name()) || it.name() == "path" && is_path(it))
}

/// Returns true if an object names a place under a name that is not used for data.
fn has_place(object: Node<'_, '_>) -> bool {
    object.children().any(|field| is_sure_place(field.name()))
}

/// Returns the text of an entry, and the name of its field. If the entry has no text, but has an unambiguous place, its
/// code is the text.
pub(super) fn text<'t, 'a>(object: Node<'t, 'a>, means_errors: bool) -> Option<(&'t str, Cow<'a, str>)> {
    let others = || ISSUE_TEXTS.iter().filter_map(|name| object.field_in_any_case(name));
    let mut texts = object.ranked(&Ranks::text).chain(others());
    if let Some((name, text)) = texts.find_map(|field| Some((field.name(), field.words()?))) {
        let is_issue = means_errors || !field_names::is_text_of_data(name) || has_place(object);
        return is_issue.then_some((name, text));
    }
    // Entries of typia and Marble have no text.
    if let Some(expected) = object.string("expected").filter(|_| has_place(object) || object.has("path")) {
        return Some(("expected", Cow::Owned(format!("expected {expected}"))));
    }
    let code = ["code", "errorCode", "error_code", "rule", "keyword"].iter().find_map(|name| object.string(name));
    let is_placed = is_placed(object) || object.field("path").is_some_and(Node::is_array);
    Some(("", code.filter(|code| means_errors && is_placed && is_identifier(code))?))
}

/// Returns true if an error names a place. Under the name `path`, a text that begins with a slash may be the request's
/// own path.
fn is_placed(error: Node<'_, '_>) -> bool {
    has_place(error) || error.string("path").is_some_and(|path| is_dotted(&path))
}

/// Adds an issue with this text. The code of the entry becomes the code of the issue.
pub(super) fn push<'t, 'a>(found: &mut Found<'t, 'a>, place: Place, entry: Node<'t, 'a>, text: Cow<'a, str>) {
    let code = code(entry, &text);
    found.push(Issue { place, text, code, entry: Some(entry) });
}

/// Returns the code of an entry. The code is in a field with a known name, or is a single word next to the sentence
/// (R2).
pub(super) fn code<'a>(entry: Node<'_, 'a>, text: &str) -> Option<Cow<'a, str>> {
    let named = ISSUE_CODES.iter().find_map(|name| {
        // In express-validator, `type` is the kind of the entry, and not of the mistake.
        let code = entry.field_in_any_case(name).and_then(Node::word_or_digits);
        let is_status = |code: &str| code.len() == 3 && code.parse().is_ok_and(|code: u16| (400..600).contains(&code));
        code.filter(|code| {
            is_code_or_word(code) && !is_status(code) && &**code != "0" && !(*name == "type" && code == "field")
        })
    });
    let is_sentence = text.trim().contains(' ');
    let mut texts = entry.ranked(&Ranks::text).filter(|_| is_sentence);
    named.or_else(|| texts.find_map(|field| field.text().filter(|word| is_identifier(word))))
}

/// Returns the places of an entry, which are usually only one. An entry without a place has one empty place. An invalid
/// place is an error, because the object is then not an entry.
pub(super) fn places(object: Node<'_, '_>, around: Surroundings, text: &str) -> Result<Vec<Place>, ()> {
    let is_known = ["location", "in", "source"].iter().any(|it| object.string(it).is_some_and(|part| is_part(&part)));
    let is_of_errors = around.means_errors || ["location", "in", "source"].iter().any(|it| object.has(it));
    let is_graphql = around.is_graphql || object.has("locations");
    let mut empty = None;
    for name in PLACES {
        let Some(value) = object.field_in_any_case(name).filter(|value| !value.is_null()) else { continue };
        if name == "name" && is_class_or_parent(object, value) {
            continue;
        }
        let is_list = is_list_of_names(object, value);
        if value.name() == text
            || PLACES_OF_DATA.contains(&name) && !is_of_errors && !is_list
            || name == "path" && is_graphql
        {
            continue;
        }
        match parse_place(object, name, value) {
            Some(places) if places.iter().all(Place::is_empty) => empty = Some(places),
            Some(mut places) => {
                // Bean Validation states that the value is a parameter of a method.
                if object.string("constraintType").is_some_and(|kind| kind == "PARAMETER") {
                    places.iter_mut().for_each(Place::without_method);
                }
                let known = |place: Place| if is_known { place.in_known_part() } else { place };
                return Ok(places.into_iter().map(known).collect());
            }
            None if matches!(name, "path" | "loc") => return Err(()),
            None => {}
        }
    }
    let composed = || object.children().find_map(|field| composed_place(field, around.means_errors));
    Ok(empty.or_else(|| Some(vec![composed()?])).unwrap_or_else(|| vec![Place::default()]))
}

/// Returns the place in a field whose name is made of the name of a place and a word for an error or a field, as in
/// `violationPath`.
fn composed_place(field: Node<'_, '_>, means_errors: bool) -> Option<Place> {
    const LAST: [&str; 8] = ["path", "pointer", "field", "property", "attribute", "parameter", "param", "name"];

    let ends_with = |end: &&str| {
        let (name, end) = (field.name().as_bytes(), end.as_bytes());
        name.len() > end.len() && name[name.len() - end.len()..].eq_ignore_ascii_case(end)
    };
    // Most names have no such end, and splitting a name takes long.
    if !LAST.iter().any(ends_with) {
        return None;
    }
    let words = words(field.name());
    let [.., first, last] = &words[..] else { return None };
    let is_composed = match &**first {
        "error" | "violation" | "invalid" => last != "name" && LAST.contains(&&**last),
        "json" | "field" | "attribute" => means_errors && matches!(&**last, "path" | "name"),
        _ => false,
    };
    // Such a path may also be a file's or the request's own.
    let is_of_file = |text: &str| last == "path" && text.starts_with('/');
    let text = field.text().filter(|text| is_composed && is_place(text) && !is_of_file(text))?;
    Some(Place::parse(&text))
}

/// Returns true if an object is one issue, and has nothing else: its place, its text, its code, and what was sent. An
/// object with a `source` as in JSON:API is always one issue.
pub(super) fn is_one_issue(object: Node<'_, '_>) -> bool {
    let is_of_issue = |field: Node<'_, '_>| {
        let is_named = |names: &[&str]| is_any(names, field.name());
        !field.is_object()
            && !field.is_array()
            && (field_names::is_text_name(field.name())
                || is_named(&ISSUE_TEXTS)
                || is_named(&ISSUE_CODES)
                || is_named(&PLACES)
                || is_named(&VALUES))
    };
    let text = || text(object, true).filter(|(name, _)| !name.is_empty());
    let source = object.field("source").filter(|source| source.is_object());
    source.and_then(place_of_source).is_some_and(|place| place.has_name()) && text().is_some()
        || place_of(object, false).is_some()
            && object.children().all(is_of_issue)
            && text().is_some_and(|(name, _)| !field_names::is_text_of_data(name))
}

/// Returns the place of an object that states only one, under an unambiguous name. If the status means bad input
/// (`is_input`), more names are unambiguous.
pub(super) fn place_of(object: Node<'_, '_>, is_input: bool) -> Option<Place> {
    let named = |names: &[&str]| {
        names.iter().find_map(|name| {
            let text = object.field_in_any_case(name)?.text().filter(|it| is_place(it))?;
            Place::of_parameter(&text)
        })
    };
    let listed = || {
        let steps = object.field("path").filter(|_| !object.has("locations"))?.elements()?;
        let mut place = Place::default();
        for step in steps {
            place.step(&step.word_or_digits()?);
        }
        Some(place)
    };
    let of_input = || named(&TOP_PLACES_OF_INPUT).filter(|_| is_input);
    let composed = || object.children().find_map(|field| composed_place(field, false));
    named(&TOP_PLACES).or_else(listed).or_else(of_input).or_else(composed).filter(Place::has_name)
}

/// Returns true if a text names the place of a field. A sentence or an address names no place.
pub(super) fn is_place(text: &str) -> bool {
    text.starts_with('/') && !text.contains([' ', '?']) || is_dotted(text) || is_dotted(&text.replace('/', "."))
}

/// Returns true if the `name` of an object is not a place. The `name` is then a code, the class of an error, or the
/// name of an object that itself has a list of errors.
fn is_class_or_parent(object: Node<'_, '_>, name: Node<'_, '_>) -> bool {
    let is_code = |name: &str| name.contains('_') && !name.bytes().any(|it| it.is_ascii_lowercase());
    let is_class = |name: &str| {
        let ends = ["Error", "Exception", "NotFound"].iter().any(|end| name.ends_with(end));
        ends || is_code(name) || matches!(name, "BadRequest" | "Conflict" | "Forbidden" | "Unauthorized")
    };
    name.text().is_some_and(|name| is_class(&name))
        || object.children().any(|field| field.is_array() && field_names::meaning(field, object) == Meaning::Errors)
}

fn parse_place(object: Node<'_, '_>, name: &str, value: Node<'_, '_>) -> Option<Vec<Place>> {
    if matches!(name, "members" | "memberNames" | "fields") {
        let places: Option<Vec<_>> = value.elements()?.map(|it| Some(Place::parse(&it.text()?))).collect();
        return places.filter(|places| !places.is_empty());
    }
    if name == "target" && value.is_object() {
        // The errors of IBM's services also name the kind of the place.
        let is_of_request = value.string("type").is_some_and(|kind| matches!(&*kind, "field" | "parameter" | "header"));
        return Some(vec![Place::parse(&value.string("name").filter(|_| is_of_request)?)]);
    }
    if name == "source" {
        return Some(vec![if value.is_text() { path_of_source(object, value)? } else { place_of_source(value)? }]);
    }
    if value.is_array() {
        return Some(vec![place_of_steps(value, name == "loc")?]);
    }
    let text = value.text()?;
    // The text may be a word for a part of the request, or Litestar's name for the whole body.
    let is_body = || name == "key" && text == "data" && object.string("source").is_some_and(|it| it == "body");
    let names_part = |text: &str| is_part(text) || matches!(text, "url" | "uri" | "method");
    if name == "location" && names_part(&text.to_ascii_lowercase()) {
        return None;
    }
    let is_whole = is_no_place(&text) || field_names::is_whole_name(&text) || is_body();
    Some(vec![if is_whole { Place::default() } else { Place::parse(&text) }])
}

/// Returns the place in a list of steps, such as `["items",0]`. If `located` is true, the first step is a part of the
/// request.
fn place_of_steps(steps: Node<'_, '_>, located: bool) -> Option<Place> {
    let mut place = Place::default();
    for step in steps.children() {
        match step.text() {
            Some(name) => place.step(&name),
            // Standard Schema and Valibot can write a step as an object.
            None if step.is_object() => place.step(&step.field("key")?.word_or_digits()?),
            None => place.step(step.digits().filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()))?),
        }
    }
    if located {
        place.without_part();
        place = place.in_known_part();
    }
    Some(place)
}

/// Returns the place in a `source` that is a text. The text may also be the name of a system or a file, so the issue's
/// text must contain its last word.
fn path_of_source(entry: Node<'_, '_>, source: Node<'_, '_>) -> Option<Place> {
    let path = source.text().filter(|path| is_dotted(path))?;
    let last = path.rsplit(['.', '[']).next()?.trim_end_matches(']').to_ascii_lowercase();
    let (_, text) = text(entry, true)?;
    text.to_ascii_lowercase().contains(&last).then(|| Place::parse(&path))
}

/// Returns the place in a `source` of JSON:API. The body does not have JSON:API's media type, as in Rails 8.0 with
/// jsonapi-serializer.
fn place_of_source(source: Node<'_, '_>) -> Option<Place> {
    let Some(pointer) = source.string("pointer") else { return Some(Place::parse(&source.string("parameter")?)) };
    let inside = ["/data/attributes", "/data/relationships", "/data"];
    Some(Place::parse(inside.iter().find_map(|it| pointer.strip_prefix(it)).unwrap_or(&pointer)))
}

/// Returns the name of a missing field. ajv states this name in a parameter, which does not depend on the language of
/// the text.
fn missing_name<'a>(entry: Node<'_, 'a>) -> Option<Cow<'a, str>> {
    ["params", "info"].iter().find_map(|name| entry.field(name)?.string("missingProperty"))
}

/// Reads an entry of class-validator (0.15, in NestJS): `{"property","constraints":{name:text},"children":[…]}`.
fn read_class_validator<'t, 'a>(
    found: &mut Found<'t, 'a>,
    entry: Node<'t, 'a>,
    place: &mut Place,
    depth: usize,
) -> bool {
    const DEPTH: usize = 16;

    let Some(property) = entry.string("property") else { return false };
    let mark = place.len();
    place.step(&property);
    for constraint in entry.field("constraints").into_iter().flat_map(Node::children) {
        let Some(text) = constraint.text() else { return false };
        let code = Some(constraint.name()).filter(|name| is_identifier(name)).map(|name| Cow::Owned(name.to_owned()));
        found.push(Issue { place: place.clone().in_known_part(), text, code, entry: Some(entry) });
    }
    let mut children = entry.field("children").into_iter().flat_map(Node::children);
    let read = depth < DEPTH && children.all(|child| read_class_validator(found, child, place, depth + 1));
    place.truncate(mark);
    read
}
