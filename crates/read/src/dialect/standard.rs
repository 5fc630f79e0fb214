//! Reads and writes the canonical envelope (E1, E2, E7).

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::form::DialectSpec;
use super::json::{Object, push_string};
use super::outgoing::{Outgoing, WrittenAdvice};
use super::parsed_error::Body;
use crate::code::{self, CodeSet, ErrorCode, Retry};
use crate::fault::Advice;
use crate::syntax::is_https_uri;

/// The dialect of the canonical envelope. The `read` function of this dialect returns nothing, because envelopes are
/// parsed before any shape is tried.
pub(super) const FORM: DialectSpec = DialectSpec {
    always_lists_issues: true,
    ..DialectSpec::new("standard", |_| None, write_out, |_, out| write_out(out))
};

/// An envelope from the inner service.
pub struct Envelope<'a> {
    pub code: ErrorCode,
    /// True if the code is in the catalogue or the policy (E2).
    pub known: bool,
    pub message: Cow<'a, str>,
    pub details: Option<&'a RawValue>,
    /// The valid part of the envelope's advice (E10).
    pub advice: Advice,
}

/// Parses an envelope. An envelope must have a code in the canonical form (E2), a message and a request id (E7). A code
/// of the catalogue may also be in capitals.
pub(super) fn read<'a>(body: &Body<'a, '_>, codes: &CodeSet) -> Option<Envelope<'a>> {
    body.object.json("request_id")?;
    let error = body.error.as_ref()?;
    let (code, known) = parse_code(&error.string("code")?, codes)?;
    let message = error.string("message")?;
    Some(Envelope { code, known, message, details: error.raw("details"), advice: read_advice(error) })
}

/// Returns the valid part of the advice in an error object (E10).
pub fn read_advice(error: &Object<'_>) -> Advice {
    let retry = error.string("retry").and_then(|retry| Retry::from_name(&retry));
    let docs = error.string("docs").filter(|docs| is_https_uri(docs));
    Advice { retry, docs: docs.map(|docs| docs.into_owned().into()) }
}

/// Returns the canonical code with this name. The flag is true if the code is in the catalogue or the policy.
pub fn parse_code(name: &str, codes: &CodeSet) -> Option<(ErrorCode, bool)> {
    if code::is_well_formed(name.as_bytes()) {
        return match codes.find(name) {
            Some(code) => Some((code, true)),
            None => ErrorCode::foreign(name).map(|code| (code, false)),
        };
    }
    let capitals = !name.bytes().any(|byte| byte.is_ascii_lowercase());
    if capitals { ErrorCode::in_catalogue(name).map(|code| (code, true)) } else { None }
}

fn write_out(out: &Outgoing<'_>) -> Vec<u8> {
    write(out.code, out.message, out.details, out.advice, out.request_id.as_bytes())
}

/// Returns the body of an envelope. The body is compact, and has its fields in order. The details are unchanged (E1).
/// `message` must already be clean.
pub fn write(
    code: &str,
    message: &str,
    details: Option<&str>,
    advice: &WrittenAdvice<'_>,
    request_id: &[u8],
) -> Vec<u8> {
    // The size is exact if no text has a character that JSON escapes. `Bytes` takes over a full `Vec` without another
    // allocation.
    const FRAME: usize = r#"{"error":{"code":"","message":""},"request_id":""}"#.len();
    const DETAILS: usize = r#","details":"#.len();
    const RETRY: usize = r#","retry":"""#.len();
    const DOCS: usize = r#","docs":"""#.len();

    let details_len = details.map_or(0, |details| DETAILS + details.len());
    let advice_len =
        advice.retry.map_or(0, |retry| RETRY + retry.len()) + advice.docs.map_or(0, |docs| DOCS + docs.len());
    let mut body = Vec::with_capacity(FRAME + code.len() + message.len() + details_len + advice_len + request_id.len());
    body.extend_from_slice(br#"{"error":{"code":""#);
    body.extend_from_slice(code.as_bytes());
    body.extend_from_slice(br#"","message":"#);
    push_string(&mut body, message);
    if let Some(details) = details {
        body.extend_from_slice(br#","details":"#);
        body.extend_from_slice(details.as_bytes());
    }
    if let Some(retry) = advice.retry {
        body.extend_from_slice(br#","retry":""#);
        body.extend_from_slice(retry.as_bytes());
        body.push(b'"');
    }
    if let Some(docs) = advice.docs {
        body.extend_from_slice(br#","docs":"#);
        docs.push_to(&mut body);
    }
    body.extend_from_slice(br#"},"request_id":""#);
    body.extend_from_slice(request_id);
    body.extend_from_slice(br#""}"#);
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::json::Object;
    use crate::message;

    fn body(text: &str) -> Body<'_, '_> {
        Body::new(None, Object::parse(text).unwrap())
    }

    fn envelope(code: &str, message: &str, details: Option<&str>) -> String {
        String::from_utf8(write(code, message, details, &WrittenAdvice::default(), b"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"))
            .unwrap()
    }

    #[test]
    fn e1_keys_in_order_compact_details_as_they_came() {
        assert_eq!(
            envelope("no_op", "Say \"a\\b\".", Some("{ \"n\":1.10 }")),
            r#"{"error":{"code":"no_op","message":"Say \"a\\b\".","details":{ "n":1.10 }},"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}"#
        );
        assert!(!envelope("no_op", "x", None).contains("details"));
    }

    #[test]
    fn e7_an_envelope_is_known_by_code_message_and_id() {
        let read_code = |text: &str| {
            read(&body(text), &CodeSet::default()).map(|envelope| (envelope.code.to_string(), envelope.known))
        };
        let known = |code: &str, known| Some((code.to_owned(), known));
        assert_eq!(read_code(&envelope("not_found", "x", None)), known("not_found", true));
        assert_eq!(read_code(&envelope("order_expired", "x", None)), known("order_expired", false));
        assert_eq!(read_code(&envelope("NOT_FOUND", "x", None)), known("not_found", true));
        for other in [
            envelope("Not_Found", "x", None),
            envelope("ORDER_EXPIRED", "x", None),
            r#"{"error":{"code":"no_op","message":"x"}}"#.to_owned(),
            r#"{"error":{"code":"no_op"},"request_id":"x"}"#.to_owned(),
            r#"{"error":{"code":"no_op","message":1},"request_id":"x"}"#.to_owned(),
            r#"{"error":{"code":"no_op","message":"x"},"request_id":null}"#.to_owned(),
            r#"{"error":"no_op","request_id":"x"}"#.to_owned(),
        ] {
            assert_eq!(read_code(&other), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn e7_what_is_written_is_read_again(message in "\\PC{1,80}", n: i64) {
            let Some(line) = message::clean(&message) else { return Ok(()) };
            let details = format!("[{n}, null]");
            let text = envelope("seat_taken", &line, Some(&details));
            let body = body(&text);
            let read = read(&body, &CodeSet::default()).unwrap();
            proptest::prop_assert_eq!(read.code.as_str(), "seat_taken");
            proptest::prop_assert!(message::clean(&read.message).is_some_and(|again| again == line));
            proptest::prop_assert_eq!(read.details.unwrap().get(), details);
        }
    }
}
