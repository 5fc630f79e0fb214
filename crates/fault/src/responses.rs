//! OpenAPI documents with utoipa (feature `utoipa`): a [`Fault`] implements `IntoResponses`.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::IntoResponses;
use utoipa::openapi::{Ref, RefOr, Response};

use crate::fault::Fault;
use crate::openapi::response::any_error;

/// Describes any error, because the code is not known in advance.
impl IntoResponses for Fault {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        [("default".to_owned(), typed(any_error()))].into()
    }
}

/// Converts a response for utoipa. The schemas of utoipa cannot express a value of any type, and its headers cannot
/// express `required`. So schemas and headers stay raw JSON.
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
