//! A configuration as a tree, with its places.

use serde_json::Value;

/// Parses a configuration. An error shows none of its lines, which may hold secrets (L3).
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

/// Replaces names such as `normalizePath`, which Protobuf's JSON form also allows, with the field's name in the
/// protocol, such as `normalize_path`.
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

/// The direct children of a JSON object or list, each with its key or index.
pub(super) fn children(value: &Value) -> impl Iterator<Item = (String, &Value)> {
    let entries = value.as_object().into_iter().flatten().map(|(key, entry)| (key.clone(), entry));
    let items = value.as_array().into_iter().flatten().enumerate().map(|(index, item)| (index.to_string(), item));
    entries.chain(items)
}

/// Finds every connection manager, and the path to it.
pub(super) fn find<'v>(value: &'v Value, place: &str, managers: &mut Vec<(String, &'v Value)>) {
    if is_a(value, "HttpConnectionManager") || value.get("http_filters").is_some() {
        return managers.push((place.to_owned(), value));
    }
    children(value).for_each(|(key, value)| find(value, &format!("{place}/{key}"), managers));
}

/// Whether a message is of this type.
pub(super) fn is_a(value: &Value, kind: &str) -> bool {
    value["@type"].as_str().is_some_and(|type_url| type_url.rsplit('.').next() == Some(kind))
}

/// Whether this part of a configuration, or a part below it, overrides the settings of this dynamic module.
pub(super) fn overrides(value: &Value, module: &str) -> bool {
    let mut configs = value["typed_per_filter_config"].as_object().into_iter().flatten();
    configs.any(|(_, config)| config["dynamic_module_config"]["name"] == module)
        || children(value).any(|(_, value)| overrides(value, module))
}
