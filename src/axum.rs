//! For axum: `Fault` as a response, `RequestId` as an extractor (feature `axum`).

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::fault::Fault;
use crate::request_id::RequestId;

impl IntoResponse for Fault {
    /// The fault's status and headers, an empty body, and the fault itself in the extensions, where the layer finds it.
    fn into_response(self) -> Response {
        let mut response = self.status_code().into_response();
        response.headers_mut().extend(self.headers().clone());
        response.extensions_mut().insert(self);
        response
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = MissingRequestId;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingRequestId> {
        parts.extensions.get().copied().ok_or(MissingRequestId(()))
    }
}

/// The layer is not around the handler: no request has an id.
#[derive(Debug)]
pub struct MissingRequestId(());

impl std::fmt::Display for MissingRequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the handler asks for a RequestId, but no ErrorEnvelopeLayer is around it")
    }
}

impl std::error::Error for MissingRequestId {}

impl IntoResponse for MissingRequestId {
    fn into_response(self) -> Response {
        tracing::error!(target: "tower_error_envelope", "{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
