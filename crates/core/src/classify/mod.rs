//! Turns an inner error into a [`Fault`].
//!
//! [`response`] reads an inner 4xx or 5xx in five steps, unless the response consists only of a status or a line of
//! text. Each step depends only on the results of earlier steps:
//!
//! 1. [`parse`](parse::parse): the content of the body, or else of the head, and the form that the body keeps.
//!    `error-envelope-read` parses the body, beginning with [`read`](crate::dialect::read)
//! 2. [`decide`](decide::decide): the code
//! 3. [`text`](rewrite::text): the text
//! 4. [`details`](reply_details::ReplyDetails): the fields in addition to code and text. `rest` finds the sentences and
//!    codes that no rule reads (E9)
//! 5. [`retained`](rewrite::retained): the part of the body that stays in its place
//!
//! The first match in this list decides the code (R1). But if the response has a `Fault` in its extensions,
//! `session::response` uses that fault instead.
//!
//! 1. a canonical envelope, or a well-formed `x-error-code` if the body has no code or is in the route's own dialect,
//!    which may have no field for a code (E7)
//! 2. a policy's `[[map]]` rule
//! 3. the dialect's own code, if it is known
//! 4. on a 401, the request's credentials and the challenge
//! 5. a list of issues on a 400 or 422
//! 6. the status
//!
//! The text and the details depend on the match (R3, E8, E9). [`failure`] turns error values into faults (F1).

pub(crate) mod credentials;
pub(crate) mod decide;
mod explanation;
pub(crate) mod failure;
mod parse;
pub(crate) mod reason;
#[cfg(feature = "redact")]
mod redacted;
mod reply_details;
mod rest;
mod rewrite;

use std::borrow::Cow;

use http::StatusCode;

use crate::dialect::{self, ParsedBody};
use crate::fault::Fault;
use crate::message;
pub(crate) use crate::{details, rpc};
use decide::decide;
use error_envelope_text::framework_text;
pub use explanation::Explanation;
pub(crate) use parse::{BodyFormat, ChangedBody, Inner, KeptProtocols, ReadContext, envelope_in_head};
use parse::{Parsed, lenient, parse};
pub(crate) use reply_details::service_code;
pub(crate) use rewrite::{Retained, Rewrite, with_issue_list};

/// Decides how to rewrite an inner 4xx or 5xx, from its head and from the part of its body that was read.
pub(crate) fn response<'b>(inner: &Inner<'_, 'b>, context: &ReadContext<'_>) -> Rewrite<'b> {
    if inner.is_status_alone() && context.rules().is_empty() {
        return rewrite_status_alone(inner, context);
    }
    match line(inner, context) {
        Some(line) => rewrite_line(line, inner, context),
        None => rewrite_parsed(inner, context),
    }
}

/// Runs all steps, for an error with any body.
fn rewrite_parsed<'b>(inner: &Inner<'_, 'b>, context: &ReadContext<'_>) -> Rewrite<'b> {
    let body = parse(inner, context);
    match lenient(&body, inner) {
        None => rewrite(body, inner, context),
        Some(inner) => rewrite(parse(&inner, context), &inner, context),
    }
}

/// Handles an error that consists only of a status, without the other steps. Most errors of routers are of this kind,
/// and the other steps would find nothing in such an error.
fn rewrite_status_alone(inner: &Inner<'_, '_>, context: &ReadContext<'_>) -> Rewrite<'static> {
    let (code, by) = decide::code_of_status(inner.status, inner.headers, context);
    let fault = with_issue_list(rewrite::stock(Fault::new(code), inner.status), context.dialect);
    Rewrite::of_status(fault, by)
}

/// Returns the line that is the whole body. Returns `None` if the full steps are needed, because the policy has rules,
/// the body may contain the sentences of a framework (R13), or secrets must be removed (R17).
#[inline]
fn line<'b>(inner: &Inner<'_, 'b>, context: &ReadContext<'_>) -> Option<&'b str> {
    #[cfg(feature = "redact")]
    if context.settings.redact {
        return None;
    }
    let is_read = context.rules().is_empty()
        && !reply_details::may_have_code(inner.headers)
        && inner.status.is_client_error()
        && !dialect::tells_of_input(inner.status);
    if is_read { dialect::plain_text(inner.headers, inner.bytes()) } else { None }
}

/// Handles a 4xx whose body is one line of text, without the other steps (R3). Many handlers and routers send such
/// lines. The line has no code, no fields and no form to keep, so only its text must be checked.
#[inline]
fn rewrite_line<'b>(line: &'b str, inner: &Inner<'_, '_>, context: &ReadContext<'_>) -> Rewrite<'b> {
    let (code, by) = decide::code_of_status(inner.status, inner.headers, context);
    let text = text_of_line(line, inner.status);
    let fault = if text.is_none() { rewrite::stock(Fault::new(code), inner.status) } else { Fault::new(code) };
    Rewrite::of_line(fault, by, text)
}

/// Returns the text for the client, or `None` if the line is not a message.
fn text_of_line(line: &str, status: StatusCode) -> Option<Cow<'_, str>> {
    let read = framework_text::read(line, status, false);
    if read.client_message == framework_text::ClientMessage::All { message::from_foreign_text(line) } else { None }
}

/// Runs the steps after the first one.
#[inline]
fn rewrite<'b>(mut body: ParsedBody<'b>, inner: &Inner<'_, 'b>, context: &ReadContext<'_>) -> Rewrite<'b> {
    #[cfg(feature = "redact")]
    if context.settings.redact {
        return redacted::rewrite(body, inner, context);
    }
    let parsed = Parsed::new(&mut body, inner, context);
    let decision = decide(&parsed);
    Rewrite::new(&parsed, decision)
}

/// Explains the result of [`response`].
pub(crate) fn explain(inner: &Inner<'_, '_>, context: &ReadContext<'_>) -> Explanation {
    let body = parse(inner, context);
    let (mut body, inner) = match lenient(&body, inner) {
        None => (body, inner.clone()),
        Some(inner) => (parse(&inner, context), inner),
    };
    let parsed = Parsed::new(&mut body, &inner, context);
    Explanation::new(&inner, &parsed, &decide(&parsed))
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;
    use http::{HeaderMap, HeaderValue, Method, StatusCode};

    use super::credentials::Credentials;
    use super::*;
    use crate::dialect::Dialect;
    use crate::policy::Policy;
    use crate::policy::keys::RouteSettings;

    /// Returns all that the client and the log get.
    fn facts(it: &Rewrite<'_>) -> String {
        let (fault, text) = it.parts();
        let own = (it.retained, it.is_code_named, it.by, it.rule, it.to_status);
        let lost = (&it.dropped, &it.unknown_code, &it.kept);
        format!("{} {fault:?} {text:?} {:?} {own:?} {lost:?}", it.passes, it.shape)
    }

    #[test]
    fn r3_a_line_is_decided_as_by_all_steps() {
        let long = "a".repeat(1025);
        let bodies: [&[u8]; 22] = [
            b"",
            b" ",
            b"Room not found",
            b"  Room not found\r\n",
            b"Token expired",
            b"two\nlines",
            b"a\ttab",
            b"<html>x</html>",
            b"a <b>bold</b> word",
            b"{\"error\":\"x\"}",
            b"[\"x\"]",
            b" [NaN]",
            b"\"quoted\"",
            b"404",
            b"at a.b (c.js:1:2)",
            b"Traceback (most recent call last):",
            b"\xef\xbb\xbf{\"a\":NaN}",
            b"\xef\xbb\xbfno",
            b"caf\xc3\xa9 \xe2\x80\xae",
            b"\xff\xfe",
            b"\x07",
            long.as_bytes(),
        ];
        let types = ["text/plain", "Text/PLAIN ; charset=utf-8", "text/html", "application/json", "image/png"];
        let mut heads: Vec<HeaderMap> =
            types.map(|it| [(CONTENT_TYPE, HeaderValue::from_static(it))].into_iter().collect()).into();
        heads.push(HeaderMap::new());
        heads.push(heads[0].clone());
        heads[6].append(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        heads[1].insert("x-error-code", HeaderValue::from_static("gone"));
        for (status, headers) in (400..600).flat_map(|status| heads.iter().map(move |headers| (status, headers))) {
            for body in bodies {
                let status = StatusCode::from_u16(status).unwrap();
                same(&Inner { status, headers, body: Some(body), reason: None, changed: &ChangedBody::default() });
            }
        }
    }

    fn same(inner: &Inner<'_, '_>) {
        for dialect in Dialect::ALL {
            let context = ReadContext {
                credentials: Credentials::Bearer,
                scheme: "",
                method: &Method::GET,
                is_post: false,
                path: None,
                target: &crate::target::UNKNOWN,
                body_format: BodyFormat::Other,
                policy: &Policy::default(),
                settings: &RouteSettings::default(),
                protocols: KeptProtocols::All,
                dialect: *dialect,
                negotiated: false,
                page: None,
            };
            let by_all = rewrite_parsed(inner, &context);
            let shortly = response(inner, &context);
            assert_eq!(facts(&shortly), facts(&by_all), "{:?} {:?}", inner.status, inner.body);
        }
    }
}
