//! Parts of header fields, as RFC 9110 §5.6 defines them: tokens, lists, parameters and quoted strings.

use crate::json::end_of_quoted;
use crate::message::has_any;

/// Returns true if a byte may be part of a token (§5.6.2).
pub fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Returns true if a text is an absolute `https` URI (RFC 3986) of at most 1,024 bytes. The URI must have a host and no
/// credentials.
pub fn is_https_uri(text: &str) -> bool {
    let is_uri_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]!$&'()*+,;=%".contains(&byte);
    let Some(rest) = text.strip_prefix("https://").filter(|rest| rest.bytes().all(is_uri_byte)) else { return false };
    let authority = rest.split(['/', '?', '#']).next().and_then(|it| it.parse::<http::uri::Authority>().ok());
    text.len() <= 1024 && authority.is_some_and(|it| !it.host().is_empty())
}

/// Returns the token at the beginning of a text, and the text after it. The token may be empty.
fn split_token(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(text.len()))
}

/// Returns the elements of a list (§5.6.1), without white space around them. Empty elements are included. A comma in a
/// quoted string is not a separator.
pub fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = line.split(move |byte| {
        quoted ^= *byte == b'"' && !escaped;
        escaped = quoted && *byte == b'\\' && !escaped;
        *byte == b',' && !quoted
    });
    parts.map(<[u8]>::trim_ascii)
}

/// Returns true if a media type has neither parameters nor white space, and so need not be parsed. Most media types
/// have neither.
#[inline]
pub(crate) fn is_bare_type(value: &[u8]) -> bool {
    value == b"application/json" || !has_any(value, [b';', b' ', b'\t'])
}

/// Returns the type and the subtype in a media type or range (§8.3.1), without white space around them. The function
/// calls `parameter` with the name and the value of each parameter. The value still has its quotes. `parameter` must
/// return true if the parameter is allowed.
///
/// Returns `None` if the value is malformed, or if a parameter is not allowed.
pub fn media_type<'a>(
    text: &'a [u8],
    mut parameter: impl FnMut(&'a [u8], &'a [u8]) -> bool,
) -> Option<(&'a [u8], &'a [u8])> {
    let (kind, rest) = split_token(text);
    let (subtype, mut rest) = split_token(rest.strip_prefix(b"/")?);
    while !rest.is_empty() {
        rest = rest.trim_ascii_start().strip_prefix(b";")?.trim_ascii_start();
        // An empty parameter is allowed, because clients send a semicolon at the end.
        if rest.is_empty() || rest.starts_with(b";") {
            continue;
        }
        let (name, after) = split_token(rest);
        let (value, after) = split_value(after.strip_prefix(b"=")?);
        if name.is_empty() || value.is_empty() || !parameter(name, value) {
            return None;
        }
        rest = after;
    }
    (!kind.is_empty() && !subtype.is_empty()).then_some((kind, subtype))
}

/// Returns the token or the quoted string at the beginning of a text, and the text after it. If the text begins with
/// neither, the returned token is empty.
fn split_value(text: &[u8]) -> (&[u8], &[u8]) {
    if !text.starts_with(b"\"") {
        return split_token(text);
    }
    text.split_at(end_of_quoted(text).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_in_a_quoted_string_separates_nothing() {
        let found: Vec<&[u8]> = elements(br#" a;b="x, \" y" ,, c"#).collect();
        assert_eq!(found, [&br#"a;b="x, \" y""#[..], b"", b"c"]);
    }

    #[test]
    fn a_media_type_has_well_formed_parameters() {
        let mut found = Vec::new();
        let noted = media_type(br#"text/x ; a=1;; b="c;\"d";"#, |name, value| {
            found.push((name, value));
            true
        });
        assert_eq!(noted, Some((&b"text"[..], &b"x"[..])));
        assert_eq!(found, [(&b"a"[..], &b"1"[..]), (b"b", br#""c;\"d""#)]);
        for malformed in
            ["", "text", "/x", "text/", "text/x y", "text/x;a", "text/x;a=", "text/x;=1", "text/x;a=\"b", "a/b;c d=1"]
        {
            assert_eq!(media_type(malformed.as_bytes(), |_, _| true), None, "{malformed}");
        }
        assert_eq!(media_type(b"a/b;c=d", |_, _| false), None);
    }
}
