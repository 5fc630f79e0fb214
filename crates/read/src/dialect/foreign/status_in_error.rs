//! `{"error":{"code":"UPPER","message","status"}}`, and `{"message","errors":{field:[…]}}` for a 422 with field issues.

use std::borrow::Cow;

use http::StatusCode;

use crate::dialect::error_object;
use crate::dialect::form::DialectSpec;
use crate::dialect::issues::written;
use crate::dialect::json::{Writer, quoted, with_fields};
use crate::dialect::outgoing::{Outgoing, PreservedBody};
use crate::dialect::parsed_error::{Body, ParsedError};

pub(in crate::dialect) const FORM: DialectSpec = DialectSpec {
    has_limit: false,
    name_of: |code, _| Cow::Owned(code.as_str().to_ascii_uppercase()),
    ..DialectSpec::new("status_in_error", read, write, rewrite_in_place)
};

fn read<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let error = body.error.as_ref()?;
    error.number("status")?;
    // OpenAI's own servers send no status in the body, but other servers that use OpenAI's shape send one.
    let openai = error.has("type") && error.has("param");
    (!openai).then(|| error_object::parse(error))
}

fn write(out: &Outgoing<'_>) -> Vec<u8> {
    if out.status == StatusCode::UNPROCESSABLE_ENTITY
        && let Some(details) = out.details
        && let Some(errors) = written::by_field(details)
    {
        let body = Writer::new(out.size()).text("message", out.message).raw("errors", errors);
        return match written::details_without_issues(details) {
            Some(others) => body.raw("details", others).close(),
            None => body.close(),
        };
    }
    let error = Writer::new(out.size()).text("code", out.code).text("message", out.message);
    let error = out.with_details(error.raw("status", out.status.as_str()));
    Writer::new(out.size()).raw("error", error.close()).close()
}

fn rewrite_in_place(kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8> {
    let Some(error) = kept.body.object("error") else {
        // The second form cannot be written without a list of issues.
        let list = || with_fields(&kept.body, &[("message", quoted(out.message))], &|_, _| true);
        return if kept.whole { list() } else { write(out) };
    };
    let error = kept.rewrite_error(&error, out, &[("status", out.status.as_str().into())]);
    with_fields(&kept.body, &[("error", error)], &|_, _| kept.whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::outgoing::tests::{out, preserved, text};

    const ISSUES: &str =
        r#"{"issues":[{"path":["to"],"message":"Required."},{"path":["to"],"message":"Short."}],"n":1}"#;

    #[test]
    fn r2_the_status_stands_in_the_error() {
        let out = Outgoing { code: "NO_SESSION", message: "No.", details: Some("{\"n\":1.0}"), ..out() };
        assert_eq!(
            text(write(&out)),
            r#"{"error":{"code":"NO_SESSION","message":"No.","status":404,"details":{"n":1.0}}}"#
        );
    }

    #[test]
    fn r12_a_422_with_field_issues_has_the_second_form() {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        let issues = Outgoing { status, message: "No.", details: Some(ISSUES), ..out() };
        assert_eq!(
            text(write(&issues)),
            r#"{"message":"No.","errors":{"to":["Required.","Short."]},"details":{"n":1}}"#
        );
        for details in [None, Some("[1]"), Some(r#"{"issues":[{"path":[],"message":"m"}]}"#)] {
            assert!(text(write(&Outgoing { status, details, ..out() })).starts_with(r#"{"error":{"code""#));
        }
        assert!(
            text(write(&Outgoing { details: Some(ISSUES), ..out() })).contains(r#""status":404,"details":{"issues"#)
        );
    }

    #[test]
    fn r12_a_body_of_its_own_keeps_its_members() {
        let body = r#"{"error":{"code":"GONE_1","message":"old","status":404,"hint":1.0},"trace":"t"}"#;
        let new = Outgoing { message: "new", code: "NOT_FOUND", ..out() };
        assert_eq!(
            text(rewrite_in_place(&preserved(body, true), &new)),
            r#"{"error":{"code":"GONE_1","message":"new","status":404,"hint":1.0},"trace":"t"}"#
        );
        assert_eq!(
            text(rewrite_in_place(&preserved(body, false), &new)),
            r#"{"error":{"code":"GONE_1","message":"new","status":404}}"#
        );
        let unnamed = r#"{"error":{"code":"a secret: 10.1.2.3","message":"old","status":404}}"#;
        assert_eq!(
            text(rewrite_in_place(&preserved(unnamed, false), &new)),
            r#"{"error":{"code":"NOT_FOUND","message":"new","status":404}}"#
        );
        let list = r#"{"message":"old","errors":{"to":["x"]}}"#;
        assert_eq!(text(rewrite_in_place(&preserved(list, true), &new)), r#"{"message":"new","errors":{"to":["x"]}}"#);
        assert_eq!(
            text(rewrite_in_place(&preserved(list, false), &new)),
            r#"{"error":{"code":"NOT_FOUND","message":"new","status":404}}"#
        );
    }
}
