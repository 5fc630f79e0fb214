//! JSON-RPC 2.0, for MCP servers and other JSON-RPC servers (R10).
//!
//! An error has this body:
//! `{"jsonrpc":"2.0","id":…,"error":{"code":-32053,"message","data":{"code","request_id","details","retry","docs"}}}`.
//! Several codes may have the same number, so clients decide by the code in `data`.

use std::borrow::Cow;

use super::form::{DialectSpec, KnownFields};
use super::json::{Object, Writer, quoted, with_fields};
use super::outgoing::{Outgoing, PreservedBody, WrittenAdvice, is_name};
use super::parsed_error::{Body, ParsedError};
use crate::code::is_well_formed;

pub(super) const FORM: DialectSpec = DialectSpec {
    has_call_id: true,
    // Clients of MCP read only events without a name.
    error_event: None,
    reads: &KnownFields { of_body: Some(&["jsonrpc", "id", "error"]), of_error: &["code", "message", "data"] },
    ..DialectSpec::new("jsonrpc", read, write, rewrite_in_place)
};

const INVALID_REQUEST: i32 = -32_600;
const INVALID_PARAMS: i32 = -32_602;
const INTERNAL_ERROR: i32 = -32_603;
const PARSE_ERROR: i32 = -32_700;

fn read<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let error = body.error.as_ref()?;
    body.object.string("jsonrpc").filter(|version| version == "2.0")?;
    let data = error.object("data");
    let name = data.as_ref().and_then(|data| data.name("code"));
    let is_layers = name.is_some() && data.as_ref().is_some_and(|data| data.has("request_id"));
    let details = match (is_layers, data) {
        (true, Some(data)) => data.json("details"),
        _ => error.json("data"),
    };
    let code = name.or_else(|| error.number("code").map(Cow::Borrowed));
    Some(ParsedError { details, ..ParsedError::new(code, error.words("message")) })
}

fn write(out: &Outgoing<'_>) -> Vec<u8> {
    let id = out.call.and_then(|call| call.id.as_deref()).unwrap_or("null");
    write_body(out, id, &number(out).to_string())
}

fn write_body(out: &Outgoing<'_>, id: &str, number: &str) -> Vec<u8> {
    let error = Writer::new(2 * out.size()).raw("code", number).text("message", out.message).raw("data", data(out));
    Writer::new(2 * out.size()).text("jsonrpc", "2.0").raw("id", id).raw("error", error.close()).close()
}

fn data(out: &Outgoing<'_>) -> Vec<u8> {
    let data = Writer::new(out.size()).text("code", out.code).text("request_id", out.request_id);
    let data = out.with_details(data);
    let data = out.advice.retry.into_iter().fold(data, |data, retry| data.text("retry", retry));
    out.advice.docs.iter().fold(data, |data, docs| data.text("docs", &docs.text())).close()
}

/// Returns the error's number. If the request's body is not JSON, `-32700` replaces a more general number.
fn number(out: &Outgoing<'_>) -> i32 {
    let number = match out.canonical.is_foreign() {
        // If only the name of a code is known, it has no number, and the status decides.
        true if out.status.is_server_error() => INTERNAL_ERROR,
        true => INVALID_REQUEST,
        false => out.canonical.jsonrpc(),
    };
    match number {
        INVALID_REQUEST | INVALID_PARAMS if out.call.is_some_and(|call| call.is_malformed) => PARSE_ERROR,
        number => number,
    }
}

/// Rewrites a received error. The error keeps its number, its id and its data. On a 5xx, it keeps only its number and
/// its id.
fn rewrite_in_place(kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8> {
    let Some(error) = kept.body.object("error") else { return write(out) };
    let id_of_call = || out.call.and_then(|call| call.id.as_deref());
    if !kept.whole {
        let id = kept.body.raw("id").filter(|id| is_name(id) || id.get() == "null").map(|id| id.get());
        let id = id.or_else(id_of_call).unwrap_or("null");
        let number = error.number("code").map_or_else(|| number(out).to_string(), str::to_owned);
        return write_body(&Outgoing { details: None, ..*out }, id, &number);
    }
    let mut set = vec![("message", quoted(out.message))];
    if error.number("code").is_none() {
        set.push(("code", number(out).to_string().into()));
    }
    match error.object("data") {
        Some(data) if data.string("request_id").is_some() => {
            set.push(("data", data_with_our_id(&data, out.request_id, out.advice)));
        }
        None if !error.has("data") => set.push(("data", self::data(out))),
        _ => {}
    }
    let mut set = vec![("error", with_fields(&error, &set, &|_, _| true))];
    if !kept.body.has("id") {
        set.push(("id", id_of_call().unwrap_or("null").into()));
    }
    with_fields(&kept.body, &set, &|_, _| true)
}

/// Returns the data that an inner layer wrote, with this layer's id and advice (E7).
fn data_with_our_id(data: &Object<'_>, request_id: &str, advice: &WrittenAdvice<'_>) -> Vec<u8> {
    let mut set = vec![("request_id", quoted(request_id))];
    set.extend(advice.retry.map(|retry| ("retry", quoted(retry))));
    set.extend(advice.docs.map(|docs| ("docs", quoted(&docs.text()))));
    with_fields(data, &set, &|_, _| true)
}

/// Returns true if a layer wrote the body, so that its data have a code and an id.
pub fn is_layers(body: &[u8]) -> bool {
    let data = Object::of_body(body).and_then(|body| body.object("error")?.object("data"));
    let is_code = |data: &Object<'_>| data.string("code").is_some_and(|code| is_well_formed(code.as_bytes()));
    data.is_some_and(|data| is_code(&data) && data.string("request_id").is_some())
}

/// Returns a body that a layer wrote, with the id and the advice of the outer layer (E7, E10).
pub fn with_id(body: &[u8], request_id: &str, advice: &WrittenAdvice<'_>) -> Vec<u8> {
    let replaced = Object::of_body(body).and_then(|body| {
        let error = body.object("error")?;
        let data = data_with_our_id(&error.object("data")?, request_id, advice);
        let error = with_fields(&error, &[("data", data)], &|_, _| true);
        Some(with_fields(&body, &[("error", error)], &|_, _| true))
    });
    replaced.unwrap_or_else(|| body.to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::outgoing::Docs;
    use super::*;
    use crate::code::ErrorCode;
    use crate::dialect::json_rpc_call::JsonRpcCall;
    use crate::dialect::outgoing::tests::{ID, out, preserved, text};

    #[test]
    fn r10_the_code_is_in_the_data() {
        let call = JsonRpcCall { id: Some("\"a\"".into()), is_malformed: false };
        let advice = WrittenAdvice { retry: Some("no"), docs: Some(Docs::Address("https://x.test/e")) };
        let new = Outgoing { details: Some("{\"n\":1.0}"), call: Some(&call), advice: &advice, ..out() };
        let data = format!(
            r#"{{"code":"not_found","request_id":"{ID}","details":{{"n":1.0}},"retry":"no","docs":"https://x.test/e"}}"#
        );
        let error = format!(r#"{{"code":-32030,"message":"Not found.","data":{data}}}"#);
        assert_eq!(text(write(&new)), format!(r#"{{"jsonrpc":"2.0","id":"a","error":{error}}}"#));
    }

    #[test]
    fn r10_a_body_that_is_no_json_has_a_number_of_its_own() {
        let call = JsonRpcCall { id: None, is_malformed: true };
        for (code, expected) in [
            (ErrorCode::BAD_REQUEST, PARSE_ERROR),
            (ErrorCode::INVALID_REQUEST, PARSE_ERROR),
            (ErrorCode::AUTH_MISSING, -32_010),
            (ErrorCode::SERVICE_UNAVAILABLE, -32_053),
        ] {
            assert_eq!(number(&Outgoing { canonical: &code, call: Some(&call), ..out() }), expected, "{code}");
        }
        assert_eq!(number(&Outgoing { canonical: &ErrorCode::BAD_REQUEST, ..out() }), INVALID_REQUEST);
    }

    #[test]
    fn r10_a_received_error_keeps_its_number_and_its_data() {
        let new = Outgoing { message: "new", ..out() };
        for (body, expected) in [
            (
                r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32099,"message":"old","data":{"s":1}}}"#,
                r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32099,"message":"new","data":{"s":1}}}"#.to_owned(),
            ),
            (
                r#"{"id":7,"error":{"code":1,"data":{"code":"x","request_id":"theirs"},"message":"old"}}"#,
                format!(r#"{{"id":7,"error":{{"code":1,"data":{{"code":"x","request_id":"{ID}"}},"message":"new"}}}}"#),
            ),
            (
                r#"{"id":7,"error":{"code":1,"message":"old"}}"#,
                format!(
                    r#"{{"id":7,"error":{{"code":1,"message":"new","data":{{"code":"not_found","request_id":"{ID}"}}}}}}"#
                ),
            ),
        ] {
            assert_eq!(text(rewrite_in_place(&preserved(body, true), &new)), expected);
        }
        let body = r#"{"jsonrpc":"2.0","id":"a b","error":{"code":-32099,"message":"old","data":{"s":"secret"}}}"#;
        let masked = text(rewrite_in_place(&preserved(body, false), &new));
        assert!(
            masked.starts_with(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32099,"message":"new","#),
            "{masked}"
        );
        assert!(!masked.contains("secret"), "{masked}");
    }

    #[test]
    fn json_is_read_as_it_is_written() {
        let written = text(write(&Outgoing { details: Some("[1.0]"), ..out() }));
        let body = Body::new(None, Object::parse(&written).unwrap());
        let read = read(&body).unwrap();
        assert_eq!((read.code.as_deref(), read.details.as_deref()), (Some("not_found"), Some("[1.0]")));
    }
}
