//! The short way for a 4xx whose body is one line of text, as many handlers and routers send it (rule R3).
//!
//! Such a line has no code, no fields and no form to keep. The status decides the code, so only the text is left to be
//! checked. The full steps return the same result for it, which a test checks.

use std::borrow::Cow;

use http::StatusCode;

use super::decide;
use super::parse::{Inner, PolicyView, RequestContext, X_ERROR_CODE};
use super::rewrite::Rewrite;
use crate::dialect;
use crate::fault::Fault;
use crate::fields;
use crate::framework_text;
use crate::message;

/// The line that is the whole body. `None` if the full steps are needed: the policy has rules, the status may have the
/// sentences of a framework (R13), or secrets are to be removed (R17).
#[inline]
pub(super) fn line<'b>(inner: &Inner<'_, 'b>, policy: &PolicyView<'_>) -> Option<&'b str> {
    #[cfg(feature = "redact")]
    if policy.redact {
        return None;
    }
    let is_read = policy.rules.is_empty()
        && !fields::has(inner.headers, &X_ERROR_CODE)
        && inner.status.is_client_error()
        && !dialect::tells_of_input(inner.status);
    if is_read { dialect::plain_text(inner.headers, inner.bytes()) } else { None }
}

/// The result for such a line, the same as that of the full steps.
#[inline]
pub(super) fn rewrite<'b>(line: &'b str, inner: &Inner<'_, '_>, request: &RequestContext<'_>) -> Rewrite<'b> {
    let (code, by) = decide::code_of_status(inner.status, inner.headers, request);
    Rewrite::of_line(Fault::new(code), by, text(line, inner.status))
}

/// The text for the client; `None` if the line is not a message.
fn text(line: &str, status: StatusCode) -> Option<Cow<'_, str>> {
    let read = framework_text::read(line, status, false);
    if read.client_message == framework_text::ClientMessage::All { message::from_foreign_text(line) } else { None }
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;
    use http::{HeaderMap, HeaderValue, Method, StatusCode};

    use super::super::credentials::Credentials;
    use super::super::parse::{BodyFormat, KeptProtocols};
    use super::super::{ChangedBody, response, rewrite_parsed};
    use super::*;
    use crate::code::CodeSet;
    use crate::dialect::Dialect;

    /// What the client and the log get.
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
        let request = RequestContext {
            credentials: Credentials::Bearer,
            method: &Method::GET,
            path: None,
            body_format: BodyFormat::Other,
        };
        for dialect in Dialect::ALL {
            let policy = PolicyView {
                codes: &CodeSet::default(),
                shapes: &[],
                rules: &[],
                by_status: false,
                protocols: KeptProtocols::All,
                #[cfg(feature = "redact")]
                redact: false,
                kept: &[],
                dialect: *dialect,
                negotiated: false,
                page: false,
            };
            let by_all = rewrite_parsed(inner, &request, &policy);
            let shortly = response(inner, &request, &policy);
            assert_eq!(facts(&shortly), facts(&by_all), "{:?} {:?}", inner.status, inner.body);
        }
    }
}
