//! The `details` of a `[[code]]`: a schema in the policy itself, or the name of a JSON file that contains it.

use serde_json::{Map, Number, Value as Json};
use toml::de::DeValue;

use crate::code::details::{self, SchemaError};
use crate::table::{Kind, Leaf, MAX_FILE_BYTES, Reading, line_of, span_to_show};

/// The schema.
#[derive(Clone, Debug)]
pub(super) struct Details(pub(super) Json);

impl Leaf for Details {
    fn read(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Self> {
        match value {
            DeValue::Table(_) => {
                let schema = json_of(value, at)?;
                let mut is_right = true;
                let _ = details::without_mistakes(schema.clone(), |error| {
                    is_right = false;
                    refuse_at(value, &error.path, error, at);
                    true
                });
                is_right.then_some(Self(schema))
            }
            DeValue::String(name) => {
                let (name, text) = at.read_file(name, MAX_FILE_BYTES)?;
                read_file(&name, &text, at).map(Self)
            }
            _ => {
                let right = "write a JSON Schema, as in { type = \"object\" }, or the name of a file that contains one";
                at.mistyped(value, right)
            }
        }
    }
}

/// Refuses the value at the end of a path. If the path does not exist to its end, refuses its last value that exists.
fn refuse_at(value: &DeValue<'_>, path: &[String], error: &SchemaError, at: &mut Reading<'_>) {
    let Some((step, rest)) = path.split_first() else {
        at.refuse_empty::<()>(error.lacks, Kind::InvalidValue, &error.wrong, &error.right);
        return;
    };
    let element = |list: &toml::de::DeArray<'_>| step.parse::<usize>().ok().filter(|index| *index < list.len());
    match value {
        DeValue::Array(list) if element(list).is_some() => {
            let index = element(list).unwrap_or_default();
            at.element(index, list[index].span(), |at| refuse_at(list[index].get_ref(), rest, error, at));
        }
        DeValue::Table(table) if table.contains_key(step.as_str()) => {
            if let Some((name, child)) = table.get_key_value(step.as_str()) {
                let span = if error.is_name { name.span() } else { span_to_show(name, child) };
                at.within(step, span, |at| refuse_at(child.get_ref(), rest, error, at));
            }
        }
        _ => at.within(step, at.span.clone(), |at| refuse_at(value, rest, error, at)),
    }
}

fn json_of(value: &DeValue<'_>, at: &mut Reading<'_>) -> Option<Json> {
    Some(match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Boolean(boolean) => Json::Bool(*boolean),
        DeValue::Integer(_) => Json::Number(i64::read(value, at)?.into()),
        DeValue::Float(number) => {
            let number = number.as_str().replace('_', "").parse().ok().and_then(Number::from_f64);
            let wrong = "JSON cannot represent this number";
            Json::Number(number.or_else(|| at.refuse(Kind::InvalidValue, wrong, "write a finite number"))?)
        }
        DeValue::Datetime(_) => {
            return at.refuse(Kind::InvalidValue, "JSON has no type for dates", "write a text in quotes");
        }
        DeValue::Array(list) => {
            let read = list.iter().enumerate();
            let read = read.map(|(index, it)| at.element(index, it.span(), |at| json_of(it.get_ref(), at)));
            // All elements are read, even after a wrong one.
            let read: Vec<_> = read.collect();
            Json::Array(read.into_iter().collect::<Option<_>>()?)
        }
        DeValue::Table(table) => {
            let member = table.iter().map(|(name, it)| {
                let read = at.within(name.get_ref(), span_to_show(name, it), |at| json_of(it.get_ref(), at));
                Some((name.get_ref().to_string(), read?))
            });
            let read: Vec<_> = member.collect();
            Json::Object(read.into_iter().collect::<Option<Map<_, _>>>()?)
        }
    })
}

/// Reads a file. Mistakes in the file are reported at the line of the policy that names the file, because tools that
/// repair a policy remove the reported line. The text of a mistake contains the line of the file.
fn read_file(name: &str, text: &str, at: &mut Reading<'_>) -> Option<Json> {
    // The byte order mark that an editor may have added is not JSON.
    let schema: Json = match serde_json::from_str(text.trim_start_matches('\u{feff}')) {
        Ok(schema) => schema,
        Err(error) => {
            let sentence = error.to_string();
            let problem = sentence.split(" at line ").next().unwrap_or_default();
            let wrong = format!("{name}:{}:{}: the schema is not JSON: {problem}", error.line(), error.column());
            let refused = at.error(Kind::InvalidValue, wrong, "write a JSON Schema").caused_by(error);
            at.add(refused);
            return None;
        }
    };
    match details::check(&schema) {
        Ok(()) => Some(schema),
        Err(SchemaError { path, wrong, right, .. }) => {
            let line = line_of(text.as_bytes(), place(text, &path));
            let key = if path.is_empty() { String::new() } else { format!("{}: ", path.join(".")) };
            at.refuse(Kind::InvalidValue, format!("{name}:{line}: {key}{wrong}"), right)
        }
    }
}

/// Returns the position, in a JSON text, of the last field of a path that exists.
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
