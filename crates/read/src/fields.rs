//! Finds header fields quickly.

use http::{HeaderMap, HeaderName, HeaderValue};

pub const X_ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub const X_UPSTREAM_REQUEST_ID: HeaderName = HeaderName::from_static("x-upstream-request-id");

/// The number of headers up to which comparing all names is faster than hashing one name to look it up.
const FEW: usize = 8;

/// Returns the values of the header with that name. Most heads are short, and a search in a short head costs less than
/// hashing the name.
#[inline]
pub fn lines<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h HeaderValue> {
    headers.iter().filter(move |(it, _)| *it == name).map(|(_, value)| value)
}

/// Returns true if a header contains a checksum of the body. Such headers are defined by RFC 9530, by its predecessors,
/// and by object stores (R6).
pub fn is_checksum(name: &str) -> bool {
    matches!(
        name,
        "content-digest"
            | "repr-digest"
            | "unencoded-digest"
            | "digest"
            | "content-md5"
            | "x-amz-trailer-signature"
            | "x-amz-crc32"
            | "x-goog-hash"
    ) || name.starts_with("x-amz-checksum-")
}

/// Returns the elements of a comma-separated header line.
pub fn list(line: &HeaderValue) -> impl Iterator<Item = &str> {
    line.to_str().unwrap_or_default().split(',').map(str::trim).filter(|member| !member.is_empty())
}

/// Returns the first value of the header with that name.
#[inline]
pub fn first<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    if headers.len() > FEW {
        return headers.get(name);
    }
    lines(headers, name).next()
}

/// Returns the value of the header with that name. Returns `None` if the header has no line, or more than one.
#[inline]
pub fn single_value<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h HeaderValue> {
    at_most_one(headers, name).flatten()
}

/// Returns the value of the header with that name, if the header has exactly one line. Returns `Some(None)` if the
/// header has no line, and `None` if the header has several lines.
#[inline]
pub fn at_most_one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<Option<&'h HeaderValue>> {
    let (first, second) = if headers.len() > FEW {
        let mut values = headers.get_all(name).iter();
        (values.next(), values.next())
    } else {
        let mut values = lines(headers, name);
        (values.next(), values.next())
    };
    if second.is_some() { None } else { Some(first) }
}

/// Returns true if a CGI-like service confuses two names of headers (RFC 3875 §4.1.18). CGI ignores letter case, and
/// reads every character except letters and digits as `_`.
///
/// ```
/// use error_envelope_core::session::is_same_to_cgi;
///
/// assert!(is_same_to_cgi("x.consumer_id", "X-Consumer-Id"));
/// assert!(!is_same_to_cgi("x-consumer", "x-consumer-id"));
/// ```
#[must_use]
pub fn is_same_to_cgi(name: &str, other: &str) -> bool {
    let folded = |byte: u8| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'_' };
    name.len() == other.len() && name.bytes().map(folded).eq(other.bytes().map(folded))
}

/// Returns the value of the header with that name. The flag is true if a service may confuse another line with this
/// header. Such a line has the same name, or a name that is [the same to CGI](is_same_to_cgi).
pub fn with_rivals<'h>(headers: &'h HeaderMap, name: &HeaderName) -> (Option<&'h HeaderValue>, bool) {
    let (name, mut value, mut has_rival) = (name.as_str(), None, false);
    // Comparing lengths first is cheaper than hashing the name.
    for (other, line) in headers {
        let other = other.as_str();
        if other.len() != name.len() {
            continue;
        }
        if value.is_none() && other == name {
            value = Some(line);
        } else {
            has_rival |= is_same_to_cgi(other, name);
        }
    }
    (value, has_rival)
}

/// The lengths of some names. Most names outside of this set have another length.
#[derive(Clone, Copy, Debug)]
pub struct Lengths(u32);

impl Lengths {
    /// # Panics
    ///
    /// Panics if a name has more than 31 bytes.
    pub const fn from_names(names: &[&str]) -> Self {
        let (mut lengths, mut at) = (0, 0);
        while at < names.len() {
            assert!(names[at].len() < 32, "a bit for each length");
            lengths |= 1 << names[at].len();
            at += 1;
        }
        Self(lengths)
    }

    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns false if no name of the set has this length. The check is quick, because lengths are compared modulo 32.
    #[inline]
    pub const fn may_have(self, length: usize) -> bool {
        self.0 >> (length % 32) & 1 == 1
    }
}

/// Returns true if the headers contain a header with that name.
#[inline]
pub fn has(headers: &HeaderMap, name: &HeaderName) -> bool {
    if headers.keys_len() > FEW { headers.contains_key(name) } else { headers.keys().any(|it| it == name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_fields_are_found_alike() {
        let mut headers = HeaderMap::new();
        for at in 0..2 * FEW {
            let name = HeaderName::try_from(format!("x-{at}")).unwrap();
            headers.append(name.clone(), HeaderValue::from(at));
            headers.append(name.clone(), HeaderValue::from(at + 100));
            assert_eq!(first(&headers, &name), Some(&HeaderValue::from(at)));
            assert!(!has(&headers, &HeaderName::from_static("x-none")));
            assert_eq!(at_most_one(&headers, &name), None);
            assert_eq!(at_most_one(&headers, &HeaderName::from_static("x-none")), Some(None));
            let alone = HeaderName::try_from(format!("x-alone-{at}")).unwrap();
            headers.insert(alone.clone(), HeaderValue::from(at));
            assert_eq!(at_most_one(&headers, &alone), Some(Some(&HeaderValue::from(at))));
            headers.remove(&alone);
        }
    }
}
