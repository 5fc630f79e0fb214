//! Writes the type of a code's details in the languages of the exports. The type is given by a JSON Schema.
//!
//! `ErrorCode::with_details` accepts only keywords that are handled here.

use error_envelope_core::code::details::types;
use serde_json::Value;

use crate::text::json_escaped;

/// Keywords that only describe a value, and restrict nothing.
const DESCRIBE: [&str; 6] = ["$schema", "title", "description", "deprecated", "examples", "format"];

/// Keywords whose value is an object with field names that the author of the schema chooses.
const NAMED: [&str; 5] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Keywords whose contents are plain values, and not schemas.
const VALUES: [&str; 2] = ["const", "enum"];

/// Returns a schema without the keywords that only describe a value.
pub(super) fn checks(schema: &Value) -> Value {
    compared(schema, &DESCRIBE, &[])
}

/// Returns a schema in a form that can be compared. The keywords `left_out` are removed, and the lists in the keywords
/// `sets` are sorted. Both also apply to the schemas inside this schema.
///
/// The fields of `properties` and similar keywords are names, even if they look like keywords.
pub(super) fn compared(schema: &Value, left_out: &[&str], sets: &[&str]) -> Value {
    let compared = |value: &Value| compared(value, left_out, sets);
    let member = |(name, value): (&String, &Value)| {
        let value = match value {
            Value::Object(named) if NAMED.contains(&name.as_str()) => {
                named.iter().map(|(name, value)| (name.clone(), compared(value))).collect()
            }
            Value::Array(values) if sets.contains(&name.as_str()) => {
                let mut values = values.clone();
                values.sort_by_key(Value::to_string);
                values.into()
            }
            _ if VALUES.contains(&name.as_str()) => value.clone(),
            value => compared(value),
        };
        (name.clone(), value)
    };
    match schema {
        Value::Object(members) => {
            members.iter().filter(|(name, _)| !left_out.contains(&name.as_str())).map(member).collect()
        }
        Value::Array(values) => values.iter().map(compared).collect(),
        value => value.clone(),
    }
}

/// Writes a JSON Schema as a type of TypeScript.
pub(super) fn typescript(schema: &Value) -> String {
    if let Some(forms) = schema["anyOf"].as_array() {
        return union(forms.iter().map(typescript));
    }
    if let Some(values) = values(schema) {
        return union(values.iter().map(|value| value.to_string()));
    }
    match types(schema)[..] {
        [] => "unknown".to_owned(),
        ref types => union(types.iter().map(|name| match *name {
            "object" => typescript_object(schema),
            "array" => match typescript(&schema["items"]) {
                element if element.contains(" | ") => format!("({element})[]"),
                element => format!("{element}[]"),
            },
            "integer" | "number" => "number".to_owned(),
            other => other.to_owned(),
        })),
    }
}

fn typescript_object(schema: &Value) -> String {
    let known = members(schema).map(|(name, schema, required)| {
        let mark = if required { "" } else { "?" };
        format!("{}{mark}: {}", key(name), typescript(schema))
    });
    let mut members: Vec<String> = known.collect();
    // If the object has named fields, additional fields get the type `unknown`, because TypeScript would apply any
    // other type to the named fields, too.
    match &schema["additionalProperties"] {
        Value::Bool(false) => {}
        more if members.is_empty() => members.push(format!("[name: string]: {}", typescript(more))),
        _ => members.push("[name: string]: unknown".to_owned()),
    }
    if members.is_empty() { "Record<string, never>".to_owned() } else { format!("{{ {} }}", members.join("; ")) }
}

/// Writes a JSON Schema as a schema of Zod 4.
pub(super) fn zod(schema: &Value) -> String {
    if let Some(forms) = schema["anyOf"].as_array() {
        return zod_union(forms.iter().map(zod));
    }
    if let Some(values) = values(schema) {
        let values: Vec<String> = values.iter().map(|value| value.to_string()).collect();
        return format!("z.literal([{}])", values.join(", "));
    }
    match types(schema)[..] {
        [] => "z.unknown()".to_owned(),
        ref types => zod_union(types.iter().map(|name| match *name {
            "object" => zod_object(schema),
            "array" => format!("z.array({}){}", zod(&schema["items"]), bounds(schema, "minItems", "maxItems")),
            "string" => format!("z.string(){}{}", length(schema, "minLength", ">="), length(schema, "maxLength", "<=")),
            // `z.int()` refuses numbers above 2^53.
            "integer" => format!("z.number(){}.refine(Number.isInteger)", bounds(schema, "minimum", "maximum")),
            "number" => format!("z.number(){}", bounds(schema, "minimum", "maximum")),
            other => format!("z.{other}()"),
        })),
    }
}

fn zod_object(schema: &Value) -> String {
    let known = members(schema).map(|(name, schema, required)| {
        let optional = if required { "" } else { ".optional()" };
        format!("{}: {}{optional}", key(name), zod(schema))
    });
    let members: Vec<String> = known.collect();
    let members = if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join(", ")) };
    match &schema["additionalProperties"] {
        Value::Bool(false) => format!("z.strictObject({members})"),
        Value::Bool(true) | Value::Null => format!("z.looseObject({members})"),
        more => format!("z.object({members}).catchall({})", zod(more)),
    }
}

/// Writes a Zod check of a text's length. JSON Schema counts characters, but JavaScript counts some characters as two.
fn length(schema: &Value, name: &str, is: &str) -> String {
    match &schema[name] {
        Value::Null => String::new(),
        count => format!(".refine((text) => [...text].length {is} {count})"),
    }
}

fn bounds(schema: &Value, least: &str, most: &str) -> String {
    let bound = |name: &str, method: &str| match &schema[name] {
        Value::Null => String::new(),
        bound => format!(".{method}({bound})"),
    };
    bound(least, "min") + &bound(most, "max")
}

fn zod_union(forms: impl Iterator<Item = String>) -> String {
    let forms: Vec<String> = forms.collect();
    if forms.len() == 1 { forms.concat() } else { format!("z.union([{}])", forms.join(", ")) }
}

fn union(forms: impl Iterator<Item = String>) -> String {
    forms.collect::<Vec<_>>().join(" | ")
}

/// Returns the fields of an object: the name and the schema of each, and whether the field is required.
fn members(schema: &Value) -> impl Iterator<Item = (&str, &Value, bool)> {
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let members = schema["properties"].as_object().into_iter().flatten();
    members.map(move |(name, schema)| (name.as_str(), schema, required(name)))
}

/// Returns the values of `enum`, or the value of `const`.
fn values(schema: &Value) -> Option<Vec<&Value>> {
    let list = schema["enum"].as_array().map(|values| values.iter().collect());
    list.or_else(|| schema.get("const").map(|value| vec![value]))
}

/// Returns a field's name, in quotes if it is not an identifier.
fn key(name: &str) -> String {
    let is_identifier = !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_identifier { name.to_owned() } else { literal(name) }
}

/// Returns a string literal of JSON, which is also a string literal of ECMAScript, Python and Go. A byte order mark is
/// escaped, because Go refuses it within a file.
pub(super) fn literal(text: &str) -> String {
    json_escaped(&serde_json::Value::from(text).to_string())
}
