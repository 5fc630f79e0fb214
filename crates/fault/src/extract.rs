//! Implementations for types of axum, which the orphan rule requires to be in this crate (feature `axum`). A [`Fault`]
//! is a response, [`RequestId`] and [`Identity`] are extractors, and axum's own errors are
//! [`AsFault`](crate::fault::AsFault).

mod rejection;

use std::convert::Infallible;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::identity::{Identity, NoCaller};
use crate::request_id::RequestId;

impl IntoResponse for Fault {
    /// Returns a response with the fault's status and headers, and an empty body. The layer finds the fault in the
    /// response's extensions.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
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

impl<S: Sync> FromRequestParts<S> for Identity {
    type Rejection = Fault;

    /// Returns the caller of the request. If credentials are optional and the request has none, the fault is
    /// `auth_missing`. On a route without a scheme the fault is `internal_error`, because no client could meet the
    /// requirement.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let nobody = || match parts.extensions.get::<NoCaller>() {
            // A 401 must have a challenge (RFC 9110 §15.5.2), and the right scheme is not known here.
            Some(_) => {
                Fault::new(ErrorCode::AUTH_MISSING).with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            None => Fault::new(ErrorCode::INTERNAL_ERROR)
                .with_source("this route checks no credentials: add `.auth([…])` to it, or extract an `Option`"),
        };
        parts.extensions.get().cloned().ok_or_else(nobody)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Identity {
    type Rejection = Infallible;

    /// Returns `None` if no scheme of the policy accepted the request.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

/// The rejection of a handler in a service that no layer wraps, so that its requests have no id.
#[derive(Debug)]
pub struct MissingRequestId(());

impl std::fmt::Display for MissingRequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the handler extracts a RequestId, but no ErrorEnvelopeLayer wraps the service")
    }
}

impl std::error::Error for MissingRequestId {}

impl IntoResponse for MissingRequestId {
    fn into_response(self) -> Response {
        tracing::error!(target: "tower_error_envelope", "{self}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
