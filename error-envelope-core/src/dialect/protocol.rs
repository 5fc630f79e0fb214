//! Protocols that name themselves and keep their own shape (rule R10).

use super::event_stream::EVENT_STREAM;
use super::json::{self, Object};
use super::parsed_error::{Body, ParsedError};
use super::trpc;

/// A protocol that only its body gives away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    JsonRpc,
    JsonRpcBatch,
    /// RFC 6749 §5.2. It keeps its shape on a 4xx alone: the RFC knows no other.
    OAuth,
    /// It keeps its shape under any status; on a 5xx without what a stranger is not told.
    Trpc,
}

/// The media types whose bodies pass as they are.
const SELF_NAMED: [&str; 6] = [
    "application/graphql-response+json",
    "application/soap+xml",
    "application/scim+json",
    "application/vnd.api+json",
    EVENT_STREAM,
    "application/grpc",
];

/// What the registry of OAuth errors knows for the responses of RFC 6749 §5.2 and its extensions: RFC 6750, 7009, 7591,
/// 8628, 8707, 9449 and 9470.
const OAUTH_ERRORS: [&str; 21] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "invalid_token",
    "insufficient_scope",
    "unsupported_token_type",
    "invalid_redirect_uri",
    "invalid_client_metadata",
    "invalid_software_statement",
    "unapproved_software_statement",
    "authorization_pending",
    "slow_down",
    "access_denied",
    "expired_token",
    "invalid_target",
    "invalid_dpop_proof",
    "use_dpop_nonce",
    "insufficient_user_authentication",
];

/// Whether a body of this media type keeps its shape whatever it says.
pub(crate) fn names_itself(media_type: &[u8]) -> bool {
    SELF_NAMED.iter().any(|name| media_type.eq_ignore_ascii_case(name.as_bytes()))
        || media_type.get(..17).is_some_and(|start| {
            start.eq_ignore_ascii_case(b"application/grpc+") || start.eq_ignore_ascii_case(b"application/grpc-")
        })
}

/// The protocol of a JSON object.
pub(super) fn detect(body: &Body<'_, '_>) -> Option<Protocol> {
    if is_json_rpc(&body.object) {
        Some(Protocol::JsonRpc)
    } else if trpc::is_error(body) {
        Some(Protocol::Trpc)
    } else if is_oauth(&body.object) {
        Some(Protocol::OAuth)
    } else {
        None
    }
}

/// The protocol of a JSON array: a batch of JSON-RPC 2.0 responses, or of tRPC errors.
pub(super) fn detect_batch(text: &str) -> Option<Protocol> {
    let batch = json::array(text).filter(|batch| !batch.is_empty())?;
    let all = |is: fn(Object<'_>) -> bool| batch.iter().all(|it| Object::parse(it.get()).is_some_and(is));
    if all(|it| is_json_rpc(&it)) {
        Some(Protocol::JsonRpcBatch)
    } else if all(|it| trpc::is_error(&Body::new(None, it))) {
        Some(Protocol::Trpc)
    } else {
        None
    }
}

fn is_json_rpc(body: &Object<'_>) -> bool {
    body.string("jsonrpc").is_some_and(|version| version == "2.0")
}

fn is_oauth(body: &Object<'_>) -> bool {
    body.members().all(|(name, value)| {
        matches!(name, "error" | "error_description" | "error_uri") && json::string(value).is_some()
    }) && body.string("error").is_some_and(|error| OAUTH_ERRORS.contains(&&*error))
}

/// An OAuth error where it is rewritten: its `error` is a code, its description the text.
pub(super) fn read_oauth<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let body = &body.object;
    let description = body.words("error_description")?;
    is_oauth(body).then(|| ParsedError::new(body.words("error"), Some(description)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r10_media_types_that_name_themselves() {
        for named in [
            "application/soap+xml",
            "Text/Event-Stream",
            "application/grpc",
            "application/grpc+proto",
            "application/grpc-web-text",
        ] {
            assert!(names_itself(named.as_bytes()), "{named}");
        }
        for other in ["application/json", "text/plain", "application/grpcx", "application/xml", ""] {
            assert!(!names_itself(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn r10_a_batch_is_whole() {
        let batch = r#"[{"jsonrpc":"2.0","id":1,"result":1},{"jsonrpc":"2.0","id":2,"error":{}}]"#;
        assert_eq!(detect_batch(batch), Some(Protocol::JsonRpcBatch));
        for other in ["[]", r#"[{"jsonrpc":"2.0"},1]"#, r#"[{"a":1}]"#] {
            assert_eq!(detect_batch(other), None, "{other}");
        }
    }
}
