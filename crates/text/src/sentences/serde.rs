//! Reads messages of serde (serde 1.0.229, serde_json 1.0.154). A path of serde_path_to_error 0.1.20 may precede such a
//! message: `b[0].c: invalid type: string "three", expected u32 at line 1 column 23`.
//!
//! The messages have the forms that the constructors of `serde::de::Error` write. A text in any other form was written
//! by the program itself.

use std::borrow::Cow;
use std::sync::LazyLock;

use memchr::memmem;

use super::reading::Reading;
use crate::message::has_byte;
use crate::place::{Place, is_dotted};

const MISSING: &str = "missing field `";
const DUPLICATE: &str = "duplicate field `";
const UNKNOWN_FIELD: &str = "unknown field `";
const UNKNOWN_VARIANT: &str = "unknown variant `";
const EXPECTED: &str = ", expected ";

/// The beginnings of messages that describe the value which the client sent. `expected` follows the value.
const UNEXPECTED: [&str; 2] = ["invalid type: ", "invalid value: "];

const FORMS: [&str; 7] =
    [MISSING, DUPLICATE, UNKNOWN_FIELD, UNKNOWN_VARIANT, UNEXPECTED[0], UNEXPECTED[1], "invalid length "];

/// Parses a message of serde. Also returns the name of the field in the message. Returns `None` if the text names no
/// field.
pub(super) fn parse_text(text: &str) -> Option<(Reading, Option<&str>)> {
    let text = without_position(text);
    let (path, message) = split(text)?;
    let name = name_in(message);
    if path.is_empty() && name.is_none() {
        return None;
    }
    let mut place = Place::default();
    // serde_path_to_error writes `?` for a step that it cannot follow, so the path ends before the `?`.
    let known = path.split(".?").next().filter(|known| *known != "?").unwrap_or_default();
    place.dotted(known);
    // If a field is missing, the path ends at the object around the field. If a field is unknown, the path includes it,
    // unless serde had to read ahead.
    let has_it =
        |name: &str| message.starts_with(UNKNOWN_FIELD) && (path == name || path.ends_with(&format!(".{name}")));
    if let Some(name) = name.filter(|name| !has_it(name)) {
        place.name(name);
    }
    Some((Reading { place, text: without_values(message).into_owned() }, name))
}

/// Returns true if a text is a message of serde, with or without a path before it.
pub(super) fn is_form(text: &str) -> bool {
    path_length(text).is_some()
}

/// Returns the length of the path before the message of serde, in bytes. Returns `None` if the text is not a message of
/// serde.
pub(super) fn path_length(text: &str) -> Option<usize> {
    static INVALID: LazyLock<memmem::Finder<'_>> = LazyLock::new(|| memmem::Finder::new("invalid "));

    // Each form has one of these. Without this check, each text of an error costs 1,600 instructions more.
    if !has_byte(text.as_bytes(), b'`') && INVALID.find(text.as_bytes()).is_none() {
        return None;
    }
    let (path, message) = split(without_position(text))?;
    FORMS.iter().any(|form| message.starts_with(form)).then_some(path.len())
}

/// Returns the text without the values that it quotes from the request, and without the names of types in the program.
pub(super) fn without_values(text: &str) -> Cow<'_, str> {
    match without_quoted(text) {
        Cow::Borrowed(text) => without_types(text).map_or(Cow::Borrowed(text), Cow::Owned),
        Cow::Owned(text) => Cow::Owned(without_types(&text).unwrap_or(text)),
    }
}

/// Returns the text without the name of a type. In `expected struct Leg with 2 elements`, that name is `Leg`.
fn without_types(text: &str) -> Option<String> {
    let at = text.rfind(EXPECTED)?;
    let (_, end) = [" struct ", " enum ", " variant "].iter().find_map(|kind| {
        let kind_at = text[at..].find(kind)?;
        Some((kind, at + kind_at + kind.len()))
    })?;
    let name = text[end..].find([' ', ',']).map_or(text.len(), |length| end + length);
    Some([&text[..end - 1], &text[name..]].concat())
}

fn without_quoted(text: &str) -> Cow<'_, str> {
    let mut left = String::new();
    let mut rest = text;
    loop {
        let form = [UNEXPECTED[0], UNEXPECTED[1], UNKNOWN_VARIANT].iter().filter_map(|form| rest.find(form)).min();
        // A value may look like a message. Text in quotes that begins before a form is a value.
        let quote = rest.find('"').filter(|at| form.is_none_or(|form| *at < form));
        match (quote, form) {
            (Some(at), _) => {
                left.push_str(rest[..at].trim_end());
                // If a quote is not closed, everything up to the end belongs to the client's value.
                rest = closing_quote(&rest[at + 1..]).map_or("", |end| &rest[at + end + 2..]);
            }
            (None, Some(at)) => return [&*left, &rest[..at], &*form_without_value(&rest[at..])].concat().into(),
            (None, None) if left.is_empty() && rest.len() == text.len() => return Cow::Borrowed(text),
            (None, None) => return (left + rest).into(),
        }
    }
}

/// Returns the message without the value in it.
fn form_without_value(text: &str) -> String {
    if let Some(value) = text.strip_prefix(UNKNOWN_VARIANT) {
        let behind = ["`, expected ", "`, there are no variants"].iter().filter_map(|end| value.rfind(end)).max();
        return ["unknown variant", behind.map_or("", |at| &value[at + 1..])].concat();
    }
    let value = UNEXPECTED.iter().find_map(|form| text.strip_prefix(form)).unwrap_or_default();
    let form = &text[..text.len() - value.len()];
    let kind = value.split(['"', '`']).next().unwrap_or_default();
    if kind.contains(EXPECTED) {
        return text.to_owned();
    }
    let behind = behind_quoted(value).or_else(|| value.rfind(EXPECTED).map(|at| &value[at..])).unwrap_or_default();
    [form, kind.trim_end(), behind].concat()
}

/// The maximum length of a position, which is ` at line ` and ` column ` with two numbers of 20 digits.
const MOST_OF_POSITION: usize = 57;

/// Returns the text without the ` at line 1 column 14` of serde_json.
pub(super) fn without_position(text: &str) -> &str {
    let position = |at: usize| {
        let (line, column) = text[at + " at line ".len()..].split_once(" column ")?;
        let number = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
        (number(line) && number(column)).then_some(at)
    };
    // A position is always at the end of the text.
    let tail = text.len().saturating_sub(MOST_OF_POSITION);
    let at = memmem::rfind(&text.as_bytes()[tail..], b" at line ").map(|at| tail + at);
    at.and_then(position).map_or(text, |at| &text[..at])
}

/// Splits a text into the path and the message behind it. The names in a path may be any text, because the client may
/// choose them. The first occurrence of one of serde's forms is used, because a value that looks like a form comes
/// later.
fn split(text: &str) -> Option<(&str, &str)> {
    let is_form = |text: &str| FORMS.iter().any(|form| text.starts_with(form));
    if is_form(text) {
        return Some(("", text));
    }
    // If one of serde's forms is in quotes, it is a value in a text of the program.
    let unquoted = &text[..text.find('"').unwrap_or(text.len())];
    let before_form = memmem::find_iter(unquoted.as_bytes(), ": ").find(|at| is_form(&text[at + 2..]));
    if let Some(at) = before_form {
        return Some((&text[..at], &text[at + 2..]));
    }
    text.split_once(": ").filter(|(path, message)| is_dotted(path) && !message.is_empty())
}

/// Returns the name of the field that is missing, unknown or a duplicate.
fn name_in(message: &str) -> Option<&str> {
    if let Some(name) = message.strip_prefix(MISSING).or_else(|| message.strip_prefix(DUPLICATE)) {
        return name.strip_suffix('`');
    }
    let name = message.strip_prefix(UNKNOWN_FIELD)?;
    let end = ["`, expected ", "`, there are no fields"].iter().filter_map(|end| name.rfind(end)).max()?;
    Some(&name[..end])
}

/// Returns the text behind a quoted value. The value is written as by `{:?}`, or is in back quotes.
fn behind_quoted(value: &str) -> Option<&str> {
    let at = value.find(['"', '`'])?;
    if value.as_bytes()[at] == b'`' {
        let end = value.rfind("`, expected ")?;
        return Some(&value[end + 1..]);
    }
    let behind = &value[at + 1..];
    let end = closing_quote(behind)?;
    Some(&behind[end + 1..]).filter(|behind| behind.starts_with(EXPECTED))
}

/// Returns the position at which a text ends that is written as by `{:?}`.
pub(super) fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Option<(String, String)> {
        parse_text(text).map(|(parsed, _)| (String::from_utf8(parsed.place.json()).unwrap(), parsed.text))
    }

    #[test]
    fn r13_a_sentence_has_a_path_and_a_text() {
        for (text, path, parsed) in [
            ("b[0].c: missing field `y` at line 1 column 23", r#"["b",0,"c","y"]"#, "missing field `y`"),
            ("missing field `sku`", r#"["sku"]"#, "missing field `sku`"),
            ("a: duplicate field `b`", r#"["a","b"]"#, "duplicate field `b`"),
            ("a: unknown field `b`, expected `c`", r#"["a","b"]"#, "unknown field `b`, expected `c`"),
            ("a.b: unknown field `b`, expected `c`", r#"["a","b"]"#, "unknown field `b`, expected `c`"),
            ("n: invalid digit found in string", r#"["n"]"#, "invalid digit found in string"),
            ("a.?.c: invalid type: map, expected u8", r#"["a"]"#, "invalid type: map, expected u8"),
            ("a b: invalid type: map, expected u8", r#"["a b"]"#, "invalid type: map, expected u8"),
            ("a: no such article \"s3cret\" here", r#"["a"]"#, "no such article here"),
            ("a: no such \"b: missing field `c`\" here", r#"["a"]"#, "no such here"),
        ] {
            assert_eq!(message(text), Some((path.to_owned(), parsed.to_owned())), "{text}");
        }
        for none in ["", "invalid digit found in string", "invalid type: map, expected u8", "one two: three", "a: "] {
            assert_eq!(message(none), None, "{none}");
        }
    }

    #[test]
    fn r13_what_is_quoted_is_left_out() {
        for (text, parsed) in [
            ("invalid type: string \"three\", expected u32", "invalid type: string, expected u32"),
            ("invalid type: string \"a\\\", expected b\", expected u32", "invalid type: string, expected u32"),
            ("invalid type: integer `4711`, expected a string", "invalid type: integer, expected a string"),
            ("invalid type: floating point `1.5`, expected u8", "invalid type: floating point, expected u8"),
            ("invalid type: boolean `true`, expected u8", "invalid type: boolean, expected u8"),
            ("invalid value: character ```, expected b", "invalid value: character, expected b"),
            ("invalid type: null, expected u8", "invalid type: null, expected u8"),
            ("invalid length 3, expected a tuple of size 2", "invalid length 3, expected a tuple of size 2"),
            ("unknown variant `s3`, expected `a` or `b`", "unknown variant, expected `a` or `b`"),
            ("unknown variant `s3`, there are no variants", "unknown variant, there are no variants"),
            ("unknown variant `s3`, expected `x`, expected `a`", "unknown variant, expected `a`"),
            ("invalid type: string \"never closed", "invalid type: string"),
            ("bad: invalid type: string \"x\", expected u8", "bad: invalid type: string, expected u8"),
            ("a \"b\" c \"d", "a c"),
            ("can not parse \"x invalid value: s3\" to a u32", "can not parse to a u32"),
            (
                "a \"invalid type: s3\" b: invalid type: string \"x\", expected u8",
                "a b: invalid type: string, expected u8",
            ),
        ] {
            assert_eq!(without_values(text), parsed);
        }
    }

    #[test]
    fn r13_positions_are_left_out() {
        assert_eq!(without_position("a at line 1 column 2"), "a");
        for whole in ["a at line 1", "a at line x column 2", "a at line 1 column 2 b", " at line "] {
            assert_eq!(without_position(whole), whole);
        }
    }

    proptest::proptest! {
        #[test]
        fn r13_no_value_that_serde_quotes_stays(
            path in "[a-z]{1,4}(\\.[a-z]{1,4}|\\[[0-9]\\]){0,3}",
            value in "\\PC{0,20}s3cret[\\PC\"`,: \\\\\\n]{0,20}",
            before in "(, expected |`, expected |\": |invalid type: |missing field `)?",
        ) {
            let value = format!("{before}{value}{before}");
            let expected = serde_json::from_value::<u32>(serde_json::Value::String(value.clone())).unwrap_err();
            let variants = serde::de::Error::unknown_variant(&value, &["a", "b"]);
            let variants: serde::de::value::Error = variants;
            for error in [expected.to_string(), variants.to_string()] {
                let text = format!("{path}: {error} at line 1 column 3");
                let (parsed, _) = parse_text(&text).unwrap();
                proptest::prop_assert!(!parsed.text.contains("s3cret"), "{error} {}", parsed.text);
                proptest::prop_assert!(parsed.text.contains(", expected "), "{error} {}", parsed.text);
                proptest::prop_assert!(!String::from_utf8(parsed.place.json()).unwrap().contains("s3cret"));
            }
        }
    }
}
