//! Reads the header lines of a head in Envoy's memory, and copies them to headers of the crate `http`.

use bytes::Bytes;
use error_envelope_core::session::BodyFacts;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The header lines of a head as Envoy passes them. They include the parts of the target and the status, such as
/// `:path`.
pub trait HeaderLines<'l>: Copy {
    /// Returns the number of lines.
    fn count(self) -> usize;

    /// Returns the names and values of the lines, in Envoy's order.
    fn iter(self) -> impl Iterator<Item = (&'l [u8], &'l [u8])> + Clone;
}

/// Returns the names of the lines, with copies of their values. The copies share one allocation.
pub(super) fn shared<'l>(lines: impl HeaderLines<'l>) -> impl Iterator<Item = (&'l [u8], Bytes)> {
    let mut joined = Vec::with_capacity(lines.iter().map(|(_, value)| value.len()).sum());
    lines.iter().for_each(|(_, value)| joined.extend_from_slice(value));
    let mut left = Bytes::from(joined);
    lines.iter().map(move |(name, value)| (name, left.split_to(value.len())))
}

/// Returns true if the crate `http` accepts a line unchanged, and false if it would change or refuse the line.
pub(super) fn is_plain(name: &[u8], value: &[u8]) -> bool {
    // All bytes are checked without an early exit, so that the compiler can use vector instructions.
    let of_name = |plain, byte: &u8| plain & (byte.is_ascii_lowercase() | byte.is_ascii_digit() | (*byte == b'-'));
    let of_value = |plain, byte: &u8| plain & (((*byte >= b' ') & (*byte != 0x7f)) | (*byte == b'\t'));
    (1..64).contains(&name.len()) && name.iter().fold(true, of_name) && value.iter().fold(true, of_value)
}

/// Returns what the headers and `ended` show about the body of a message.
#[must_use]
pub fn facts(headers: &HeaderMap, ended: bool) -> BodyFacts {
    if ended {
        return BodyFacts { ended, lower: 0, upper: Some(0) };
    }
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let length = match (lines.next(), lines.next()) {
        (Some(only), None) => only.to_str().ok().and_then(|length| length.parse::<u64>().ok()),
        _ => None,
    };
    BodyFacts { ended, lower: length.unwrap_or(0), upper: length }
}

pub(super) fn append(headers: &mut HeaderMap, name: &[u8], value: Bytes) -> Result<(), String> {
    let (Ok(parsed), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_maybe_shared(value)) else {
        let name: String = String::from_utf8_lossy(name).chars().take(64).collect();
        return Err(format!("the header {name:?} cannot be read"));
    };
    headers
        .try_append(parsed, value)
        .map(drop)
        .map_err(|_| "Envoy's message has more header lines than can be stored".to_owned())
}
