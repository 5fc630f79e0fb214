//! The requirements of an operation of an OpenAPI document: its body, the errors that it declares.

use std::collections::HashSet;

use error_envelope_core::openapi::Operation;
use serde_json::{Map, Value};

use crate::text::{cut, one_line};

/// The most bytes of a character: 4 in plain UTF-8; in JSON, two escapes of 6 bytes, and the quotes around the text; in
/// a form, 4 escapes of 3 bytes.
const TEXT_BYTES_PER_CHAR: u64 = 4;
const JSON_BYTES_PER_CHAR: u64 = 12;
const FORM_BYTES_PER_CHAR: u64 = 12;

/// The media types of the request body, each once. Empty if one of them has a `*`, since the operation then accepts any
/// type.
pub(super) fn media_types(operation: &Operation<'_>) -> Vec<String> {
    let types = operation.input().media_types;
    if types.iter().any(|kind| kind.contains('*')) { Vec::new() } else { deduplicated(types) }
}

/// The most bytes that a body may have by the `maxLength` of its schemas; `None` if one of them has no `maxLength`.
pub(super) fn most_bytes(operation: &Operation<'_>) -> Option<u64> {
    let content = operation.content().filter(|content| !content.is_empty())?;
    let each = content.iter().map(|(name, media)| most_text_bytes(operation, name, media.get("schema")?));
    each.collect::<Option<Vec<_>>>()?.into_iter().max()
}

fn most_text_bytes(operation: &Operation<'_>, media_type: &str, schema: &Value) -> Option<u64> {
    let schema = operation.document().followed(schema);
    // `maxLength` limits only texts (JSON Schema).
    if !is_text(schema) {
        return None;
    }
    let length = schema.get("maxLength")?.as_u64()?;
    let is_binary = schema.get("format").is_some_and(|format| format == "binary")
        || schema.get("contentMediaType").is_some() && schema.get("contentEncoding").is_none();
    match media_type {
        _ if media_type.contains("json") => length.checked_mul(JSON_BYTES_PER_CHAR)?.checked_add(2),
        "application/x-www-form-urlencoded" => length.checked_mul(FORM_BYTES_PER_CHAR),
        _ if is_binary => Some(length),
        _ => length.checked_mul(TEXT_BYTES_PER_CHAR),
    }
}

/// Whether a schema is for texts, or has no type.
fn is_text(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "string",
        Some(Value::Array(kinds)) => kinds.iter().all(|kind| kind == "string" || kind == "null"),
        _ => false,
    }
}

/// The errors that the operation declares, by status, each as a comment.
pub(super) fn errors(operation: &Operation<'_>) -> impl Iterator<Item = String> {
    let is_error = |status: &str| status.starts_with(['4', '5']) || status == "default";
    let errors = operation.responses().into_iter().filter(move |(status, _)| is_error(status));
    errors.map(|(status, response)| {
        let text = response.get("description").and_then(Value::as_str).unwrap_or_default();
        let (status, text) = (cut(&one_line(&status), 8), cut(&one_line(text), 80));
        if text.is_empty() { format!("declares {status}") } else { format!("declares {status}: {text}") }
    })
}

/// The security schemes that the operation accepts, of which a request needs one; if it names none, those of the
/// document.
pub(super) fn schemes(operation: &Operation<'_>) -> Vec<String> {
    let required =
        operation.item().get("security").or_else(|| operation.document().0.get("security")).and_then(Value::as_array);
    let names = required.into_iter().flatten().filter_map(Value::as_object).flat_map(Map::keys);
    deduplicated(names.map(|name| cut(&one_line(name), 40)))
}

/// The names without repetitions.
fn deduplicated(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}
