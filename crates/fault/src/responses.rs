//! OpenAPI documents with utoipa (feature `utoipa`): a [`Fault`] implements `IntoResponses`.

use std::collections::BTreeMap;

use serde_json::Value;
#[cfg(feature = "derive")]
use serde_json::{Map, json};
use utoipa::IntoResponses;
#[cfg(feature = "derive")]
use utoipa::ToSchema;
use utoipa::openapi::{Ref, RefOr, Response};

use crate::fault::Fault;
use crate::openapi::response::any_error;
#[cfg(feature = "derive")]
use crate::{
    __private::Declared,
    code::Retry,
    openapi::{
        response::{ErrorResponse, inline, value},
        schema::{of_error, of_errors},
        tree::{Json, object},
    },
};

/// Any error, because the code is not known in advance.
impl IntoResponses for Fault {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [("default".to_owned(), typed(any_error()))].into()
    }
}

/// Converts a response for utoipa. Its schemas cannot express a value of any type, and its headers cannot express
/// `required`, so both stay raw JSON.
#[doc(hidden)]
#[must_use]
pub fn typed(response: Value) -> RefOr<Response> {
    if let Some(reference) = response["$ref"].as_str() {
        return Ref::new(reference).into();
    }
    let mut rest = response;
    let content = rest.as_object_mut().and_then(|members| members.remove("content"));
    let required = required_headers(&rest);
    let mut typed: Response = serde_json::from_value(rest).unwrap_or_default();
    typed.extensions.get_or_insert_default().extend(content.map(|content| ("content".to_owned(), content)));
    for (name, required) in required {
        if let Some(RefOr::T(header)) = typed.headers.get_mut(&name) {
            header.extensions.get_or_insert_default().insert("required".to_owned(), required);
        }
    }
    typed.into()
}

fn required_headers(response: &Value) -> Vec<(String, Value)> {
    let headers = response["headers"].as_object().into_iter().flatten();
    headers.filter_map(|(name, header)| Some((name.clone(), header.get("required")?.clone()))).collect()
}

/// A variant with the schema of its details, and whether it always has details.
#[cfg(feature = "derive")]
type Documented = (&'static Declared, Option<(Value, bool)>);

/// The variants of an error, as a document describes them.
///
/// # Panics
/// Panics if the type of a detail has no schema, or if two variants have the same code and different details: a client
/// could not tell which details it gets.
#[cfg(feature = "derive")]
#[doc(hidden)]
#[must_use]
pub fn declared(codes: &crate::Codes) -> Vec<Documented> {
    let mut all: Vec<Documented> = Vec::new();
    codes.for_each(&mut |declared| {
        let details = details_of(declared);
        let differs = |(other, theirs): &&Documented| other.code == declared.code && *theirs != details;
        if let Some((other, _)) = all.iter().find(differs) {
            let (first, second, code) = (other.variant, declared.variant, &declared.code);
            panic!("{first} and {second} have the code {code} and different details: give one of them another code");
        }
        all.push((declared, details));
    });
    all
}

#[cfg(feature = "derive")]
fn details_of(declared: &Declared) -> Option<(Value, bool)> {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for detail in declared.details {
        let (variant, name) = (declared.variant, detail.name);
        let Some(schema) = (detail.schema)() else {
            panic!(
                "{variant}: the type of the detail {name} has no schema, or contains itself: derive utoipa::ToSchema"
            );
        };
        let (schema, may_be_absent) = without_null(schema);
        properties.insert(name.to_owned(), schema);
        required.extend((!may_be_absent).then_some(name));
    }
    let is_always_there = !required.is_empty();
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    (!declared.details.is_empty()).then_some((schema, is_always_there))
}

/// The schema without `null`, and whether it allowed `null`: a field that is `null` is left out of the details.
#[cfg(feature = "derive")]
fn without_null(mut schema: Value) -> (Value, bool) {
    let is_null = |form: &Value| *form == "null" || form["type"] == "null";
    for key in ["type", "oneOf", "anyOf"] {
        let Some(forms) = schema.get_mut(key).and_then(Value::as_array_mut) else { continue };
        let before = forms.len();
        forms.retain(|form| !is_null(form));
        let (is_changed, only) = (forms.len() < before, (forms.len() == 1).then(|| forms[0].clone()));
        return match only {
            Some(only) if key == "type" => {
                schema[key] = only;
                (schema, is_changed)
            }
            Some(only) => (only, is_changed),
            None => (schema, is_changed),
        };
    }
    let is_any =
        schema.as_object().is_some_and(|members| !["type", "allOf"].iter().any(|key| members.contains_key(*key)));
    (schema, is_any)
}

/// The deepest nesting of a schema's types.
#[cfg(feature = "derive")]
const DEEPEST: usize = 32;

/// The schema of a type with its references resolved: the responses of a type cannot bring components along. `None` if
/// the type contains itself.
#[cfg(feature = "derive")]
pub(crate) fn schema_of<T: ToSchema + ?Sized>() -> Option<Value> {
    let mut named = Vec::new();
    T::schemas(&mut named);
    let named = named.into_iter().filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?)));
    resolved(serde_json::to_value(T::schema()).ok()?, &named.collect(), DEEPEST)
}

#[cfg(feature = "derive")]
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

/// The responses for the variants of an error, by status. If the list of codes may be incomplete, there is also a
/// response for any other error.
#[cfg(feature = "derive")]
#[doc(hidden)]
#[must_use]
pub fn responses(codes: &crate::Codes) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, (Vec<Json>, Vec<String>, bool)> = BTreeMap::new();
    for (declared, details) in declared(codes) {
        let status = declared.status.unwrap_or_else(|| declared.code.status().as_u16());
        let (errors, names, waits) = by_status.entry(status).or_default();
        if !names.iter().any(|name| *name == declared.code.as_str()) {
            names.push(declared.code.as_str().to_owned());
            errors.push(of_error(declared.code.as_str(), declared.code.message(), details.as_ref()));
        }
        *waits |= declared.waits || declared.code.retry() != Retry::No;
    }
    let response = |(status, (errors, codes, waits)): (u16, (Vec<Json>, Vec<String>, bool))| {
        let content = object([("application/json", object([("schema", of_errors(errors))]))]);
        let response = ErrorResponse { status: Some(status), waits, codes, content }.write(inline);
        (status.to_string(), typed(value(&response)))
    };
    let any = if codes.is_complete() { BTreeMap::new() } else { Fault::responses() };
    by_status.into_iter().map(response).chain(any).collect()
}
