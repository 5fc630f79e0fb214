//! Decides which inner errors mode `fill` rewrites (M1): those whose body is empty, HTML or plain text. All others
//! pass.
//!
//! The media type shows whether a body is HTML, plain text or of another kind, with two exceptions. A JSON body
//! passes even if its media type is a text type, such as `text/plain` (R2). If a body has no media type, or its type is
//! `application/octet-stream`, the bytes of the body decide.

use http::{HeaderMap, response};

use super::outcome::ReadBytes;
use crate::dialect;
use crate::guard::body_limit;
use crate::policy::Mode;
use crate::session::request::state::RequestState;
use crate::session::request::view::BodyFacts;

/// Returns true if the head of an inner error shows that the mode lets the error pass.
pub(in crate::session) fn keeps(state: &RequestState, head: &response::Parts, body: BodyFacts) -> bool {
    match state.settings.mode {
        Mode::Own => true,
        Mode::Fill if state.request.is_head() => keeps_head(&head.headers),
        Mode::Fill => matches!(kind(&head.headers), Kind::Other) && body.lower > 0,
        _ => false,
    }
}

/// Returns true if mode `fill` lets an inner error in the response to HEAD pass.
fn keeps_head(headers: &HeaderMap) -> bool {
    matches!(kind(headers), Kind::Other) && body_limit::declared(headers) != Some(0)
}

/// Returns true if mode `fill` would rewrite an error that mode `observe` lets pass.
pub(in crate::session) fn would_rewrite(
    is_head: bool,
    headers: &HeaderMap,
    body: ReadBytes<'_>,
    decoded: Option<&[u8]>,
) -> bool {
    if is_head { !keeps_head(headers) } else { is_to_rewrite(headers, body, decoded) }
}

/// Returns the number of bytes of a body to read after the first byte, or `None` if the usual limit applies. The number
/// is 0 if every body of this type passes that is not empty. The first byte already shows that a body is not empty.
pub(in crate::session) fn more_bytes_to_read(headers: &HeaderMap) -> Option<u64> {
    matches!(kind(headers), Kind::Other).then_some(0)
}

/// Returns true if mode `fill` must look into a body even if it cannot be decoded or is too long. An error whose type
/// is HTML or plain text is rewritten by its type alone.
pub(in crate::session) fn must_be_read(headers: &HeaderMap) -> bool {
    !matches!(kind(headers), Kind::Text)
}

/// Returns true if a body that was read is to be rewritten. `decoded` is the decoded body, if all of it was read.
pub(in crate::session) fn is_to_rewrite(headers: &HeaderMap, body: ReadBytes<'_>, decoded: Option<&[u8]>) -> bool {
    let read = match body {
        ReadBytes::Whole(read) | ReadBytes::Part(read) => decoded.unwrap_or(read),
    };
    match (kind(headers), body) {
        (_, ReadBytes::Whole([])) => true,
        (Kind::Other, _) => false,
        (Kind::Text, _) => !decoded.is_some_and(is_json),
        (Kind::Untyped, ReadBytes::Whole(_)) => {
            !decoded.is_some_and(is_json) && str::from_utf8(read).is_ok_and(is_text)
        }
        (Kind::Untyped, ReadBytes::Part(_)) => !read.is_empty() && is_text(without_cut_character(read)),
        (Kind::Bytes, ReadBytes::Whole(_)) => {
            let is_text = |text: &str| is_text(text) && !dialect::has_control_character(text.as_bytes());
            !decoded.is_some_and(is_json) && str::from_utf8(read).is_ok_and(is_text)
        }
        (Kind::Bytes, ReadBytes::Part(_)) => false,
    }
}

enum Kind {
    /// HTML or plain text.
    Text,
    Other,
    Untyped,
    /// `application/octet-stream`.
    Bytes,
}

fn kind(headers: &HeaderMap) -> Kind {
    const TEXTS: [&str; 3] = ["", "text/html", "application/xhtml+xml"];

    match dialect::media_type(headers) {
        Some(name) if TEXTS.iter().any(|text| name.eq_ignore_ascii_case(text)) => Kind::Text,
        Some(name) if dialect::is_text_type(name.as_bytes()) => Kind::Text,
        Some(name) if name.eq_ignore_ascii_case("application/octet-stream") => Kind::Bytes,
        Some(_) => Kind::Other,
        None if headers.contains_key(http::header::CONTENT_TYPE) => Kind::Other,
        None => Kind::Untyped,
    }
}

fn is_json(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    matches!(first, Some(b'{' | b'[')) && serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok()
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|character| character.is_control() && !character.is_whitespace())
}

/// Returns the bytes as text, without an incomplete character at their end. Returns an empty text if the bytes are not
/// UTF-8.
fn without_cut_character(read: &[u8]) -> &str {
    match str::from_utf8(read) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => str::from_utf8(&read[..error.valid_up_to()]).unwrap_or_default(),
        Err(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::CONTENT_TYPE;

    use super::*;

    #[test]
    fn m1_fill_takes_empty_html_and_plain_bodies_alone() {
        for (media_type, body, filled) in [
            (Some("text/html; charset=utf-8"), "<p>", true),
            (Some("TEXT/Plain"), "no", true),
            (Some("text/plain"), "{\"a\":1}", false),
            (Some("text/plain"), "{not json", true),
            (Some("text/html"), " [1]", false),
            (Some("application/json"), "{}", false),
            (Some("application/json"), "", true),
            (Some("application/problem+json"), "{}", false),
            (Some("image/png"), "\u{1}", false),
            (Some("nonsense"), "x", false),
            (None, "", true),
            (None, "plain", true),
            (None, "<html>", true),
            (None, "{\"a\":1}", false),
            (None, "\u{0}x", false),
            (None, "abc", true),
            // JSON does not allow a form feed as white space (RFC 8259 §2).
            (None, "{\"a\":1}\u{c}", true),
            (None, " {\"a\":1}\r\n", false),
        ] {
            let headers = media_type.map(|it| (CONTENT_TYPE, HeaderValue::from_static(it)));
            let headers: HeaderMap = headers.into_iter().collect();
            let whole = ReadBytes::Whole(body.as_bytes());
            assert_eq!(is_to_rewrite(&headers, whole, Some(body.as_bytes())), filled, "{media_type:?} {body}");
        }
    }

    #[test]
    fn m1_a_whole_body_that_ends_inside_a_character_is_no_text() {
        assert!(!is_to_rewrite(&HeaderMap::new(), ReadBytes::Whole(b"\xc2"), Some(b"\xc2")));
    }

    #[test]
    fn m1_what_cannot_be_read_whole_is_filled_by_its_type_or_what_came() {
        for (media_type, read, filled) in [
            (Some("text/html"), &b""[..], true),
            (Some("application/json"), b"", false),
            (None, b"", false),
            (None, b"abc\xc3", true),
            (None, b"\x1f\x8b", false),
        ] {
            let headers = media_type.map(|it| (CONTENT_TYPE, HeaderValue::from_static(it)));
            let headers: HeaderMap = headers.into_iter().collect();
            assert_eq!(is_to_rewrite(&headers, ReadBytes::Part(read), None), filled, "{media_type:?} {read:?}");
        }
    }
}
