//! Parts of header fields as RFC 9110 §5.6 has them: tokens, lists, parameters and quoted strings.

use crate::message::has_any;

/// Whether a byte may be part of a token (§5.6.2).
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether a text is an absolute `https` URI (RFC 3986) of at most 1,024 bytes that has a host and no credentials.
pub(crate) fn is_https_uri(text: &str) -> bool {
    let is_uri_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]!$&'()*+,;=%".contains(&byte);
    let Some(rest) = text.strip_prefix("https://").filter(|rest| rest.bytes().all(is_uri_byte)) else { return false };
    let authority = rest.split(['/', '?', '#']).next().and_then(|it| it.parse::<http::uri::Authority>().ok());
    text.len() <= 1024 && authority.is_some_and(|it| !it.host().is_empty())
}

/// The token at the beginning, which may be empty, and what follows it.
fn split_token(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(text.len()))
}

/// The elements of a list (§5.6.1) without white space around them; empty ones, too. Commas in quoted strings separate none.
pub(crate) fn elements(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = line.split(move |byte| {
        quoted ^= *byte == b'"' && !escaped;
        escaped = quoted && *byte == b'\\' && !escaped;
        *byte == b',' && !quoted
    });
    parts.map(<[u8]>::trim_ascii)
}

/// Whether a media type has neither parameters nor white space, as most have: these need not be taken apart.
#[inline]
pub(crate) fn is_bare_type(value: &[u8]) -> bool {
    value == b"application/json" || !has_any(value, [b';', b' ', b'\t'])
}

/// The type and the subtype of a media type or range (§8.3.1), without white space around it. `parameter` gets each name and
/// value, a quoted one with its quotes, and returns whether it may be there.
///
/// `None` for what is malformed, or has a parameter that may not be there.
pub(crate) fn media_type<'a>(
    text: &'a [u8],
    mut parameter: impl FnMut(&'a [u8], &'a [u8]) -> bool,
) -> Option<(&'a [u8], &'a [u8])> {
    let (kind, rest) = split_token(text);
    let (subtype, mut rest) = split_token(rest.strip_prefix(b"/")?);
    while !rest.is_empty() {
        rest = rest.trim_ascii_start().strip_prefix(b";")?.trim_ascii_start();
        // An empty parameter is legal: clients send a trailing semicolon.
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

/// A token or a quoted string, and what follows it; empty where it is neither.
fn split_value(text: &[u8]) -> (&[u8], &[u8]) {
    if !text.starts_with(b"\"") {
        return split_token(text);
    }
    text.split_at(end_of_quoted(text).unwrap_or(0))
}

/// The position behind a quoted string at the beginning, of a header or of JSON; `None` where it is not closed.
pub(crate) fn end_of_quoted(text: &[u8]) -> Option<usize> {
    let mut escaped = false;
    let closes = |byte: &u8| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    };
    text[1..].iter().position(closes).map(|at| at + 2)
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
