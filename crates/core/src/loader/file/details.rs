//! Reads `details` of a `[[code]]`: a schema in the policy itself, or the name of a JSON file that has it.

use serde_json::{Map, Number, Value as Json};
use toml::Spanned;
use toml::de::DeValue;

use super::env::{MAX_FILE_BYTES, NamedFiles};
use super::read::{dotted, span_to_show};
use super::sources::line_of;
use super::value::Value;
use crate::code::details::{self, SchemaError};
use crate::policy::error::PolicyError;

/// Reads the schema as JSON text. `files` reads the file that the value names, if it names one.
pub(super) fn read(value: &Value<'_>, files: &mut NamedFiles<'_>) -> Result<String, PolicyError> {
    match value.value {
        DeValue::Table(_) => read_inline(value),
        DeValue::String(_) => {
            let (name, text) = files.read(value, MAX_FILE_BYTES)?;
            let schema = parse(value, &name, &text)?;
            details::check(&schema).map_err(|wrong| error_in_file(value, &name, &text, wrong))?;
            Ok(schema.to_string())
        }
        _ => Err(value.error(
            format!("{} is not a schema", value.kind()),
            "write a JSON Schema, as in { type = \"object\" }, or the name of a file that contains one",
        )),
    }
}

fn read_inline(value: &Value<'_>) -> Result<String, PolicyError> {
    let schema = json_of(value)?;
    details::check(&schema).map_err(|wrong| {
        let at = value_at(value, &wrong.path, wrong.is_name);
        // An empty span means that something is missing there.
        let span = if wrong.lacks { at.span.start..at.span.start } else { at.span.clone() };
        Value { span, ..at }.error(wrong.wrong, wrong.right)
    })?;
    Ok(schema.to_string())
}

/// The value at the end of a path, or the last value on the way that exists, with the key of the whole path. If
/// `is_name`, its span is that of the last name in the path.
fn value_at<'a>(value: &Value<'a>, path: &[String], is_name: bool) -> Value<'a> {
    let root = Value { document: value.document, key: value.key.clone(), span: value.span.clone(), value: value.value };
    path.iter().fold(root, |at, step| {
        let (key, child) = match at.value {
            DeValue::Array(list) => {
                let one = step.parse::<usize>().ok().and_then(|at| list.get(at));
                (format!("{}[{step}]", at.key), one.map(|one| (one.span(), one.get_ref())))
            }
            DeValue::Table(table) => {
                let member = table.get_key_value(step.as_str());
                let span = |name, value| if is_name { Spanned::span(name) } else { span_to_show(name, value) };
                (dotted(&at.key, step), member.map(|(name, value)| (span(name, value), value.get_ref())))
            }
            _ => (dotted(&at.key, step), None),
        };
        let (span, value) = child.unwrap_or((at.span, at.value));
        Value { document: at.document, key, span, value }
    })
}

fn json_of(value: &Value<'_>) -> Result<Json, PolicyError> {
    Ok(match value.value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Boolean(boolean) => Json::Bool(*boolean),
        DeValue::Integer(_) => Json::Number(value.integer()?.into()),
        DeValue::Float(number) => {
            let number = number.as_str().replace('_', "").parse().ok().and_then(Number::from_f64);
            Json::Number(
                number.ok_or_else(|| value.error("JSON cannot represent this number", "write a finite number"))?,
            )
        }
        DeValue::Datetime(_) => {
            return Err(value.error("JSON has no type for dates", "write a text in quotes"));
        }
        DeValue::Array(_) => Json::Array(value.elements()?.iter().map(json_of).collect::<Result<_, _>>()?),
        DeValue::Table(table) => {
            let member = |name: &str| Ok((name.to_owned(), json_of(&value_at(value, &[name.to_owned()], false))?));
            // A wrong keyword was already reported.
            let names = table.keys().map(|name| name.get_ref().as_ref());
            let names = names.filter(|name| !value.document.is_known(&dotted(&value.key, name)));
            Json::Object(names.map(member).collect::<Result<Map<_, _>, _>>()?)
        }
    })
}

fn parse(value: &Value<'_>, name: &str, text: &str) -> Result<Json, PolicyError> {
    // The byte order mark that an editor may have added is not JSON.
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        let sentence = error.to_string();
        let problem = sentence.split(" at line ").next().unwrap_or_default();
        let wrong = format!("{name}:{}:{}: the schema is not JSON: {problem}", error.line(), error.column());
        value.error(wrong, "write a JSON Schema").caused_by(error)
    })
}

/// An error at a line of the policy, with the line of the other file in its text. Tools that repair a policy remove
/// lines of the policy itself.
fn error_in_file(
    value: &Value<'_>,
    name: &str,
    text: &str,
    SchemaError { path, wrong, right, .. }: SchemaError,
) -> PolicyError {
    let line = line_of(text.as_bytes(), place(text, &path));
    let key = if path.is_empty() { String::new() } else { format!("{}: ", path.join(".")) };
    value.error(format!("{name}:{line}: {key}{wrong}"), right)
}

/// The position, in a JSON text, of the last field of a path that exists.
fn place(text: &str, path: &[String]) -> usize {
    use std::collections::HashMap;

    use serde_json::value::RawValue;

    type Members<'a> = HashMap<String, &'a RawValue>;

    let start_of = |raw: &RawValue| raw.get().as_ptr().addr().saturating_sub(text.as_ptr().addr());
    let mut at = text;
    for step in path {
        let named =
            serde_json::from_str::<Members<'_>>(at).ok().and_then(|members| members.get(step.as_str()).copied());
        let numbered = || {
            let elements = serde_json::from_str::<Vec<&RawValue>>(at).ok()?;
            elements.get(step.parse::<usize>().ok()?).copied()
        };
        let Some(raw) = named.or_else(numbered) else { break };
        at = &text[start_of(raw)..][..raw.get().len()];
    }
    at.as_ptr().addr() - text.as_ptr().addr()
}
