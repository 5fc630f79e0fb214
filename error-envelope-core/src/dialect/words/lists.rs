//! Where in a JSON object what is wrong stands (rule R13).

use serde_json::value::RawValue;

use super::entries;
use super::fields;
use super::parsed_issues::ParsedIssues;
use super::place::FieldPath;
use super::{rust, sentences};
use crate::dialect::issues::list::List;
use crate::dialect::issues::quoting::without_values;
use crate::dialect::json::{self, Object};
use crate::dialect::parsed_error::Body;

/// The whole object is the list.
pub(super) const WHOLE: &str = "";

/// Members that hold lists of entries, and who calls them so; each was seen with the versions in `entries`.
const LISTS: [&str; 11] = [
    // express-validator, Laravel, Rails, Spring, JSON:API, and most that write their own.
    "errors",
    // Zod, Valibot.
    "issues",
    // Joi.
    DETAILS,
    // Quarkus, Symfony, problem-spring-web.
    "violations",
    // Litestar.
    "extra",
    // Fastify with an error handler of one's own.
    "validation",
    // NestJS with an exceptionFactory, and what is thrown as it is.
    "message",
    "error",
    "fieldErrors",
    // RFC 7807 §3's example.
    "invalid-params",
    "invalid_params",
];

/// Details are a service's own, whatever is in them (E1), but for Joi's.
pub(super) const DETAILS: &str = "details";

/// RESTEasy 6.2's report, by what a violation is of.
const REPORT: [&str; 4] = ["parameterViolations", "propertyViolations", "fieldViolations", "classViolations"];

/// The member that says it, and the issues; the whole body's name is [`WHOLE`]. `says_more`: the body has another shape,
/// and is no object of fields.
pub(super) fn find(body: &Body<'_, '_>, says_more: bool) -> Option<(&'static str, String)> {
    let objects = [Some(&body.object), body.error.as_ref()];
    let found = objects.into_iter().flatten().filter(|object| nests(object)).find_map(in_object);
    found.or_else(|| if says_more { None } else { whole(body) })
}

/// Whether there is anything to look into: of most errors there is not.
fn nests(object: &Object<'_>) -> bool {
    object.members().any(|(name, value)| match value.get().as_bytes() {
        [b'[', ..] | [b'"', b'[', ..] => true,
        // The error is looked into by itself.
        [b'{', ..] => name != "error",
        _ => false,
    })
}

fn in_object(object: &Object<'_>) -> Option<(&'static str, String)> {
    if let Some(issues) = list(|list| fields::read_zods(list, object)) {
        return Some((if object.has("fieldErrors") { "fieldErrors" } else { "properties" }, issues));
    }
    if object.has(REPORT[0]) {
        let of_report = |list: &mut List| REPORT.iter().all(|name| of_entries(list, object, name, true));
        return list(of_report).map(|issues| (REPORT[0], issues));
    }
    LISTS.iter().find_map(|name| list(|list| under(list, object, name)).map(|issues| (*name, issues))).or_else(|| {
        let embedded = object.object("_embedded")?;
        Some(("_embedded", list(|list| of_micronaut(list, &embedded))?))
    })
}

/// A list by what fills it; `None` where that fails, or nothing comes of it.
fn list(fill: impl FnOnce(&mut List) -> bool) -> Option<String> {
    let mut list = List::new();
    if fill(&mut list) { list.into_json() } else { None }
}

fn under(list: &mut List, object: &Object<'_>, name: &str) -> bool {
    let Some(raw) = object.raw(name) else { return false };
    match raw.get().as_bytes().first() {
        Some(b'[') if name == DETAILS => of_joi(list, raw),
        Some(b'[') => of_entries(list, object, name, false) || of_texts(list, object, name),
        Some(b'{') => of_fields(list, object, name),
        // A ZodError's message is its issues as JSON; some throw it as it is (Zod 4.6 behind Hono 4.13, tRPC 11).
        Some(b'"') if name == "message" || name == "error" => {
            let text = object.string(name).unwrap_or_default();
            json::array(&text).is_some_and(|entries| entries::read(list, &entries))
        }
        _ => false,
    }
}

fn of_entries(list: &mut List, object: &Object<'_>, name: &str, or_none: bool) -> bool {
    let Some(entries) = object.raw(name).and_then(|raw| json::array(raw.get())) else { return or_none };
    or_none && entries.is_empty() || entries::read(list, &entries)
}

fn of_joi(list: &mut List, details: &RawValue) -> bool {
    let entries = json::array(details.get()).unwrap_or_default();
    let is_joi = |entry: &&RawValue| Object::parse(entry.get()).is_some_and(|it| it.has("type") && it.has("context"));
    entries.iter().all(is_joi) && entries::read(list, &entries)
}

/// Sentences that tell no place: Rails's full messages and Dropwizard's under `errors`, NestJS's under `message`.
fn of_texts(list: &mut List, object: &Object<'_>, name: &str) -> bool {
    let is_list = name == "errors" || name == "message" && object.number("statusCode").is_some();
    let texts = || object.raw(name).and_then(|raw| json::array(raw.get()));
    let Some(texts) = is_list.then(texts).flatten() else { return false };
    texts.iter().all(|text| {
        let Some(text) = json::string(text) else { return false };
        match sentences::of_class_validator(&text) {
            Some((place, said)) => list.push(&place.json(), &without_values(said), None),
            None => list.push(&FieldPath::new().json(), &without_values(&text), None),
        }
        true
    })
}

/// Texts by field; under `validation` celebrate's (15.0) and hapi's (21.4), which name the keys beside one text.
fn of_fields(list: &mut List, object: &Object<'_>, name: &str) -> bool {
    let Some(fields) = object.object(name) else { return false };
    match name {
        "errors" | "issues" | "error" => {
            fields::read_zods(list, &fields) || name != "error" && fields::read(list, &fields)
        }
        "validation" if fields.has("source") => of_keys(list, &fields, object),
        "validation" => {
            let mut segments = fields.members().filter_map(|(_, it)| Object::parse(it.get())).peekable();
            segments.peek().is_some() && segments.all(|segment| of_keys(list, &segment, &segment))
        }
        _ => false,
    }
}

fn of_keys(list: &mut List, segment: &Object<'_>, told: &Object<'_>) -> bool {
    let Some(text) = told.string("message") else { return false };
    let Some(keys) = segment.raw("keys").and_then(|keys| json::array(keys.get())) else { return false };
    keys.iter().all(|key| {
        let Some(key) = json::string(key) else { return false };
        list.push(&FieldPath::of_dotted(&key).json(), &without_values(&text), None);
        true
    })
}

fn of_micronaut(list: &mut List, embedded: &Object<'_>) -> bool {
    let Some(errors) = embedded.raw("errors").and_then(|errors| json::array(errors.get())) else { return false };
    errors.iter().all(|error| {
        let text = Object::parse(error.get()).and_then(|error| error.string("message").map(|text| text.into_owned()));
        text.is_some_and(|text| sentences::add_of_micronaut(list, &text))
    })
}

/// An object of nothing but fields, or an `error` that is one.
fn whole(body: &Body<'_, '_>) -> Option<(&'static str, String)> {
    let fields = match &body.error {
        Some(error) => error,
        None => &body.object,
    };
    let is_list = |(name, value): (&str, &RawValue)| LISTS.contains(&name) && value.get().contains('{');
    if fields.members().any(is_list) {
        return None;
    }
    list(|list| fields::read(list, fields)).map(|issues| (WHOLE, issues))
}

/// A sentence of the body's that says which member is wrong.
pub(super) fn sentence(body: &Body<'_, '_>) -> ParsedIssues {
    let object = &body.object;
    let message = || object.string("message").unwrap_or_default();
    if object.number("statusCode").is_some() {
        return sentences::of_fastify(&message());
    }
    if object.has("_links") {
        return sentences::of_micronaut(&message());
    }
    if object.number("status_code").is_some() {
        return sentences::of_litestar(&object.string("detail").unwrap_or_default());
    }
    match body.error.as_ref().filter(|error| error.has("brief")).and_then(|error| error.string("cause")) {
        Some(cause) => rust::heard_in_debug(&cause),
        None => ParsedIssues::Nothing,
    }
}
