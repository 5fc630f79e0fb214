//! RFC 9457, `application/problem+json` (R2, R11).

use std::borrow::Cow;

use super::form::{DialectSpec, KnownFields};
use super::json::{Writer, quoted, with_fields};
use super::outgoing::{Docs, Outgoing, PreservedBody, is_name};
use super::parsed_error::{Body, ParsedError};

pub(super) const FORM: DialectSpec = DialectSpec {
    media_type: MEDIA_TYPE,
    always_lists_issues: true,
    // A title repeats the status or the message. A type and an instance are addresses of the service itself, so they
    // are not read here.
    reads: &KnownFields::body(&["type", "title", "detail", "instance", "code", "details", "request_id", "message"]),
    ..DialectSpec::new("problem", read, write, rewrite_in_place)
};

const MEDIA_TYPE: &str = "application/problem+json";

/// Reads a problem, which is recognised by its media type, or by its fields if the type is missing. A body with an
/// `error` object is in another dialect.
fn read<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let has_type = body.media_type.is_some_and(|it| it.eq_ignore_ascii_case(MEDIA_TYPE.as_bytes()));
    let has_error_object = body.error.is_some();
    let body = &body.object;
    let has_fields = body.string("title").is_some() && ["type", "detail"].into_iter().any(|name| body.has(name));
    if has_error_object || !has_type && !has_fields {
        return None;
    }
    let message = ["detail", "message", "title"].into_iter().find_map(|name| body.words(name));
    Some(ParsedError { details: body.json("details"), ..ParsedError::new(body.name("code"), message) })
}

fn write(out: &Outgoing<'_>) -> Vec<u8> {
    let body = Writer::new(out.size())
        .text("type", &type_of(out))
        .text("title", out.title())
        .raw("status", out.status.as_str())
        .text("detail", out.message)
        .text("code", out.code)
        .text("request_id", out.request_id);
    out.with_details(body).close()
}

fn rewrite_in_place(kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8> {
    let stays = |name: &str, value: &_| match name {
        "details" => kept.whole && !kept.negotiated,
        "code" => kept.whole || is_name(value),
        _ => kept.whole,
    };
    let mut set = Vec::new();
    for (name, ours) in [("type", &*type_of(out)), ("title", out.title())] {
        if !kept.whole
            || kept.body.words(name).is_none()
            || (kept.failed && name == "type" && out.advice.docs.is_some())
        {
            set.push((name, quoted(ours)));
        }
    }
    set.push(("status", out.status.as_str().into()));
    set.push(("detail", quoted(out.message)));
    if !kept.keeps_code(&kept.body) {
        set.push(("code", quoted(out.code)));
    }
    set.push(("request_id", quoted(out.request_id)));
    if let Some(details) = out.details {
        set.push(("details", details.into()));
    }
    with_fields(&kept.body, &set, &stays)
}

const BLANK: &str = "about:blank";

/// Returns the address of the page about the code (E10), or else `about:blank`, which RFC 9457 defines for a problem
/// without a type.
fn type_of<'a>(out: &Outgoing<'a>) -> Cow<'a, str> {
    out.advice.docs.map_or(Cow::Borrowed(BLANK), Docs::text)
}

/// Returns true if a `type` states more than the status does, and is short enough for the details (E9).
pub(super) fn is_type(uri: &str) -> bool {
    const MAX_BYTES: usize = 256;

    uri != BLANK && !uri.trim().is_empty() && uri.len() <= MAX_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::outgoing::tests::{ID, out, preserved, text};

    #[test]
    fn r11_the_members_in_order() {
        let new = Outgoing { code: "not_found", message: "No.", details: Some("{\"n\":1.0}"), ..out() };
        assert_eq!(
            text(write(&new)),
            format!(
                r#"{{"type":"about:blank","title":"Not Found","status":404,"detail":"No.","code":"not_found","request_id":"{ID}","details":{{"n":1.0}}}}"#
            )
        );
        let status = http::StatusCode::from_u16(529).unwrap();
        let title = text(write(&Outgoing { status, ..out() }));
        assert!(title.contains(r#""title":"Not found.""#), "{title}");
    }

    #[test]
    fn r12_a_body_of_its_own_keeps_its_members_but_the_id() {
        let body = r#"{"type":"https://x.test/p","title":"Gone away","status":410,"detail":"old","balance":30}"#;
        let new = Outgoing { code: "not_found", message: "new", ..out() };
        assert_eq!(
            text(rewrite_in_place(&preserved(body, true), &new)),
            format!(
                r#"{{"type":"https://x.test/p","title":"Gone away","status":404,"detail":"new","balance":30,"code":"not_found","request_id":"{ID}"}}"#
            )
        );
        let masked = text(rewrite_in_place(&preserved(body, false), &new));
        assert!(!masked.contains("balance") && !masked.contains("x.test") && !masked.contains("away"), "{masked}");
    }
}
