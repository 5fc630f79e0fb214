//! Makes a value for a parameter, from its examples or its schema.

use error_envelope_core::openapi::Document;
use serde_json::Value;

use super::super::plan::STAND_IN;

/// The kind of value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampling {
    /// A value of the parameter's type that should name nothing that exists.
    Nonexistent,
    /// A text, whatever the parameter's type is.
    Untyped,
    /// The document's example.
    Example,
}

/// How deep schemas may be nested in schemas.
const DEEPEST: usize = 16;

/// The value, in the form that a path or a query has.
pub(super) fn value_of(document: Document<'_>, parameter: &Value, sampling: Sampling) -> String {
    let schema = innermost(document, parameter.get("schema").unwrap_or(&Value::Null));
    let shown = match sampling {
        Sampling::Untyped => return STAND_IN.to_owned(),
        Sampling::Nonexistent => None,
        Sampling::Example => example_of(document, parameter).or_else(|| example_of(document, schema)),
    };
    let chosen = shown.or_else(|| schema.get("const")).or_else(|| schema.pointer("/enum/0"));
    match chosen {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => of_type(schema, sampling),
    }
}

/// The document's example for a parameter or a schema.
fn example_of<'d>(document: Document<'d>, source: &'d Value) -> Option<&'d Value> {
    let first = match source.get("examples") {
        Some(Value::Array(values)) => values.first(),
        Some(Value::Object(named)) => named.values().next().and_then(|it| document.followed(it).get("value")),
        _ => None,
    };
    source.get("example").or(first).or_else(|| source.get("default"))
}

/// Follows references, and takes the first schema of each `allOf`, `oneOf` and `anyOf`, until none of these is left.
fn innermost<'d>(document: Document<'d>, mut schema: &'d Value) -> &'d Value {
    for _ in 0..DEEPEST {
        schema = document.followed(schema);
        let first = ["allOf", "oneOf", "anyOf"].iter().find_map(|key| schema.get(key)?.get(0));
        match first {
            Some(first) => schema = first,
            None => break,
        }
    }
    schema
}

fn of_type(schema: &Value, sampling: Sampling) -> String {
    let nonexistent = sampling == Sampling::Nonexistent;
    let bound = schema.get(if nonexistent { "maximum" } else { "minimum" });
    match (kind_of(schema), schema["format"].as_str()) {
        ("integer" | "number", _) => bound
            .filter(|it| it.is_number())
            .map_or_else(|| if nonexistent { i32::MAX } else { 1 }.to_string(), Value::to_string),
        ("boolean", _) => "true".to_owned(),
        (_, Some("uuid")) => "00000000-0000-4000-8000-000000000000".to_owned(),
        (_, Some("date")) => "2026-01-01".to_owned(),
        (_, Some("date-time")) => "2026-01-01T00:00:00Z".to_owned(),
        _ => STAND_IN.to_owned(),
    }
}

/// In 3.1 a schema may have several types.
fn kind_of(schema: &Value) -> &str {
    let kinds = schema.get("type").map(|kind| kind.as_array().map_or(std::slice::from_ref(kind), Vec::as_slice));
    let mut names = kinds.unwrap_or_default().iter().filter_map(Value::as_str);
    names.find(|name| *name != "null").unwrap_or_default()
}
