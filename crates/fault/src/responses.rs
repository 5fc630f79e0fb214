//! OpenAPI documents with utoipa (feature `utoipa`): a [`Fault`] implements `IntoResponses`.

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::IntoResponses;
use utoipa::openapi::{Ref, RefOr, Response};

use crate::fault::Fault;
use crate::openapi::response::any_error;
#[cfg(feature = "derive")]
use crate::{
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

/// The responses for the variants of an error, by status. If the list of codes may be incomplete, there is also a
/// response for any other error.
#[cfg(feature = "derive")]
#[doc(hidden)]
#[must_use]
pub fn responses(codes: &crate::Codes) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, (Vec<Json>, Vec<String>, bool)> = BTreeMap::new();
    for (declared, details) in codes.documented() {
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
