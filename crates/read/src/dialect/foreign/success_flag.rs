//! `{"success":false,"error":"…"}`, in which all further fields are the details.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::dialect::field_names::is_text_name;
use crate::dialect::form::{DialectSpec, KnownFields};
use crate::dialect::json::{Object, Writer, quoted, some_fields, string, with_fields};
use crate::dialect::outgoing::{Outgoing, PreservedBody};
use crate::dialect::parsed_error::{Body, ParsedError};

pub(in crate::dialect) const FORM: DialectSpec = DialectSpec {
    reads: &KnownFields::ALL,
    own_names: &["success", "error"],
    has_limit: false,
    ..DialectSpec::new("success_flag", read, write, rewrite_in_place)
};

/// Names that the fields of details cannot have, because the body would then be in another shape.
const TAKEN: [&str; 3] = ["success", "error", "jsonrpc"];

fn read<'a>(body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
    let body = &body.object;
    if body.raw("success")?.get() != "false" {
        return None;
    }
    let message = body.string("error")?;
    // A word next to a text is a code, which the general rule reads.
    let has_text = || body.members().any(|(name, value)| name != "error" && is_text(name, value));
    if !message.trim().contains(char::is_whitespace) && has_text() {
        return None;
    }
    let details = some_fields(body, |name, _| !matches!(name, "success" | "error")).map(Cow::Owned);
    Some(ParsedError { details, ..ParsedError::new(None, Some(message)) })
}

fn write(out: &Outgoing<'_>) -> Vec<u8> {
    let mut body = Writer::new(out.size()).raw("success", "false").text("error", out.message);
    let Some(details) = out.details else { return body.close() };
    match Object::parse(details) {
        Some(object) if TAKEN.iter().all(|name| !object.has(name)) => {
            for (name, value) in object.members() {
                body = body.raw(name, value.get());
            }
        }
        _ => body = body.raw("details", details),
    }
    body.close()
}

fn rewrite_in_place(kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8> {
    let set = [("success", b"false".to_vec()), ("error", quoted(out.message))];
    if kept.whole { with_fields(&kept.body, &set, &|_, _| true) } else { write(out) }
}

/// Returns true if a member is a sentence under the name of a text.
fn is_text(name: &str, value: &RawValue) -> bool {
    is_text_name(name) && string(value).is_some_and(|text| text.trim().contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::outgoing::tests::{out, preserved, text};

    #[test]
    fn r2_further_members_are_the_details() {
        for (details, body) in [
            (None, r#"{"success":false,"error":"Say \"no\"."}"#),
            (Some(r#"{"room_id":"r","n":1.10}"#), r#"{"success":false,"error":"Say \"no\".","room_id":"r","n":1.10}"#),
            (Some("[4]"), r#"{"success":false,"error":"Say \"no\".","details":[4]}"#),
            (Some(r#"{"error":1}"#), r#"{"success":false,"error":"Say \"no\".","details":{"error":1}}"#),
        ] {
            assert_eq!(text(write(&Outgoing { message: "Say \"no\".", details, ..out() })), body);
        }
    }

    #[test]
    fn r12_a_body_of_its_own_keeps_its_members() {
        let body = r#"{ "room_id": "r" , "success" : false, "error": "old", "n":1.10 }"#;
        let all = rewrite_in_place(&preserved(body, true), &Outgoing { message: "new", ..out() });
        assert_eq!(text(all), r#"{"room_id":"r","success":false,"error":"new","n":1.10}"#);
        let masked = rewrite_in_place(&preserved(body, false), &Outgoing { message: "new", ..out() });
        assert_eq!(text(masked), r#"{"success":false,"error":"new"}"#);
    }
}
