//! What frameworks say of bad input (rule R13).
//!
//! Asked of a 400 or 422 alone. A body is read by its structure first (`structure`, with `map` and `entry`), by the sentences in it second
//! (`sentences.rs`). What is only alike stays what it was.
//!
//! Of each only the path, the text and a code go on: what validators say of the value that was sent does not.

mod entry;
mod found;
mod map;
mod names;
mod structure;

use std::borrow::Cow;

use serde_json::value::RawValue;

use self::found::Found;
use super::issues::{self, list::List};
use super::json::{self, Object, Writer};
use super::parsed_error::{Body, ClientMessage, FrameworkMessage, ParsedError};
use super::place::{Place, is_dotted};
use super::sentences::{self, Context, Reading, without_values};

/// Members whose texts are read, of a body and of its error.
const TEXTS: [&str; 6] = ["error", "message", "msg", "detail", "description", "title"];

/// Members that name the field of the one issue that a body is. A body's `path` may be the request's, its `name` the
/// error's.
const PLACES: [&str; 8] =
    ["field", "param", "property", "propertyName", "propertyPath", "instancePath", "pointer", "path"];

/// What a text says; `None` where it is nobody's that is known here.
pub(super) fn of_text(text: &str) -> Option<ParsedError<'_>> {
    let mut said = ParsedError::new(None, Some(Cow::Borrowed(text)));
    match sentences::read(text, Context::default()) {
        Some(readings) => take(&mut said, json_of(&readings)?),
        None => tell(&mut said, None),
    }
    said.words.is_some().then_some(said)
}

/// What a JSON array says.
pub(super) fn of_array(text: &str) -> Option<ParsedError<'_>> {
    let issues = structure::of_array(text)?.json;
    Some(ParsedError { issues: Some(Cow::Owned(issues)), ..ParsedError::new(None, None) })
}

/// Adds to what a JSON object says in its shape what it says in its words; `false` where there is nothing to add.
pub(super) fn add_to(said: &mut ParsedError<'_>, body: &Body<'_, '_>) -> bool {
    if said.details.as_deref().is_some_and(issues::are_in) {
        return false;
    }
    if let Some(found) = structure::of_object(&body.object) {
        said.details = said.details.take().and_then(|details| without(details, &found.source));
        said.issues = Some(Cow::Owned(found.json));
        // The text of a single error is its issue's.
        if texts(body).next().is_none() && !body.object.has("statusMessage") {
            said.words = Some(Box::new(FrameworkMessage { told: ClientMessage::Nothing, list: Some(found.member) }));
        } else {
            tell(said, Some(found.member));
        }
        return true;
    }
    if said.issues.is_some() {
        tell(said, None);
        return true;
    }
    let has = |name: &str| body.object.has(name);
    let context = Context { in_list: false, has: Some(&has) };
    if let Some(issues) = of_place(body) {
        said.issues = Some(Cow::Owned(issues));
        tell(said, None);
    } else if let Some((member, issues)) = of_lists(body, Context { in_list: true, ..context }) {
        said.issues = Some(Cow::Owned(issues));
        tell(said, Some(member.to_owned()));
    } else if let Some(issues) = texts(body).find_map(|text| json_of(&sentences::read(&text, context)?)) {
        take(said, issues);
    } else {
        tell(said, None);
    }
    said.words.is_some() || said.issues.is_some()
}

/// A body with a text and one place at its top.
fn of_place(body: &Body<'_, '_>) -> Option<String> {
    [Some(&body.object), body.error.as_ref()].into_iter().flatten().find_map(|object| {
        let (_, text) = entry::text(object, true)?;
        let place = PLACES.iter().find_map(|name| {
            let place = object.string(name).filter(|it| !it.starts_with('/') || *name != "path")?;
            Some(Place::parse(&place)).filter(|_| is_place(&place))
        });
        let mut found = Found::default();
        entry::push(&mut found, place?, object, &text);
        found.finish();
        if found.names_field() { found.into_json() } else { None }
    })
}

/// Whether a text is a place, and no sentence or address.
fn is_place(text: &str) -> bool {
    text.starts_with('/') && !text.contains([' ', '?']) || is_dotted(text) || is_dotted(&text.replace('/', "."))
}

/// Lists of sentences, and lists of entries whose sentences alone say where.
fn of_lists(body: &Body<'_, '_>, context: Context<'_>) -> Option<(&'static str, String)> {
    const LISTS: [&str; 5] = ["errors", "message", "error", "detail", "_embedded"];

    let objects = || [Some(&body.object), body.error.as_ref()].into_iter().flatten();
    LISTS.into_iter().find_map(|name| {
        let raw = objects().find_map(|object| object.raw(name))?;
        let inner = Object::parse(raw.get()).and_then(|it| it.raw("errors"));
        let elements = json::array(inner.filter(|_| name == "_embedded").unwrap_or(raw).get())?;
        // Rails's full messages and Dropwizard's under `errors`, NestJS's under `message`.
        let is_list = name == "errors" || name == "message" && body.object.number("statusCode").is_some();
        Some((name, of_sentences(&elements, is_list, context)?))
    })
}

/// The issues of texts. `is_list`: they are such whether they name a field or not.
fn of_sentences(elements: &[&RawValue], is_list: bool, context: Context<'_>) -> Option<String> {
    let mut list = List::new();
    let (mut names_field, mut are_texts) = (false, true);
    for element in elements {
        if list.is_full() {
            break;
        }
        let text = match json::string(element) {
            Some(text) => text,
            None => {
                are_texts = false;
                entry::text(&Object::parse(element.get())?, true)?.1
            }
        };
        match sentences::read(&text, context) {
            Some(readings) => {
                names_field = true;
                readings.iter().for_each(|it| list.push(&it.place.json(), &it.text, None));
            }
            None => list.push(b"[]", &without_values(&text), None),
        }
    }
    if names_field || is_list && are_texts { list.into_json() } else { None }
}

/// The texts of a body, and of its error.
fn texts<'b>(body: &'b Body<'_, '_>) -> impl Iterator<Item = Cow<'b, str>> {
    let objects = [Some(&body.object), body.error.as_ref()].into_iter().flatten();
    let of_objects = objects.flat_map(|object| TEXTS.iter().filter_map(|name| object.string(name)));
    // rouille's cause, and salvo's where it is built for debugging.
    let cause =
        body.object.object("cause").and_then(|cause| Some(Cow::Owned(cause.string("description")?.into_owned())));
    let in_debug = || Some(Cow::Owned(sentences::in_debug(&body.error.as_ref()?.string("cause")?)?));
    of_objects.chain(cause).chain(in_debug())
}

fn json_of(readings: &[Reading]) -> Option<String> {
    let mut list = List::new();
    readings.iter().for_each(|it| list.push(&it.place.json(), &it.text, None));
    list.into_json()
}

/// The issues that its sentences say it all of.
fn take(said: &mut ParsedError<'_>, issues: String) {
    said.issues = Some(Cow::Owned(issues));
    said.words = Some(Box::new(FrameworkMessage { told: ClientMessage::Nothing, list: Some("message".into()) }));
}

/// What of the message a client may be told beside the issues.
fn tell(said: &mut ParsedError<'_>, list: Option<String>) {
    let told = match said.message.as_deref().map(without_values) {
        Some(Cow::Owned(text)) => ClientMessage::Text(text),
        _ if list.is_none() => return,
        _ => ClientMessage::All,
    };
    said.words = Some(Box::new(FrameworkMessage { told, list }));
}

/// Details without the member that the issues were read from: it says what was sent as well.
fn without<'a>(details: Cow<'a, str>, source: &str) -> Option<Cow<'a, str>> {
    if details == source {
        return None;
    }
    let object = Object::parse(&details)?;
    if !object.members().any(|(_, value)| value.get().contains(source)) {
        return Some(details);
    }
    let mut left = Writer::new(details.len());
    for (name, value) in object.members().filter(|(_, value)| !value.get().contains(source)) {
        left = left.raw(name, value.get());
    }
    if left.is_empty() { None } else { Some(Cow::Owned(left.into_string())) }
}
