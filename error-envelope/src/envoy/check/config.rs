//! A configuration as a tree, and what stands where in it.

use serde_json::Value;

/// A configuration may hold secrets: an error shows none of its lines (L3).
pub(super) fn parsed(text: &str) -> Result<Value, String> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(text)
    {
        return Ok(value);
    }
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| format!("no YAML: {error}"))
}

pub(super) fn options() -> serde_saphyr::Options {
    serde_saphyr::options! { with_snippet: false }
}

/// With the names of the fields as the protocol has them: its JSON may say `normalizePath` as well.
pub(super) fn with_proto_names(value: Value) -> Value {
    match value {
        Value::Object(entries) => {
            let renamed = |(key, value): (String, Value)| (proto_name(&key), with_proto_names(value));
            Value::Object(entries.into_iter().map(renamed).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(with_proto_names).collect()),
        value => value,
    }
}

pub(super) fn proto_name(key: &str) -> String {
    if !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) || !key.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return key.to_owned();
    }
    let (mut name, mut last) = (String::with_capacity(key.len() + 4), ' ');
    for letter in key.chars() {
        if letter.is_ascii_uppercase() || letter.is_ascii_digit() && !last.is_ascii_digit() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
        last = letter;
    }
    name
}

/// Every connection manager, and where it is.
pub(super) fn find<'v>(value: &'v Value, place: &str, managers: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(entries) => {
            if is_a(value, "HttpConnectionManager") || entries.contains_key("http_filters") {
                managers.push((place.to_owned(), value));
                return;
            }
            entries.iter().for_each(|(key, value)| find(value, &format!("{place}/{key}"), managers));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| find(value, &format!("{place}/{index}"), managers));
        }
        _ => {}
    }
}

/// Whether a message is of this type.
pub(super) fn is_a(value: &Value, kind: &str) -> bool {
    value["@type"].as_str().is_some_and(|told| told.rsplit('.').next() == Some(kind))
}

/// Whether anything below has a configuration of its own for the filter of this name.
pub(super) fn has_key(value: &Value, name: &str) -> bool {
    match value {
        Value::Object(entries) => {
            let overrides = entries.get("typed_per_filter_config").and_then(Value::as_object);
            let ours = |config: &Value| config["dynamic_module_config"]["name"] == name;
            overrides.is_some_and(|overrides| overrides.values().any(ours))
                || entries.values().any(|value| has_key(value, name))
        }
        Value::Array(items) => items.iter().any(|value| has_key(value, name)),
        _ => false,
    }
}
