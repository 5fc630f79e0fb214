//! The credentials that a request carries: a token after `Bearer`, or a key in another header (rule G2).

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};

use super::alphabet::{is_key_byte, is_token_byte};
use super::outcome::{AuthFailure, Rejection};
use crate::fields;

/// The longest key or token, in bytes: enough for a token with many claims. A longer one is not checked.
const MAX_LENGTH: usize = 8 * 1024;

/// The token of `Authorization: Bearer <token>` (RFC 6750 §2.1). The name of the scheme may be in any letter case (RFC
/// 9110 §11.1).
pub(super) fn bearer_token(headers: &HeaderMap) -> Result<&[u8], Rejection> {
    let value = only_line(headers, &AUTHORIZATION)?;
    let end = value.iter().position(|byte| *byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at(end);
    let token = rest.iter().position(|byte| *byte != b' ').map_or(&b""[..], |start| &rest[start..]);
    if !scheme.eq_ignore_ascii_case(b"bearer") || token.is_empty() {
        return Err(AuthFailure::Malformed.into());
    }
    if token.len() > MAX_LENGTH || !is_b64token(token) {
        Err(Rejection::token(AuthFailure::Malformed))
    } else {
        Ok(token)
    }
}

fn is_b64token(token: &[u8]) -> bool {
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let characters = &token[..token.len() - padding];
    !characters.is_empty() && characters.iter().copied().all(is_token_byte)
}

/// Returns the key in the scheme's header. A line whose name looks the same to a service that works like CGI counts as
/// a second line.
pub(super) fn header_key<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h [u8], Rejection> {
    let key = only_line(headers, name)?;
    let right = key.len() <= MAX_LENGTH && key.iter().copied().all(is_key_byte) && key.trim_ascii() == key;
    if right { Ok(key) } else { Err(Rejection::token(AuthFailure::Malformed)) }
}

/// The only line of a header. An empty line counts as none. Several lines are refused, because they may differ.
fn only_line<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h [u8], Rejection> {
    match fields::with_rivals(headers, name) {
        // A service that works like CGI takes a look-alike for the header, so a request with only that is not anonymous.
        (_, true) => Err(Rejection::token(AuthFailure::Malformed)),
        (Some(line), false) if !line.as_bytes().trim_ascii().is_empty() => Ok(line.as_bytes()),
        _ => Err(AuthFailure::Missing.into()),
    }
}
