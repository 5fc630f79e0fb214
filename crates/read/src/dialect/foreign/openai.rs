//! OpenAI's `{"error":{"message","type","param","code"}}`.
//!
//! `type` states little more than the status. `code` names the error, and `param` names the wrong parameter. Clients
//! decide by `code` and `type`.

use std::borrow::Cow;

use http::StatusCode;

use crate::code::ErrorCode;
use crate::dialect::error_object;
use crate::dialect::form::{DialectSpec, KnownFields};
use crate::dialect::issues::written;
use crate::dialect::json::{Object, Writer, quoted, with_fields};
use crate::dialect::outgoing::{Outgoing, PreservedBody, is_name};
use crate::dialect::parsed_error::{Body, DialectCode, ParsedError};
use crate::dialect::place::Place;

pub(in crate::dialect) const FORM: DialectSpec = DialectSpec {
    meaning,
    // Clients recognise an error by its field `error`, and skip events with a name.
    error_event: None,
    can_list_issues: false,
    takes_fields: true,
    own_names: &["message", "type", "param", "code"],
    typed_event: Some(typed_event),
    reads: &KnownFields::error(&["message", "type", "param", "code", "details"]),
    name_of: |code, _| Cow::Borrowed(name(code).unwrap_or(code.as_str())),
    ..DialectSpec::new("openai", read, write, rewrite_in_place)
};

/// Returns the event that ends a stream of OpenAI's Responses with an error.
fn typed_event(body: &[u8], number: u64) -> Option<Vec<u8>> {
    let error = Object::of_body(body)?.object("error")?;
    let json = |name| error.raw(name).map_or("null", |raw| raw.get());
    let event = Writer::new(body.len()).text("type", "error").raw("code", json("code"));
    let event = event.raw("message", json("message")).raw("param", "null");
    Some(event.raw("sequence_number", number.to_string()).close())
}

const INVALID_REQUEST: &str = "invalid_request_error";
const AUTHENTICATION: &str = "authentication_error";
const SERVER: &str = "server_error";

/// Returns the meaning of one of the dialect's names. A name means one code, or only the status.
fn meaning(name: &str) -> DialectCode {
    match name {
        "rate_limit_exceeded" => DialectCode::Code(ErrorCode::RATE_LIMITED),
        "insufficient_quota" => DialectCode::Code(ErrorCode::PAYMENT_REQUIRED),
        INVALID_REQUEST | AUTHENTICATION | SERVER => DialectCode::ByStatus,
        _ => DialectCode::Unknown,
    }
}

/// Returns the dialect's own name for a code.
fn name(code: &ErrorCode) -> Option<&'static str> {
    (*code == ErrorCode::RATE_LIMITED).then_some("rate_limit_exceeded")
}

fn read<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let error = body.error.as_ref()?;
    let kind = error.words("type");
    let message = error.string("message")?;
    let has_null = || error.raw("type").is_some_and(|kind| kind.get() == "null") && error.has("code");
    let is_openai = match kind {
        Some(_) => error.has("param") || error.has("code"),
        None => error.has("param") && !error.has("type") || has_null(),
    };
    if !is_openai {
        return None;
    }
    let mut parsed = error_object::parse(error);
    parsed.meaning = match parsed.code.as_deref().map_or(DialectCode::Unknown, meaning) {
        DialectCode::Unknown => kind.as_deref().map_or(DialectCode::Unknown, meaning),
        known => known,
    };
    // Some servers write the status as the code.
    let is_status = |code: &str| matches!(code.as_bytes(), [b'4' | b'5', _, _]);
    parsed.code = parsed.code.filter(|code| !is_status(code)).or(kind);
    if let Some(place) = error.words("param").and_then(|param| Place::of_parameter(&param)) {
        parsed.issues = Some(Cow::Owned(written::list_of_one_issue(&place, &message)));
    }
    Some(parsed)
}

fn write(out: &Outgoing<'_>) -> Vec<u8> {
    let error = Writer::new(out.size()).text("message", out.message).text("type", kind(out.status));
    let error = error.raw("param", param(out)).text("code", out.code);
    Writer::new(out.size()).raw("error", out.with_kept(error).close()).close()
}

fn rewrite_in_place(kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8> {
    let Some(error) = kept.body.object("error") else { return write(out) };
    // A body without a type may be in another dialect, in which a code is not a name for clients.
    let has_type = error.words("type").is_some();
    let stays = |name: &str, value: &_| kept.whole || has_type && matches!(name, "type" | "code") && is_name(value);
    let mut set = vec![("message", quoted(out.message))];
    if !error.raw("type").is_some_and(|kind| stays("type", kind)) {
        set.push(("type", quoted(kind(out.status))));
    }
    if !kept.whole || !error.has("param") {
        set.push(("param", param(out)));
    }
    if !error.raw("code").is_some_and(|code| stays("code", code)) {
        set.push(("code", quoted(out.code)));
    }
    let error = with_fields(&error, &set, &stays);
    with_fields(&kept.body, &[("error", error)], &|_, _| kept.whole)
}

fn kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => AUTHENTICATION,
        status if status.is_server_error() => SERVER,
        _ => INVALID_REQUEST,
    }
}

fn param(out: &Outgoing<'_>) -> Vec<u8> {
    out.details.and_then(written::first_parameter).map_or_else(|| b"null".to_vec(), |param| quoted(&param))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::json::Object;
    use crate::dialect::outgoing::tests::{out, preserved, text};

    fn reading(error: &'static str) -> Option<ParsedError<'static>> {
        let body: &'static str = Box::leak(format!("{{\"error\":{error}}}").into_boxed_str());
        read(&Body::new(None, Object::parse(body).unwrap()))
    }

    #[test]
    fn r2_the_type_is_the_statuss() {
        for (status, kind) in [(400, INVALID_REQUEST), (401, AUTHENTICATION), (429, INVALID_REQUEST), (503, SERVER)] {
            let out = Outgoing { status: StatusCode::from_u16(status).unwrap(), code: "x", message: "No.", ..out() };
            assert_eq!(
                text(write(&out)),
                format!(r#"{{"error":{{"message":"No.","type":"{kind}","param":null,"code":"x"}}}}"#)
            );
        }
    }

    #[test]
    fn r2_the_first_issues_path_is_the_parameter() {
        let details = r#"{"issues":[{"path":["messages",0,"content"],"message":"m"},{"path":["b"],"message":"m"}]}"#;
        let body = text(write(&Outgoing { details: Some(details), ..out() }));
        assert!(body.contains(r#""param":"messages[0].content""#), "{body}");
    }

    #[test]
    fn r2_its_own_names_are_known() {
        for (error, code, own) in [
            (
                r#"{"message":"m","type":"requests","param":null,"code":"rate_limit_exceeded"}"#,
                "rate_limit_exceeded",
                DialectCode::Code(ErrorCode::RATE_LIMITED),
            ),
            (
                r#"{"message":"m","type":"insufficient_quota","param":null,"code":null}"#,
                "insufficient_quota",
                DialectCode::Code(ErrorCode::PAYMENT_REQUIRED),
            ),
            (r#"{"message":"m","type":"server_error","code":null}"#, "server_error", DialectCode::ByStatus),
            (
                r#"{"message":"m","type":"NotFoundError","param":null,"code":404}"#,
                "NotFoundError",
                DialectCode::Unknown,
            ),
            (r#"{"message":"m","type":"OAuthException","code":190}"#, "190", DialectCode::Unknown),
            (r#"{"message":"m","type":"invalid_request_error","code":"no_model"}"#, "no_model", DialectCode::ByStatus),
        ] {
            let parsed = reading(error).unwrap();
            assert_eq!((parsed.code.as_deref(), &parsed.meaning), (Some(code), &own), "{error}");
        }
        for other in [r#"{"message":"m","type":"x"}"#, r#"{"message":"m","code":"x"}"#, r#"{"type":"x","code":"y"}"#] {
            assert!(reading(other).is_none(), "{other}");
        }
    }

    #[test]
    fn r2_a_parameter_becomes_an_issues_path() {
        let parsed =
            reading(r#"{"message":"m","type":"invalid_request_error","param":"a.[2].b","code":null}"#).unwrap();
        assert_eq!(parsed.issues.as_deref(), Some(r#"[{"path":["a",2,"b"],"message":"m"}]"#));
    }

    #[test]
    fn r12_a_body_of_its_own_keeps_its_members() {
        let body = r#"{"error":{"message":"old","type":"invalid_request_error","param":"p","code":"c","doc":1},"n":1}"#;
        let new = Outgoing { message: "new", code: "not_found", ..out() };
        assert_eq!(text(rewrite_in_place(&preserved(body, true), &new)), body.replace("old", "new"));
        assert_eq!(
            text(rewrite_in_place(&preserved(body, false), &new)),
            r#"{"error":{"message":"new","type":"invalid_request_error","param":null,"code":"c"}}"#
        );
    }
}
