//! An object that says what is wrong with one field: which member is the place, which the text (rule R13).

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::found::{Found, Surroundings};
use crate::dialect::json::{self, Object};
use crate::dialect::outgoing::is_identifier;
use crate::dialect::place::{Place, is_part};
use crate::dialect::sentences::without_values;

/// What a text is called; the first that is there counts.
pub(super) const TEXTS: [&str; 11] = [
    "message",
    "msg",
    "errorMessage",
    "defaultMessage",
    "description",
    "detail",
    "title",
    "reason",
    "error",
    "text",
    "validatorMessage",
];

/// Those that hardly anything but an error has.
const TELLING_TEXTS: [&str; 6] = ["message", "msg", "errorMessage", "defaultMessage", "reason", "error"];

/// What a place is called; the first that is there counts.
const PLACES: [&str; 18] = [
    "path",
    "loc",
    "location",
    "field",
    "param",
    "property",
    "propertyName",
    "propertyPath",
    "instancePath",
    "dataPath",
    "pointer",
    "source",
    "key",
    "target",
    "members",
    "memberNames",
    "keys",
    "name",
];

/// Those that data have as well: under a field that means errors they are places, elsewhere beside a telling text.
const VAGUE_PLACES: [&str; 8] = ["path", "location", "key", "target", "members", "memberNames", "keys", "name"];

/// What says in a word what is wrong.
const CODES: [&str; 5] = ["code", "rule", "keyword", "errorCode", "type"];

/// Lists of the same inside an entry: express-validator's, yup's.
const INNER_LISTS: [&str; 2] = ["nestedErrors", "fields"];

/// Members that hold what the client sent.
const VALUES: [&str; 9] = [
    "value",
    "rejectedValue",
    "invalidValue",
    "attemptedValue",
    "actualValue",
    "originalValue",
    "input",
    "received",
    "actual",
];

/// What validators put around a value that they quote.
const QUOTES: [(char, char); 8] =
    [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’'), ('«', '»'), ('[', ']'), ('(', ')')];

/// Reads an element of a list; `false` where it is none.
pub(super) fn read(found: &mut Found, object: &Object<'_>, around: Surroundings, inherited: Option<&str>) -> bool {
    if object.has("constraints") || object.has("children") {
        return of_class_validator(found, object, &mut Place::default(), 0);
    }
    let told = text(object, around.means_errors);
    let Some((name, text)) = told.or_else(|| inherited.map(|text| ("", Cow::Borrowed(text)))) else { return false };
    let inner = INNER_LISTS.iter().find_map(|name| json::array(object.raw(name)?.get()));
    if let Some(inner) = inner.filter(|_| around.depth < Surroundings::DEEPEST) {
        let around = around.deeper();
        return inner.iter().all(|it| Object::parse(it.get()).is_some_and(|it| read(found, &it, around, Some(&text))));
    }
    let Ok(places) = places(object, around.means_errors, name) else { return false };
    for mut place in places {
        if let Some(name) = missing_name(object) {
            place.end_with(&name);
        }
        push(found, place, object, &text);
    }
    true
}

/// The text of an entry, and its name.
pub(super) fn text<'a>(object: &Object<'a>, means_errors: bool) -> Option<(&'static str, Cow<'a, str>)> {
    let (name, text) = TEXTS.into_iter().find_map(|name| Some((name, object.words(name)?)))?;
    let is_telling = means_errors
        || TELLING_TEXTS.contains(&name)
        || PLACES.iter().any(|place| object.has(place) && !VAGUE_PLACES.contains(place));
    is_telling.then_some((name, text))
}

/// Adds an issue of this text, and the code beside it.
pub(super) fn push(found: &mut Found, place: Place, entry: &Object<'_>, text: &str) {
    let code = CODES.iter().find_map(|name| {
        // express-validator's says what it is, not what is wrong.
        entry.string(name).filter(|code| is_identifier(code) && !(*name == "type" && code == "field"))
    });
    found.push(place, &message_of(entry, text), code.as_deref());
}

/// The places of an entry: of most one. An entry without any has an empty one; one that is none spoils the entry.
pub(super) fn places(object: &Object<'_>, means_errors: bool, text: &str) -> Result<Vec<Place>, ()> {
    let is_known = ["location", "in", "source"].iter().any(|it| object.string(it).is_some_and(|part| is_part(&part)));
    let mut empty = None;
    for name in PLACES {
        let Some(raw) = object.raw(name).filter(|raw| raw.get() != "null") else { continue };
        if name == text || name == "name" && !is_named(object, means_errors) {
            continue;
        }
        match parse_place(object, name, raw) {
            Some(places) if places.iter().all(Place::is_empty) => empty = Some(places),
            Some(places) => {
                let known = |place: Place| if is_known { place.in_known_part() } else { place };
                return Ok(places.into_iter().map(known).collect());
            }
            None if matches!(name, "path" | "loc") => return Err(()),
            None => {}
        }
    }
    Ok(empty.unwrap_or_else(|| vec![Place::default()]))
}

/// Whether a `name` is a field's.
fn is_named(object: &Object<'_>, means_errors: bool) -> bool {
    let beside = ["message", "msg", "error", "reason", "location", "in", "source"];
    means_errors || beside.iter().any(|it| object.has(it))
}

fn parse_place(object: &Object<'_>, name: &str, raw: &RawValue) -> Option<Vec<Place>> {
    if matches!(name, "members" | "memberNames" | "keys") {
        let names = json::array(raw.get())?;
        return names.iter().map(|it| Some(Place::parse(&json::string(it)?))).collect();
    }
    if name == "source" {
        return Some(vec![of_json_api(&object.object(name)?)?]);
    }
    if let Some(steps) = json::array(raw.get()) {
        return Some(vec![of_steps(&steps, name == "loc")?]);
    }
    let text = json::string(raw)?;
    // A word for a part of the request, or Litestar's name of the whole body.
    let is_body = || name == "key" && text == "data" && object.string("source").is_some_and(|it| it == "body");
    if name == "location" && (is_part(&text) || text == "data") {
        return None;
    }
    Some(vec![if is_body() { Place::default() } else { Place::parse(&text) }])
}

/// `["items",0]`. `located`: it begins with a part of the request.
fn of_steps(steps: &[&RawValue], located: bool) -> Option<Place> {
    let mut place = Place::default();
    for step in steps {
        match (json::string(step), Object::parse(step.get())) {
            (Some(name), _) => place.step(&name),
            // Standard Schema's, and Valibot's.
            (None, Some(segment)) => place.step(&segment.name("key")?),
            (None, None) if json::is_index(step) => place.step(step.get()),
            (None, None) => return None,
        }
    }
    if located {
        place.without_part();
        place = place.in_known_part();
    }
    Some(place)
}

/// JSON:API's (Rails 8.0 with jsonapi-serializer) where its media type is not.
fn of_json_api(source: &Object<'_>) -> Option<Place> {
    let Some(pointer) = source.string("pointer") else { return Some(Place::parse(&source.string("parameter")?)) };
    let inside = ["/data/attributes", "/data/relationships", "/data"];
    Some(Place::parse(inside.iter().find_map(|it| pointer.strip_prefix(it)).unwrap_or(&pointer)))
}

/// ajv's, in whatever language its texts are.
fn missing_name<'a>(entry: &Object<'a>) -> Option<Cow<'a, str>> {
    ["params", "info"].iter().find_map(|name| entry.object(name)?.string("missingProperty"))
}

/// Stands for a value while the sentence around it is read: the value may go on like a sentence.
const MASK: &str = "\u{fffd}";

/// What of a text may be said: not the value that stands beside it, where the text quotes it or begins with it, and no value
/// that only the sentence quotes.
fn message_of(entry: &Object<'_>, text: &str) -> String {
    let values = values_of(entry);
    let is_plain = |value: &str| value.chars().all(|char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.'));
    let mut masked = Cow::Borrowed(text);
    for value in values.iter().filter(|value| !is_plain(value) && text.contains(&***value)) {
        for (open, close) in QUOTES {
            masked = masked.replace(&format!("{open}{value}{close}"), &format!("{open}{MASK}{close}")).into();
        }
    }
    let mut left = without_values(&masked).into_owned();
    for value in values.iter().map(|value| &**value).chain([MASK]) {
        if value.len() < left.len() && left.contains(value) {
            left = without_quoted(&left, value);
        }
    }
    left
}

/// The values that an entry repeats, as they are and as JSON escapes them.
fn values_of<'a>(entry: &Object<'a>) -> Vec<Cow<'a, str>> {
    let of_context = entry.object("context").and_then(|context| context.raw("value"));
    let raw = VALUES.iter().filter_map(|name| entry.raw(name)).chain(of_context);
    let both = |raw: &'a RawValue| {
        let value = json::string(raw).unwrap_or(Cow::Borrowed(raw.get()));
        [value, Cow::Borrowed(raw.get().trim_matches('"'))]
    };
    raw.flat_map(both).filter(|value| !value.is_empty()).collect()
}

fn without_quoted(text: &str, value: &str) -> String {
    let mut left = text.to_owned();
    for (open, close) in QUOTES {
        left = left.replace(&format!("{open}{value}{close}"), " ");
    }
    if let Some(rest) = left.strip_prefix(value).and_then(|rest| rest.strip_prefix(' ')) {
        left = rest.to_owned();
    }
    if left == text { left } else { left.split_whitespace().collect::<Vec<_>>().join(" ") }
}

/// class-validator's own objects (0.15, behind NestJS): `{"property","constraints":{name:text},"children":[…]}`.
fn of_class_validator(found: &mut Found, entry: &Object<'_>, place: &mut Place, depth: usize) -> bool {
    const DEPTH: usize = 16;

    let Some(property) = entry.string("property") else { return false };
    let mark = place.len();
    place.step(&property);
    for (name, text) in entry.object("constraints").iter().flat_map(Object::members) {
        let Some(text) = json::string(text) else { return false };
        let text = message_of(entry, &text);
        found.push(place.clone().in_known_part(), &text, Some(name).filter(|name| is_identifier(name)));
    }
    let children = entry.raw("children").and_then(|children| json::array(children.get())).unwrap_or_default();
    let read = depth < DEPTH
        && children.iter().all(|child| {
            Object::parse(child.get()).is_some_and(|child| of_class_validator(found, &child, place, depth + 1))
        });
    place.truncate(mark);
    read
}
