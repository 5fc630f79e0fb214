//! Recognises and reads OAuth 2's errors (RFC 6749 §5.2, §8.2), which have a registered `error`, and only certain
//! fields next to it.

use crate::dialect::json::{self, Object};
use crate::dialect::parsed_error::{Body, ParsedError};

/// The registered errors of RFC 6749, 6750, 7009, 7591, 8628, 8693, 8707, 9101, 9126, 9396, 9449 and 9470, of OpenID
/// Connect and its CIBA, of UMA, and of OpenID4VCI. The list is sorted for a binary search, because the `error` of most
/// bodies is not in it.
const ERRORS: [&str; 49] = [
    "access_denied",
    "account_selection_required",
    "authorization_pending",
    "consent_required",
    "expired_login_hint_token",
    "expired_token",
    "incompatible_ace_profiles",
    "insufficient_scope",
    "insufficient_user_authentication",
    "interaction_required",
    "invalid_authorization_details",
    "invalid_binding_message",
    "invalid_client",
    "invalid_client_metadata",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_nonce",
    "invalid_proof",
    "invalid_redirect_uri",
    "invalid_request",
    "invalid_request_object",
    "invalid_request_uri",
    "invalid_scope",
    "invalid_software_statement",
    "invalid_target",
    "invalid_token",
    "invalid_user_code",
    "login_required",
    "missing_user_code",
    "need_info",
    "registration_not_supported",
    "request_denied",
    "request_not_supported",
    "request_submitted",
    "request_uri_not_supported",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "transaction_failed",
    "unapproved_software_statement",
    "unauthorized_client",
    "unknown_user_id",
    "unmet_authentication_requirements",
    "unsupported_credential_format",
    "unsupported_grant_type",
    "unsupported_pop_key",
    "unsupported_response_type",
    "unsupported_token_type",
    "use_dpop_nonce",
];

pub(super) fn is_registered(error: &str) -> bool {
    let is_name = error.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_');
    is_name && ERRORS.binary_search(&error).is_ok()
}

/// The facts about a body in the form of an OAuth error.
pub(super) struct Detected {
    /// True if a description, or a nonce for a proof, is next to the error.
    pub(super) is_described: bool,
    pub(super) is_of_resource: bool,
}

/// Returns the facts about a body that has the form of an OAuth error, or `None` for any other body.
pub(super) fn detect(body: &Object<'_>) -> Option<Detected> {
    // The check is quick, because each registered error begins with a small letter, and most texts do not.
    let raw = body.raw("error").filter(|raw| matches!(raw.get().as_bytes(), [b'"', b'a'..=b'z', ..]))?;
    let error = json::string(raw).filter(|error| is_registered(error))?;
    let is_other = ["message", "code", "errors"].iter().any(|name| body.has(name));
    let names = ["error_description", "error_uri", "c_nonce"];
    (!is_other).then(|| Detected {
        is_described: names.iter().any(|name| body.string(name).is_some()),
        is_of_resource: matches!(&*error, "invalid_token" | "insufficient_scope"),
    })
}

/// Reads a body that must be rewritten. The `error` of the body is the code, and its description is the message.
pub(crate) fn read<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let body = &body.object;
    let description = body.words("error_description")?;
    detect(body)?;
    Some(ParsedError::new(body.words("error"), Some(description)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r10_each_registered_error_is_found() {
        ERRORS.iter().for_each(|error| assert!(is_registered(error), "{error} is not in its place"));
    }
}
