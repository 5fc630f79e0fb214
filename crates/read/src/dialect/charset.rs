//! Converts bodies that are not UTF-8 to UTF-8, and bodies that are almost JSON to JSON (R3).
//!
//! 1. A byte order mark decides the charset (needs the feature `charsets`).
//! 2. Otherwise the media type may name a charset by WHATWG's names (needs the same feature).
//! 3. Otherwise the body is UTF-8, and invalid bytes become U+FFFD. A body with control characters is not a text.
//! 4. JSON may contain `NaN` and `Infinity`, as Python and JavaScript write them. These numbers are read as `null`.
//!
//! Most bodies are UTF-8 and strict JSON. For these bodies, steps 1 and 2 only check one byte and the parameters of the
//! media type. Steps 3 and 4 run only if the body could not be read.

use std::borrow::Cow;

#[cfg(feature = "charsets")]
use encoding_rs::{Encoding, UTF_8};
use http::HeaderMap;
#[cfg(feature = "charsets")]
use http::header::CONTENT_TYPE;
use serde_json::value::RawValue;

#[cfg(feature = "charsets")]
use crate::fields;
#[cfg(feature = "charsets")]
use crate::syntax::{is_bare_type, media_type};

/// Returns the body unchanged. The body is treated as UTF-8, because other charsets need the feature `charsets`.
#[cfg(not(feature = "charsets"))]
pub fn in_utf8<'b>(_: &HeaderMap, body: Cow<'b, [u8]>) -> Cow<'b, [u8]> {
    body
}

/// Returns true if a `content-encoding` is `utf-8`, the only charset that is read without the feature `charsets`.
#[cfg(not(feature = "charsets"))]
pub fn is_charset(name: &str) -> bool {
    ["utf-8", "utf8"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Returns the body in UTF-8. The body is copied only if a byte order mark or the media type names another charset.
#[cfg(feature = "charsets")]
pub fn in_utf8<'b>(headers: &HeaderMap, body: Cow<'b, [u8]>) -> Cow<'b, [u8]> {
    match charset_of_mark(&body).or_else(|| Some((charset_of_type(headers)?, 0))) {
        Some((encoding, mark)) if encoding != UTF_8 => {
            match encoding.decode_without_bom_handling(&body[mark..]).0 {
                // ASCII text has the same bytes in UTF-8.
                Cow::Borrowed(_) if mark == 0 => body,
                text => Cow::Owned(text.into_owned().into_bytes()),
            }
        }
        _ => body,
    }
}

/// Returns true if a `content-encoding` is the name of a charset, as some services send. Such a value is not treated as
/// a coding (R5).
#[cfg(feature = "charsets")]
pub fn is_charset(name: &str) -> bool {
    Encoding::for_label(name.as_bytes()).is_some()
}

/// Repairs a body that is not JSON in the way that the parsers of Python and JavaScript would read it. `NaN` becomes
/// `null`, and invalid UTF-8 is replaced. Returns `None` if nothing changes.
pub fn lenient(body: &[u8]) -> Option<Vec<u8>> {
    match str::from_utf8(body) {
        Ok(text) => with_null(text).map(String::into_bytes),
        Err(_) if has_controls(body) => None,
        Err(_) => {
            let text = String::from_utf8_lossy(body).into_owned();
            Some(with_null(&text).unwrap_or(text).into_bytes())
        }
    }
}

#[cfg(feature = "charsets")]
fn charset_of_mark(body: &[u8]) -> Option<(&'static Encoding, usize)> {
    matches!(body.first(), Some(0xef | 0xfe | 0xff)).then(|| Encoding::for_bom(body))?
}

/// Returns the charset that the media type of the body names. Returns `None` if the type names no charset, or an
/// unknown one.
#[cfg(feature = "charsets")]
fn charset_of_type(headers: &HeaderMap) -> Option<&'static Encoding> {
    let value = fields::single_value(headers, &CONTENT_TYPE)?.as_bytes();
    if is_bare_type(value) {
        return None;
    }
    let mut charset = None;
    media_type(value.trim_ascii(), |name, value| {
        if name.eq_ignore_ascii_case(b"charset") {
            charset = charset.or(Some(value));
        }
        true
    });
    let unquoted = charset?.split(|byte| *byte == b'"').find(|part| !part.is_empty())?;
    if unquoted.eq_ignore_ascii_case(b"utf-8") {
        return None;
    }
    Encoding::for_label_no_replacement(unquoted)
}

/// Returns true if the body has control characters other than tabs and line breaks, and so is binary.
fn has_controls(body: &[u8]) -> bool {
    body.iter().any(|byte| *byte < b' ' && !byte.is_ascii_whitespace())
}

/// Returns the JSON text with `null` in the places of `NaN` and `Infinity`.
fn with_null(text: &str) -> Option<String> {
    const NUMBERS: [&str; 3] = ["NaN", "-Infinity", "Infinity"];

    if !text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '[']) {
        return None;
    }
    let (mut json, mut copied, mut quoted, mut escaped) = (String::new(), 0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        quoted ^= byte == b'"' && !escaped;
        escaped = quoted && byte == b'\\' && !escaped;
        if quoted || at < copied || !matches!(byte, b'N' | b'I' | b'-') {
            continue;
        }
        if let Some(number) = NUMBERS.iter().find(|number| text[at..].starts_with(**number)) {
            json.push_str(&text[copied..at]);
            json.push_str("null");
            copied = at + number.len();
        }
    }
    json.push_str(&text[copied..]);
    let parses = || serde_json::from_str::<&RawValue>(json.trim_start_matches('\u{feff}')).is_ok();
    (copied > 0 && parses()).then_some(json)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn text(content_type: &'static str, body: &[u8]) -> String {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        String::from_utf8_lossy(&in_utf8(&headers, Cow::Borrowed(body))).into_owned()
    }

    #[test]
    fn r3_a_mark_wins_over_the_types_charset_and_that_over_utf_8() {
        for (content_type, body, says) in [
            ("text/plain", "é".as_bytes(), "é"),
            ("text/plain; charset=ISO-8859-1", b"\xe9", "é"),
            ("text/plain;a=b ; Charset=\"latin1\"", b"\xe9", "é"),
            ("text/plain; charset=\"windows-1252\"; charset=utf-8", b"\x80", "€"),
            ("text/plain; charset=shift_jis", b"\x83e", "テ"),
            ("text/plain; charset=utf-16le", b"h\0i\0", "hi"),
            ("text/plain; charset=klingon", "é".as_bytes(), "é"),
            // WHATWG decodes this body to a single U+FFFD.
            ("text/plain; charset=iso-2022-kr", b"ok", "ok"),
            ("text/plain; charset", b"ok", "ok"),
            ("text/plain; charset=utf-8", b"\xff\xfeh\0i\0", "hi"),
            ("text/plain; charset=latin1", b"\xfe\xff\0h\0i", "hi"),
            ("text/plain; charset=latin1", "\u{feff}é".as_bytes(), "\u{feff}é"),
        ] {
            assert_eq!(text(content_type, body), says, "{content_type}");
        }
    }

    #[test]
    fn r3_ascii_is_not_copied() {
        let headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=ISO-8859-1"))]);
        assert!(matches!(in_utf8(&headers, Cow::Borrowed(b"{}")), Cow::Borrowed(_)));
    }

    #[test]
    fn r3_numbers_that_are_none_stand_for_null() {
        for (body, json) in [
            (r#"{"a":NaN}"#, Some(r#"{"a":null}"#)),
            (r#" [-Infinity,Infinity, NaN ]"#, Some(r#" [null,null, null ]"#)),
            (r#"{"a":"NaN \" NaN","b":NaN}"#, Some(r#"{"a":"NaN \" NaN","b":null}"#)),
            ("\u{feff}{\"a\":NaN}", Some("\u{feff}{\"a\":null}")),
            (r#"{"a":"NaN"}"#, None),
            (r#"{"a":NaNs}"#, None),
            ("{NaN}", None),
            ("NaN", None),
            ("", None),
        ] {
            let lenient = lenient(body.as_bytes()).map(|json| String::from_utf8(json).unwrap());
            assert_eq!(lenient.as_deref(), json, "{body}");
        }
    }

    #[test]
    fn r3_a_byte_that_is_no_utf_8_costs_a_character_not_the_text() {
        assert_eq!(lenient(b"Seat \xe9 taken").as_deref(), Some("Seat \u{fffd} taken".as_bytes()));
        assert_eq!(lenient(b"\x89PNG\r\n\x1a\n"), None);
    }

    proptest::proptest! {
        #[test]
        fn r3_no_bytes_make_it_panic(body: Vec<u8>, charset in proptest::sample::select(vec!["utf-16", "gbk", "iso-2022-jp", "x"])) {
            let value = HeaderValue::try_from(format!("text/plain; charset={charset}")).unwrap();
            let _ = in_utf8(&HeaderMap::from_iter([(CONTENT_TYPE, value)]), Cow::Borrowed(&body));
            let _ = lenient(&body);
        }
    }
}
