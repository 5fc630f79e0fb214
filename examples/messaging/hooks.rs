//! Webhooks, with which programs post messages. Each program has its own token.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use tower_error_envelope::auth::{CredentialRequest, Verified};
use tower_error_envelope::extract::{CallerData, Json};
use tower_error_envelope::session::BoxError;

use super::errors::MessageError;
use super::store::{Message, Store};

/// The program that a token belongs to.
pub(super) struct Integration {
    name: &'static str,
    channel: &'static str,
}

/// Verifies the token of a program. A real service would look the token up in its database.
pub(super) async fn verify(request: CredentialRequest) -> Result<Verified, BoxError> {
    let Some(token) = request.headers().get("x-hook-token") else { return Ok(Verified::Missing) };
    Ok(match token.as_bytes() {
        b"build-2" => Verified::granted("build").with(Arc::new(Integration { name: "build", channel: "general" })),
        b"build-1" => Verified::Expired,
        _ => Verified::Invalid,
    })
}

#[derive(serde::Deserialize, utoipa::ToSchema)]
pub(super) struct Hook {
    text: String,
}

#[utoipa::path(post, path = "/hooks", request_body = Hook,
    responses((status = 200, description = "The message's number.", body = usize), MessageError))]
pub(super) async fn receive(
    State(store): State<Store>,
    CallerData(integration): CallerData<Arc<Integration>>,
    body: Bytes,
) -> Result<Json<usize>, MessageError> {
    let hook: Hook = serde_json::from_slice(&body)?;
    let message = Message { author: integration.name.to_owned(), text: hook.text };
    Ok(Json(store.post(integration.channel, message)?))
}
