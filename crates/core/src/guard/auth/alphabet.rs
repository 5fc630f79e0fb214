//! The characters of keys and tokens.

use crate::guard::expression::Values;

/// What follows `Bearer`, and what a key header carries: no pattern is matched against anything else.
pub(super) const TOKENS: Values =
    Values { name: "token", has: |byte| is_token_byte(byte) || byte == b'=', may_be_empty: false };
pub(super) const KEYS: Values = Values { name: "key", has: is_key_byte, may_be_empty: false };

pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}

/// Printable ASCII. A comma is what joins two lines into one (RFC 9110 §5.3), and so not part of a key.
pub(super) fn is_key_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b','
}
