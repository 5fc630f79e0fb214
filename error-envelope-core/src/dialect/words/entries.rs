//! Lists of objects, one for each thing that is wrong: which member is the path, which the text (rule R13).
//!
//! A list is read where each of its entries is: one that is something else is no list of issues.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::place::{FieldPath, is_location};
use crate::dialect::issues::list::List;
use crate::dialect::issues::quoting::without_values;
use crate::dialect::json::{self, Object};
use crate::dialect::outgoing::is_identifier;

/// The entries of one validator, by the members that it has.
struct Entry {
    /// The framework and the version that it was seen in.
    #[cfg_attr(not(test), allow(dead_code, reason = "for whoever reads the table"))]
    seen: &'static str,
    path: &'static str,
    text: &'static str,
    /// What says in a word what is wrong.
    code: Option<&'static str>,
}

const fn row(seen: &'static str, path: &'static str, text: &'static str, code: Option<&'static str>) -> Entry {
    Entry { seen, path, text, code }
}

// Of two that fit an entry, the first has the more telling members.
const ENTRIES: [Entry; 15] = [
    row("FastAPI 0.165, Pydantic 2.14", "loc", "msg", Some("type")),
    row("express-validator 7.3", "path", "msg", None),
    row("express-validator 6.15", "param", "msg", None),
    row("Zod 4.6", "path", "message", Some("code")),
    row("Joi 17.13", "path", "message", Some("type")),
    row("ajv 8.17, behind Fastify 5.12", "instancePath", "message", Some("keyword")),
    row("ajv 6.12, behind Fastify 3.29", "dataPath", "message", Some("keyword")),
    row("Spring 6.2", "field", "defaultMessage", Some("code")),
    row("Quarkus 3.15", "field", "message", None),
    row("RESTEasy 6.2, Jersey 3.1", "path", "message", None),
    row("Symfony 7.1", "propertyPath", "message", Some("code")),
    row("Litestar 2.25", "key", "message", None),
    row("RFC 9457", "pointer", "detail", None),
    row("RFC 7807", "name", "reason", None),
    row("Hibernate Validator 8.0", "propertyPath", "text", None),
];

/// Sentences that end the path with a member's name.
const NAMED: [(&str, char); 4] = [
    ("must have required property '", '\''),
    ("should have required property '", '\''),
    ("Object missing required field `", '`'),
    ("Object contains unknown field `", '`'),
];

/// Members that hold what the client sent.
const VALUES: [&str; 6] = ["value", "rejectedValue", "invalidValue", "input", "received", "actual"];

/// What validators put around a value that they quote.
const QUOTES: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('[', ']')];

/// Reads a list; `false` where it has another entry.
pub(super) fn read(list: &mut List, entries: &[&RawValue]) -> bool {
    !entries.is_empty() && entries.iter().all(|entry| list.is_full() || read_one(list, entry, 0))
}

fn read_one(list: &mut List, entry: &RawValue, depth: usize) -> bool {
    let Some(object) = Object::parse(entry.get()) else { return false };
    parse_entry(list, &object)
        || nested(list, &object, depth)
        || of_class_validator(list, &object, &mut FieldPath::new(), 0)
        || of_json_api(list, &object)
}

/// An entry of one of the rows.
fn parse_entry(list: &mut List, object: &Object<'_>) -> bool {
    let fits = |row: &&Entry| {
        object.has(row.path) && object.string(row.text).is_some() && row.code.is_none_or(|code| object.has(code))
    };
    // A code is not always there.
    let row = ENTRIES.iter().find(fits);
    let row = row.or_else(|| ENTRIES.iter().find(|row| object.has(row.path) && object.string(row.text).is_some()));
    let Some((row, text)) = row.and_then(|row| Some((row, object.string(row.text)?))) else { return false };
    let Some(mut place) = object.raw(row.path).and_then(|path| place(path, row.path == "loc")) else { return false };
    if object.string(row.path).is_some_and(|key| key == "data")
        && object.string("source").is_some_and(|it| it == "body")
    {
        // Litestar's name of the whole body.
        place = FieldPath::new();
    }
    if let Some(name) = last_name(&text).or_else(|| missing_property(object)) {
        place.name(&name);
    }
    let code = row.code.and_then(|code| object.string(code)).filter(|code| is_identifier(code));
    push(list, &place, object, &text, code.as_deref());
    true
}

/// An entry of text alone, and a place that is known otherwise.
pub(super) fn push(list: &mut List, place: &FieldPath, entry: &Object<'_>, text: &str, code: Option<&str>) {
    let sentence = without_values(text);
    list.push(&place.json(), &without_value_of(entry, &sentence), code);
}

/// `locates`: it begins with where in the request it stands.
fn place(path: &RawValue, locates: bool) -> Option<FieldPath> {
    let mut place = FieldPath::new();
    if let Some(steps) = json::array(path.get()) {
        let begins_outside =
            locates && steps.first().and_then(|step| json::string(step)).is_some_and(|it| is_location(&it));
        for step in &steps[usize::from(begins_outside)..] {
            match (json::string(step), Object::parse(step.get())) {
                (Some(name), _) => place.name(&name),
                // Standard Schema's, and Valibot's.
                (None, Some(segment)) => place.step(&segment.name("key")?),
                (None, None) if json::is_index(step) => place.step(step.get()),
                (None, None) => return None,
            }
        }
        return Some(place);
    }
    let path = json::string(path)?;
    if path.starts_with(['/', '#']) {
        place.pointer(&path)
    } else {
        place.dotted(&path)
    }
    Some(place)
}

/// A member's name at the end of the path (R13).
pub(super) fn last_name(text: &str) -> Option<Cow<'_, str>> {
    let (begins, quote) = NAMED.iter().find(|(begins, _)| text.starts_with(begins))?;
    let name = text[begins.len()..].strip_suffix(*quote)?;
    // ajv 6 writes it as a path.
    Some(Cow::Borrowed(name.strip_prefix('.').unwrap_or(name)))
}

/// The same of ajv's own lists, in whatever language their texts are.
fn missing_property<'a>(entry: &Object<'a>) -> Option<Cow<'a, str>> {
    entry.object("params")?.string("missingProperty")
}

/// The text without the value that stands beside it, where it quotes it.
fn without_value_of<'t>(entry: &Object<'_>, text: &'t str) -> Cow<'t, str> {
    let mut left = Cow::Borrowed(text);
    let context = entry.object("context");
    let of_context = context.as_ref().and_then(|context| context.raw("value"));
    for value in VALUES.iter().filter_map(|name| entry.raw(name)).chain(of_context) {
        let value = json::string(value).unwrap_or(Cow::Borrowed(value.get()));
        if value.is_empty() || value.len() > left.len() || !left.contains(&*value) {
            continue;
        }
        for (open, close) in QUOTES {
            let quoted = format!("{open}{value}{close}");
            if left.contains(&quoted) {
                let words = left.replace(&quoted, " ");
                left = words.split_whitespace().collect::<Vec<_>>().join(" ").into();
            }
        }
    }
    left
}

/// express-validator's `oneOf`, and its list of unknown fields.
fn nested(list: &mut List, entry: &Object<'_>, depth: usize) -> bool {
    const DEPTH: usize = 4;

    let Some(text) = entry.string("msg") else { return false };
    if let Some(fields) = entry.raw("fields").and_then(|fields| json::array(fields.get())) {
        return fields.iter().all(|field| {
            let Some(field) = Object::parse(field.get()) else { return false };
            let Some(place) = field.raw("path").and_then(|path| place(path, false)) else { return false };
            push(list, &place, &field, &text, None);
            true
        });
    }
    let Some(errors) = entry.raw("nestedErrors").and_then(|errors| json::array(errors.get())) else { return false };
    let groups = errors.iter().flat_map(|group| json::array(group.get()).unwrap_or_else(|| vec![*group]));
    let groups: Vec<_> = groups.collect();
    depth < DEPTH && !groups.is_empty() && groups.iter().all(|entry| read_one(list, entry, depth + 1))
}

/// class-validator's own objects (0.15, behind NestJS): `{"property","constraints":{name:text},"children":[…]}`.
fn of_class_validator(list: &mut List, entry: &Object<'_>, place: &mut FieldPath, depth: usize) -> bool {
    const DEPTH: usize = 16;

    let Some(property) = entry.string("property") else { return false };
    if !entry.has("constraints") && !entry.has("children") {
        return false;
    }
    let mark = place.mark();
    place.step(&property);
    for (name, text) in entry.object("constraints").iter().flat_map(Object::members) {
        let Some(text) = json::string(text) else { return false };
        push(list, place, entry, &text, Some(name).filter(|name| is_identifier(name)));
    }
    let children = entry.raw("children").and_then(|children| json::array(children.get())).unwrap_or_default();
    let read = depth < DEPTH
        && children.iter().all(|child| {
            Object::parse(child.get()).is_some_and(|child| of_class_validator(list, &child, place, depth + 1))
        });
    place.back_to(mark);
    read
}

/// JSON:API's (Rails 8.0 with jsonapi-serializer) where its media type is not: `{"source":{"pointer"},"detail"}`.
fn of_json_api(list: &mut List, entry: &Object<'_>) -> bool {
    let Some(source) = entry.object("source") else { return false };
    let Some(text) = entry.string("detail").or_else(|| entry.string("title")) else { return false };
    let mut place = FieldPath::new();
    match (source.string("pointer"), source.string("parameter")) {
        (Some(pointer), _) => {
            let inside = ["/data/attributes", "/data/relationships", "/data"];
            place.pointer(inside.iter().find_map(|it| pointer.strip_prefix(it)).unwrap_or(&pointer));
        }
        (None, Some(parameter)) => place.dotted(&parameter),
        (None, None) => return false,
    }
    let code = entry.string("code").filter(|code| is_identifier(code));
    push(list, &place, entry, &text, code.as_deref());
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issues(entries: &str) -> Option<String> {
        let mut list = List::new();
        read(&mut list, &json::array(entries).unwrap()).then(|| list.into_json()).flatten()
    }

    #[test]
    fn r13_each_row_is_read() {
        for row in ENTRIES {
            let path =
                if matches!(row.seen, "Zod 4.6" | "Joi 17.13") || row.path == "loc" { r#"["a"]"# } else { r#""a""# };
            let code = row.code.map(|code| format!(r#","{code}":"c""#)).unwrap_or_default();
            let entries = format!(r#"[{{"{}":{path},"{}":"m"{code}}}]"#, row.path, row.text);
            let code = row.code.map(|_| r#","code":"c""#).unwrap_or_default();
            let told = format!(r#"[{{"path":["a"],"message":"m"{code}}}]"#);
            assert_eq!(issues(&entries), Some(told), "{}: {entries}", row.seen);
            assert!(row.seen.contains(|digit: char| digit.is_ascii_digit()), "{}", row.seen);
        }
    }

    #[test]
    fn r13_a_value_that_stands_beside_its_text_is_left_out_of_it() {
        for (entry, message) in [
            (r#"{"path":"a","msg":"Odd: \"s3cret\"","value":"s3cret"}"#, "Odd:"),
            (r#"{"path":"a","msg":"`17` is odd","value":17}"#, "is odd"),
            (r#"{"path":"a","msg":"must be a string","value":"string"}"#, "must be a string"),
            (r#"{"path":["a"],"message":"[s3cret] no","type":"t","context":{"value":"s3cret"}}"#, "no"),
        ] {
            let told = issues(&format!("[{entry}]")).unwrap();
            assert!(told.contains(&format!(r#""message":"{message}""#)), "{told}");
        }
    }

    #[test]
    fn r13_what_is_no_entry_is_none() {
        for other in ["[]", "[1]", r#"[{"path":"a"}]"#, r#"[{"message":"m"}]"#, r#"[{"path":{},"message":"m"}]"#] {
            assert_eq!(issues(other), None, "{other}");
        }
    }
}
