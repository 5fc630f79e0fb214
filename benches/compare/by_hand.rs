//! The code that an engineer who knows axum writes in an afternoon. It has sixty lines, and uses no crate for errors.

use std::panic::AssertUnwindSafe;

use anyhow::Error;
use axum_08::body::{Body, to_bytes};
use axum_08::extract::Request;
use axum_08::middleware::Next;
use axum_08::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

pub(crate) struct AppError(Error);

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        tracing::error!(error = format!("{:#}", self.0), "request failed");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

/// For `axum_08::middleware::from_fn`.
pub(crate) async fn one_shape(mut request: Request, next: Next) -> Response {
    let id = ulid::Ulid::generate().to_string();
    let header = HeaderValue::from_str(&id).expect("letters and digits");
    request.headers_mut().insert("x-request-id", header.clone());
    let caught = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let mut response = caught.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    if response.status().is_client_error() || response.status().is_server_error() {
        response = rewritten(response, &id).await;
    }
    response.headers_mut().insert("x-request-id", header);
    response
}

async fn rewritten(response: Response, id: &str) -> Response {
    let (mut head, body) = response.into_parts();
    // The text of a 5xx may be a secret, and HTML is for browsers.
    let is_text = head.headers.get(CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(b"text/plain"));
    let text = match head.status.is_client_error() && is_text {
        true => to_bytes(body, 4096).await.unwrap_or_default(),
        false => Default::default(),
    };
    let reason = head.status.canonical_reason().unwrap_or("error");
    let message = std::str::from_utf8(&text).ok().filter(|text| !text.is_empty()).unwrap_or(reason);
    let code = reason.to_ascii_lowercase().replace([' ', '-'], "_");
    let body = json!({ "error": { "code": code, "message": message }, "request_id": id }).to_string();
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    head.headers.remove(CONTENT_ENCODING);
    head.headers.insert(CONTENT_LENGTH, body.len().into());
    Response::from_parts(head, Body::from(body))
}
