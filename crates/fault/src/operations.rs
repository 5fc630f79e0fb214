//! OpenAPI documents with aide (feature `aide`). A [`Fault`] implements `OperationOutput`, and the extractors implement
//! `OperationInput`.

use std::collections::BTreeMap;

use aide::generate::GenContext;
use aide::openapi::{Operation, Response};
use aide::{OperationInput, OperationOutput};
use serde_json::Value;

use crate::fault::Fault;
use crate::identity::Identity;
use crate::openapi::response::any_error;
use crate::request_id::RequestId;

/// Describes any error, because the code is not known in advance.
impl OperationOutput for Fault {
    type Inner = Self;

    fn inferred_responses(_: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Response)> {
        inferred([("default".to_owned(), any_error())].into())
    }
}

impl OperationInput for Identity {}
impl OperationInput for RequestId {}

/// Converts responses, by status, for aide.
#[doc(hidden)]
#[must_use]
pub fn inferred(responses: BTreeMap<String, Value>) -> Vec<(Option<u16>, Response)> {
    let each = responses.into_iter();
    each.map(|(status, response)| (status.parse().ok(), serde_json::from_value(response).unwrap_or_default())).collect()
}
