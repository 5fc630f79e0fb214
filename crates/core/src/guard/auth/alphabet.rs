//! The characters that keys and tokens may have.

use crate::guard::expression::Values;

/// The only values that are compared with patterns: what may follow `Bearer`, or be in the header of a key.
pub(super) const TOKENS: Values =
    Values { name: "token", has: |byte| is_token_byte(byte) || byte == b'=', may_be_empty: false };
pub(super) const KEYS: Values = Values { name: "key", has: is_key_byte, may_be_empty: false };

pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)
}

/// Whether a key may have this character: printable ASCII except the comma. A comma joins two lines into one (RFC 9110
/// §5.3), so it cannot be a part of a key.
pub(super) fn is_key_byte(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b','
}
