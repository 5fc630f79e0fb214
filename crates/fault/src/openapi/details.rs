//! The schema of details, which combines the schemas of their fields by utoipa or schemars.

#[cfg(feature = "utoipa")]
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The deepest nesting of a schema.
#[cfg(feature = "utoipa")]
const DEEPEST: usize = 32;

/// Returns the schema of a type with its references resolved, because the responses of a type cannot add components to
/// a document. Returns `None` if the type contains itself.
#[cfg(feature = "utoipa")]
pub fn to_schema<T: utoipa::ToSchema + ?Sized>() -> Option<Value> {
    let mut named = Vec::new();
    T::schemas(&mut named);
    let named = named.into_iter().filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?)));
    resolved(serde_json::to_value(T::schema()).ok()?, &named.collect(), DEEPEST)
}

/// Returns the schema of a type as schemars defines it, with its references resolved.
#[cfg(feature = "aide")]
pub fn json_schema<T: schemars::JsonSchema + ?Sized>() -> Option<Value> {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    let mut generator = settings.with(|it| it.inline_subschemas = true).into_generator();
    let schema = generator.subschema_for::<T>();
    generator.definitions().is_empty().then(|| schema.into())
}

#[cfg(feature = "utoipa")]
fn resolved(schema: Value, named: &BTreeMap<String, Value>, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    if let Some(name) = schema["$ref"].as_str() {
        return resolved(named.get(name.rsplit('/').next()?)?.clone(), named, depth);
    }
    match schema {
        Value::Object(members) => {
            let each = members.into_iter().map(|(key, member)| Some((key, resolved(member, named, depth)?)));
            each.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        Value::Array(list) => list.into_iter().map(|each| resolved(each, named, depth)).collect(),
        other => Some(other),
    }
}

/// Returns the schema of details with these fields. The flag is true if the details are always present. A field that
/// may be `null` is not required, because errors leave a `null` out. Details without any field are left out as well.
pub fn of_fields(fields: Vec<(&str, Value)>) -> (Value, bool) {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (name, schema) in fields {
        let (schema, may_be_null) = without_null(schema);
        properties.insert(name.to_owned(), schema);
        required.extend((!may_be_null).then_some(name));
    }
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    (schema, !required.is_empty())
}

fn without_null(mut schema: Value) -> (Value, bool) {
    let is_null = |form: &Value| *form == "null" || form["type"] == "null";
    if let Some(values) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        values.retain(|value| !value.is_null());
    }
    for key in ["type", "oneOf", "anyOf"] {
        let Some(forms) = schema.get_mut(key).and_then(Value::as_array_mut) else { continue };
        let before = forms.len();
        forms.retain(|form| !is_null(form));
        let (may_be_null, only) = (forms.len() < before, (forms.len() == 1).then(|| forms[0].clone()));
        match only {
            Some(only) if key == "type" => schema[key] = only,
            Some(only) => schema = only,
            None => {}
        }
        return (schema, may_be_null);
    }
    let is_any = ["type", "allOf"].iter().all(|key| schema.get(key).is_none());
    (schema, is_any)
}
