//! Finds the issues in the errors that frameworks send for bad input (R13).
//!
//! The search runs only on a 4xx, after the body's shape or the general rule (R2) has been read. The search tries the
//! structure of the body first: `search` finds the list or the map, `entry` and `map` read it, and `found` writes the
//! issues. Then the search tries the sentences in the body (`sentences` of the crate `text`). A body that only looks
//! similar stays unchanged, because a wrong path is worse than no path.
//!
//! For example, `{"detail":[{"loc":["body","qty"],"msg":"Field required","type":"missing"}]}` is FastAPI's list of one
//! issue. `search::issues` finds the list in `detail`. A list comes before a map. `entry::read` takes `loc` for the place
//! and removes `body`, takes `msg` for the text, and `type` for the code.
//!
//! The client gets the path, the text and the code of each issue. The value that the client sent is not repeated. If
//! an issue has the text that was read as the message, the catalogue's text becomes the message.

mod entry;
mod found;
mod map;
mod search;

use std::borrow::Cow;

use http::StatusCode;
use serde_json::value::RawValue;

use super::foreign_text::{self, ForeignText};
use crate::dialect::field_names::{self, Meaning, PLACES, TEXT_LISTS, VALUES};
use crate::dialect::issues;
use crate::dialect::json::{self, Object, some_fields};
use crate::dialect::name_words::{is_never_kept, words};
use crate::dialect::parsed_error::{ClientMessage, CodeOf, ParsedError, is_within};
use crate::dialect::phrases::is_phrase;
use crate::dialect::place::Place;
use crate::dialect::sentences::{self, Context, without_values};
use crate::dialect::tree::{Node, Tree};
use crate::framework_text::{list_of, without_sent_values};
use crate::issue_list::List;

/// Parses a JSON array that is a list of issues.
pub(in crate::dialect) fn of_array(text: &str) -> Option<ParsedError<'_>> {
    let tree = Tree::parse(text);
    let root = tree.root()?;
    let mut parsed = ParsedError::new(None, None);
    if let Some(found) = search::issues(root, &[], &[]) {
        parsed.set_issues(found.list);
        return Some(parsed);
    }
    let list = issues_of_sentences(root, root.only().is_none(), Context { in_list: true, ..Context::default() })?;
    set_list(&mut parsed, list);
    Some(parsed)
}

/// Returns true if a JSON text is a list of issues, or a map of issues.
pub(in crate::dialect) fn has_issues(text: &str) -> bool {
    Tree::parse(text).root().is_some_and(|root| search::issues(root, &[], &[]).is_some())
}

/// Adds the issues in a body whose shape a policy describes. The fields that the shape itself reads (`taken`) are not
/// searched.
pub(in crate::dialect) fn add_rest<'a>(
    parsed: &mut ParsedError<'a>,
    body: Node<'_, 'a>,
    taken: &[&str],
    status: StatusCode,
) {
    if parsed.issues.is_none()
        && let Some(found) = search::issues(body, &[], taken)
    {
        set_found_issues(parsed, found);
    }
    clean_message(parsed, status);
}

/// Adds the issues of a JSON object to the parts that the body's shape, or the general rule (R2), has read.
pub(in crate::dialect) fn add_to<'a>(
    parsed: &mut ParsedError<'a>,
    body: Node<'_, 'a>,
    read: &ForeignText<'_, 'a>,
    status: StatusCode,
) {
    if parsed.details.as_deref().is_some_and(issues::are_canonical_in) {
        return;
    }
    if parsed.issues.is_some() {
        return clean_message(parsed, status);
    }
    if let Some(found) = search::issues(body, &read.wrappers, &[])
        && !repeat_request(found.source, parsed.message.as_deref().unwrap_or_default(), status)
    {
        set_found_issues(parsed, found);
        return clean_message(parsed, status);
    }
    let context = Context { in_list: false, body: Some(body) };
    // If the status does not mean wrong input, most texts are not about a field.
    let is_read = |text: &str| issues::tells_of_input(status) || sentences::may_name_field(text);
    if let Some(list) = issues_at_top_places(parsed, body, read, issues::tells_of_input(status)) {
        set_list(parsed, list);
    } else if let Some((field, list)) = issues_of_text_lists(body, read, Context { in_list: true, ..context }) {
        set_list(parsed, list);
        parsed.issues_source = Some(field.raw());
        // Objects may repeat data that the client sent.
        if field.children().any(Node::is_object) {
            parsed.details = parsed.details.take().and_then(|details| details_without(details, field.raw()));
        }
        let first = || foreign_text::code_of_first(field, status);
        if parsed.code.is_none()
            && !issues::tells_of_input(status)
            && let Some(code) = first()
        {
            (parsed.code, parsed.code_of) = (Some(code), CodeOf::FirstError);
        }
        if parsed.message.as_deref().is_some_and(|text| read.text.as_ref().is_some_and(|it| it.value == text))
            && read.text.as_ref().is_some_and(|text| is_within(text.field.raw(), field.raw()))
        {
            parsed.client_message = ClientMessage::Nothing;
        }
    } else if let Some(readings) =
        texts(body, read).filter(|text| is_read(text)).find_map(|text| sentences::read(&text, context))
    {
        set_list(parsed, list_of(&readings));
        parsed.issues_source = parsed.message_source;
        if issues::tells_of_input(status) {
            parsed.client_message = ClientMessage::Nothing;
        }
    }
    clean_message(parsed, status);
    drop_unread_list(parsed);
}

/// Returns true if the entries only repeat parts of the request, and so are not issues. In express-openapi-validator,
/// the place of an entry may be the request's own path. In Kong, the text of an entry may be a value that the client
/// sent, which the body's own text quotes.
fn repeat_request(source: &str, text: &str, status: StatusCode) -> bool {
    let is_of_route = matches!(status, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED);
    let is_route = |it: Node<'_, '_>| is_of_route && it.string("path").is_some_and(|path| path.starts_with('/'));
    let is_value = |it: Node<'_, '_>| it.text().is_some_and(|value| text.contains(&format!("\"{value}\"")));
    (is_of_route || text.contains('"'))
        && Tree::parse(source).root().is_some_and(|root| root.children().any(|it| is_route(it) || is_value(it)))
}

fn set_found_issues<'a>(parsed: &mut ParsedError<'a>, found: search::Issues<'a>) {
    parsed.details = parsed.details.take().and_then(|details| details_without(details, found.source));
    // If the text of the body is inside the list, it is the text of a single issue.
    if parsed.message_source.is_none_or(|source| is_within(source, found.source)) {
        parsed.client_message = ClientMessage::Nothing;
    }
    parsed.set_issues(found.list);
    parsed.issues_source = Some(found.source);
}

/// Returns the issues of a body with one text. The object names one place, or `params` or `fields` lists several places
/// (WordPress, Ash).
fn issues_at_top_places<'t, 'a>(
    parsed: &ParsedError<'a>,
    body: Node<'t, 'a>,
    read: &ForeignText<'t, 'a>,
    is_input: bool,
) -> Option<List> {
    let text = parsed.message.as_deref()?;
    let mut list = List::new();
    // The place in the object with the text is preferred to the place in the body.
    if let Some(place) = read.objects(body).filter_map(|object| entry::place_of(object, is_input)).last() {
        list.push(&place.json(), &without_values(text), None);
        return Some(list);
    }
    let mut holders = [Some(body), body.field("data")].into_iter().flatten();
    let are_wrong = |field: &Node<'_, '_>| {
        let parts = words(field.name());
        let [wrong, names] = &parts[..] else { return false };
        matches!(&**wrong, "missing" | "invalid" | "offending" | "unknown" | "unexpected")
            && matches!(&**names, "params" | "fields" | "parameters")
            && field.children().next().is_some()
    };
    let lists = |object: Node<'t, 'a>| {
        let named = ["params", "fields"].iter().find_map(|name| object.field(name)?.elements());
        named
            .or_else(|| object.children().filter(|field| field.is_array() && are_wrong(field)).find_map(Node::elements))
    };
    let names = holders.find_map(lists)?;
    let text = without_values(text);
    for name in names {
        list.push(&Place::parse(&name.text().filter(|name| entry::is_place(name))?).json(), &text, None);
    }
    (list.len() > 0).then_some(list)
}

/// Returns the issues in a list of sentences, or in a list of entries whose places are only in their sentences.
fn issues_of_text_lists<'t, 'a>(
    body: Node<'t, 'a>,
    read: &ForeignText<'t, 'a>,
    context: Context<'_>,
) -> Option<(Node<'t, 'a>, List)> {
    const LISTS: [&str; 8] =
        ["errors", "message", "messages", "errorMessages", "problems", "error", "detail", "_embedded"];

    let objects = || read.objects(body);
    // Most errors have neither lists nor objects.
    if objects().flat_map(Node::children).all(|field| !field.is_array() && !field.is_object()) {
        return None;
    }
    let by_name = LISTS.into_iter().filter_map(|name| objects().find_map(|object| object.field(name)));
    let by_meaning = objects().flat_map(|object| {
        let lists = object.children().filter(|field| field.is_array());
        lists.filter(move |field| field_names::meaning(*field, object) == Meaning::Errors)
    });
    // If nothing else has a text, a list of errors may have any name.
    let fields = |object: Node<'t, 'a>| object.children().filter(|field| !is_never_kept(field.name()));
    let inside = fields(body).filter(|field| field.is_object()).flat_map(fields);
    let any_name = || fields(body).chain(inside).filter(|field| are_errors(*field));
    let by_form = std::iter::once_with(any_name).filter(|_| read.text.is_none()).flatten();
    // If a list contains the body's own text, entries in later lists are not errors (Cloudflare).
    let is_read = |list: Node<'_, '_>| read.text.as_ref().is_some_and(|it| is_within(it.field.raw(), list.raw()));
    let mut is_behind = false;
    let is_error = |list: &Node<'_, '_>| !std::mem::replace(&mut is_behind, list.only().is_some() && is_read(*list));
    by_name.chain(by_meaning).chain(by_form).take_while(is_error).find_map(|field| {
        let is_embedded = field.name() == "_embedded";
        let list = field.field("errors").filter(|_| is_embedded).unwrap_or(field);
        let is_list = !is_embedded && (list.only().is_none() || adds_to_text(list, read));
        Some((field, issues_of_sentences(list, is_list, context)?))
    })
}

/// Returns true if each element of a list has a text, and no name of a place. If the list's name does not mean errors,
/// each element must have a code, and the name of the text must not also be a name in data.
fn are_errors(list: Node<'_, '_>) -> bool {
    let is_named = field_names::is_like_error(list.name());
    let is_error = |element: Node<'_, '_>| {
        let text = entry::text(element, true).filter(|(name, _)| !name.is_empty());
        let is_of_error =
            |name: &str, text: &str| !field_names::is_text_of_data(name) && entry::code(element, text).is_some();
        text.is_some_and(|(name, text)| is_named || is_of_error(name, &text))
            && PLACES.iter().all(|name| element.field_in_any_case(name).is_none())
    };
    list.elements().is_some_and(|mut it| it.next().is_some() && it.next().is_some())
        && list.children().all(|element| element.is_object() && is_error(element))
}

/// Returns true if a list has only one text, and the body's own text states something else. Returns false if the entry's
/// path cannot be read.
fn adds_to_text(list: Node<'_, '_>, read: &ForeignText<'_, '_>) -> bool {
    let own = read.text.as_ref().filter(|own| !is_within(own.field.raw(), list.raw()));
    let only = list.only().filter(|only| !only.field("path").is_some_and(Node::is_object));
    let text = only.and_then(|only| text_of(only, true));
    let adds = |own: &str, text: &str| !is_phrase(own.trim()) && !own.contains(text.trim());
    own.is_some_and(|own| text.is_some_and(|text| adds(&own.value, &text)))
}

/// Returns the text of an element. The text is the element itself, or a field of the element. If `in_error` is true,
/// this field may have any name (R2).
fn text_of<'a>(element: Node<'_, 'a>, in_error: bool) -> Option<Cow<'a, str>> {
    let of_object = |object| match entry::text(object, true) {
        Some((_, text)) => Some(text),
        None => foreign_text::only_sentence(Some(object).filter(|_| in_error)?).map(|text| text.value),
    };
    element.text().or_else(|| of_object(Some(element).filter(|it| it.is_object())?))
}

/// Returns the texts of an element. If an element has no text, its list of texts is read. If it has none either, its code
/// is its text.
fn texts_of_element<'a>(element: Node<'_, 'a>, in_error: bool) -> Vec<Cow<'a, str>> {
    let is_word = |code: &Cow<'_, str>| !code.bytes().all(|digit| digit.is_ascii_digit());
    if let Some(text) = text_of(element, in_error) {
        return vec![text];
    }
    let is_list = |field: &Node<'_, '_>| {
        let name = field.name();
        let has_name = || field_names::is_text_name(name) || TEXT_LISTS.iter().any(|it| it.eq_ignore_ascii_case(name));
        field.is_array() && has_name()
    };
    let texts: Vec<_> = element.children().filter(is_list).flat_map(Node::children).filter_map(Node::words).collect();
    if texts.is_empty() { entry::code(element, "").filter(is_word).into_iter().collect() } else { texts }
}

/// Returns the issues in a list of texts. If `is_list` is true, the texts are issues even if none of them names a
/// field.
fn issues_of_sentences(elements: Node<'_, '_>, is_list: bool, context: Context<'_>) -> Option<List> {
    let mut list = List::new();
    let mut names_field = false;
    for element in elements.elements()? {
        if list.is_full() {
            list.leave_out(1);
            continue;
        }
        for text in texts_of_element(element, context.body.is_some()) {
            let code = entry::code(element, &text);
            match sentences::read(&text, context) {
                Some(readings) => {
                    names_field = true;
                    readings.iter().for_each(|it| list.push(&it.place.json(), &it.text, code.as_deref()));
                }
                None => list.push(b"[]", &without_values(&text), code.as_deref()),
            }
        }
    }
    (names_field || is_list && list.len() > 0).then_some(list)
}

/// Returns the texts of the body, and the texts of the object in which the message was found.
fn texts<'t, 'a>(body: Node<'t, 'a>, read: &ForeignText<'t, 'a>) -> impl Iterator<Item = Cow<'a, str>> {
    // The first text is already known, and decoding it again would take long.
    let first = read.text.as_ref().map(|text| text.field.raw());
    let others = read.objects(body).flat_map(move |object| foreign_text::texts_of(object, first));
    let of_objects = read.text.clone().into_iter().chain(others).map(|text| text.value);
    // rouille sends the first of these causes. salvo sends the second in debug builds.
    let cause = body.field("cause").and_then(|cause| cause.string("description"));
    let in_debug = move || Some(Cow::Owned(sentences::in_debug(&body.field("error")?.string("cause")?)?));
    of_objects.chain(cause).chain(std::iter::once_with(in_debug).flatten())
}

fn set_list(parsed: &mut ParsedError<'_>, list: List) {
    list.into_list().into_iter().for_each(|list| parsed.set_issues(list));
}

/// Removes the values that the client sent from the message, and from details that are a text.
pub(in crate::dialect) fn clean_message(parsed: &mut ParsedError<'_>, status: StatusCode) {
    let may_quote = |text: &str| issues::tells_of_input(status) || sentences::may_name_field(text);
    if parsed.client_message == ClientMessage::All
        && let Some(text) = parsed.message.as_deref().filter(|text| may_quote(text))
    {
        parsed.client_message = without_sent_values(text);
    }
    let clean = |details: &str| match without_values(&serde_json::from_str::<Cow<'_, str>>(details).ok()?) {
        Cow::Owned(text) => serde_json::to_string(&text).ok(),
        Cow::Borrowed(_) => None,
    };
    if let Some(details) = parsed.details.as_deref().filter(|it| it.starts_with('"')).and_then(clean) {
        parsed.details = Some(Cow::Owned(details));
    }
}

/// Removes what repeats data that the client sent from the details: a field `issues` from which no issue was read, and the
/// values in a list of entries of pydantic, of which the only text is the message.
fn drop_unread_list(parsed: &mut ParsedError<'_>) {
    let Some(Cow::Borrowed(details)) = parsed.details else { return };
    if parsed.message_source.is_some_and(|source| is_within(source, details))
        && let Some(entries) = json::array(details)
    {
        let without_values = |entry: &RawValue| {
            let entry = Object::parse(entry.get()).filter(|entry| entry.has("loc"))?;
            some_fields(&entry, |name, _| !VALUES.contains(&name))
        };
        let entries: Option<Vec<_>> = entries.into_iter().map(without_values).collect();
        if let Some(entries) = entries {
            parsed.details = Some(Cow::Owned(format!("[{}]", entries.join(","))));
        }
        return;
    }
    let list = Object::parse(details).and_then(|details| details.raw("issues")).map(RawValue::get);
    if let Some(list) = list.filter(|list| list.starts_with('[')) {
        parsed.details = details_without(Cow::Borrowed(details), list);
    }
}

/// Returns the details without the field from which the issues were read, because that field repeats data that the
/// client sent.
fn details_without<'a>(details: Cow<'a, str>, source: &str) -> Option<Cow<'a, str>> {
    if details == source || matches!(details, Cow::Borrowed(text) if is_within(text, source)) {
        return None;
    }
    let Some(object) = Object::parse(&details) else { return Some(details) };
    if !object.members().any(|(_, value)| value.get().contains(source)) {
        return Some(details);
    }
    some_fields(&object, |_, value| !value.get().contains(source)).map(Cow::Owned)
}
