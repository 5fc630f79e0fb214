//! Anthropic's `{"type":"error","error":{"type","message"},"request_id"}`.
//!
//! Clients of this dialect decide by `error.type` and the status. The dialect has no place for details.

use std::borrow::Cow;

use http::StatusCode;

use crate::code::ErrorCode;
use crate::dialect::error_object;
use crate::dialect::form::{DialectSpec, KnownFields};
use crate::dialect::json::{Writer, quoted, with_fields};
use crate::dialect::outgoing::{Outgoing, PreservedBody, is_name};
use crate::dialect::parsed_error::{Body, DialectCode, ParsedError};

pub(in crate::dialect) const FORM: DialectSpec = DialectSpec {
    id_header: Some("request-id"),
    meaning,
    can_list_issues: false,
    takes_fields: true,
    own_names: &["type", "message", "code", "param"],
    reads: &KnownFields {
        of_body: Some(&["type", "error", "request_id"]),
        of_error: &["type", "message", "code", "details"],
    },
    name_of: |code, status| Cow::Borrowed(name(code, status)),
    ..DialectSpec::new("anthropic", read, write, rewrite_in_place)
};

const INVALID_REQUEST: &str = "invalid_request_error";
const AUTHENTICATION: &str = "authentication_error";
const API: &str = "api_error";

/// The names of the dialect that each mean exactly one code.
static NAMES: [(&str, ErrorCode); 7] = [
    ("billing_error", ErrorCode::PAYMENT_REQUIRED),
    ("permission_error", ErrorCode::FORBIDDEN),
    ("not_found_error", ErrorCode::NOT_FOUND),
    ("request_too_large", ErrorCode::PAYLOAD_TOO_LARGE),
    ("rate_limit_error", ErrorCode::RATE_LIMITED),
    ("timeout_error", ErrorCode::GATEWAY_TIMEOUT),
    ("overloaded_error", ErrorCode::WORKER_AT_CAPACITY),
];

/// Returns the meaning of one of the dialect's names. A name means one code, or only the status.
fn meaning(name: &str) -> DialectCode {
    match NAMES.iter().find(|(own, _)| *own == name) {
        Some((_, code)) => DialectCode::Code(code.clone()),
        None if matches!(name, INVALID_REQUEST | AUTHENTICATION | API) => DialectCode::ByStatus,
        None => DialectCode::Unknown,
    }
}

/// Returns the dialect's name for an error. This name is the name of the error's code, or else the name of its status.
/// The dialect has no other names.
fn name(code: &ErrorCode, status: StatusCode) -> &'static str {
    let named = |code: &ErrorCode| NAMES.iter().find(|(_, own)| own == code).map(|(name, _)| *name);
    named(code).or_else(|| named(&ErrorCode::of_status(status))).unwrap_or(match status {
        StatusCode::UNAUTHORIZED => AUTHENTICATION,
        status if status.is_server_error() => API,
        _ => INVALID_REQUEST,
    })
}

fn read<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let error = body.error.as_ref()?;
    body.object.string("type").filter(|kind| kind == "error")?;
    let kind = error.words("type")?;
    error.string("message")?;
    Some(ParsedError { meaning: meaning(&kind), code: Some(kind), ..error_object::parse(error) })
}

fn write(out: &Outgoing<'_>) -> Vec<u8> {
    let error = Writer::new(out.size()).text("type", out.code).text("message", out.message);
    let error = out.with_kept(error);
    let body = Writer::new(out.size()).text("type", "error").raw("error", error.close());
    body.text("request_id", out.request_id).close()
}

fn rewrite_in_place(kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8> {
    let Some(error) = kept.body.object("error") else { return write(out) };
    let stays = |name: &str, value: &_| kept.whole || name == "type" && is_name(value);
    let mut set = vec![("message", quoted(out.message))];
    if !error.raw("type").is_some_and(|kind| stays("type", kind)) {
        set.insert(0, ("type", quoted(out.code)));
    }
    let error = with_fields(&error, &set, &stays);
    let set = [("type", quoted("error")), ("error", error), ("request_id", quoted(out.request_id))];
    with_fields(&kept.body, &set, &|_, _| kept.whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::codes::channel;
    use crate::dialect::outgoing::tests::{ID, out, preserved, text};

    #[test]
    fn r2_a_code_has_one_name() {
        const DENIED: ErrorCode = ErrorCode::custom("room_access_denied", 403);
        for (code, status, expected) in [
            (ErrorCode::INVALID_REQUEST, 422, "invalid_request_error"),
            (ErrorCode::AUTH_EXPIRED, 401, "authentication_error"),
            (channel::PLAN_CHANNEL_LIMIT, 402, "billing_error"),
            (DENIED, 403, "permission_error"),
            (channel::CHANNEL_NOT_FOUND, 404, "not_found_error"),
            (ErrorCode::CONFLICT, 409, "invalid_request_error"),
            (ErrorCode::PAYLOAD_TOO_LARGE, 413, "request_too_large"),
            (ErrorCode::RATE_LIMITED, 429, "rate_limit_error"),
            (ErrorCode::INTERNAL_ERROR, 500, "api_error"),
            (ErrorCode::OTHER, 502, "api_error"),
            (ErrorCode::WORKER_AT_CAPACITY, 503, "overloaded_error"),
            (ErrorCode::SERVICE_UNAVAILABLE, 503, "api_error"),
            (ErrorCode::GATEWAY_TIMEOUT, 504, "timeout_error"),
            (ErrorCode::INTERNAL_ERROR, 529, "overloaded_error"),
        ] {
            assert_eq!(name(&code, StatusCode::from_u16(status).unwrap()), expected, "{code}");
        }
        for (name, code) in &NAMES {
            assert_eq!(meaning(name), DialectCode::Code(code.clone()));
        }
    }

    #[test]
    fn r2_the_body_has_type_error_and_id() {
        assert_eq!(
            text(write(&Outgoing { code: "api_error", message: "No.", details: Some("[1]"), ..out() })),
            format!(r#"{{"type":"error","error":{{"type":"api_error","message":"No."}},"request_id":"{ID}"}}"#)
        );
    }

    #[test]
    fn r12_a_body_of_its_own_keeps_its_members_but_the_id() {
        let body =
            r#"{"type":"error","error":{"type":"x_error","message":"old","hint":1},"request_id":"theirs","n":1}"#;
        let new = Outgoing { message: "new", code: "api_error", ..out() };
        assert_eq!(
            text(rewrite_in_place(&preserved(body, true), &new)),
            body.replace("old", "new").replace("theirs", ID)
        );
        assert_eq!(
            text(rewrite_in_place(&preserved(body, false), &new)),
            format!(r#"{{"type":"error","error":{{"type":"x_error","message":"new"}},"request_id":"{ID}"}}"#)
        );
    }
}
