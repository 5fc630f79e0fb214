//! A request's method for the log and metrics. Clients may send any token, but a label must have few values.

use http::Method;

/// A method of RFC 9110, or PATCH (RFC 5789). All others count as `other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KnownMethod(u8);

/// The last name is for all methods without one of their own.
const NAMES: [&str; KnownMethod::COUNT] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "other"];

impl KnownMethod {
    /// The number of methods, including `other`.
    pub const COUNT: usize = 10;

    /// Any other method.
    pub const OTHER: Self = Self(Self::COUNT as u8 - 1);

    /// The number of the method, from 0, for use as an index into counters.
    #[must_use]
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The word in the log and in the metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAMES[self.index()]
    }
}

impl From<&Method> for KnownMethod {
    #[inline]
    fn from(method: &Method) -> Self {
        match *method {
            Method::GET => Self(0),
            Method::HEAD => Self(1),
            Method::POST => Self(2),
            Method::PUT => Self(3),
            Method::DELETE => Self(4),
            Method::CONNECT => Self(5),
            Method::OPTIONS => Self(6),
            Method::TRACE => Self(7),
            Method::PATCH => Self(8),
            _ => Self::OTHER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l2_a_method_is_itself_where_it_is_known_and_other_where_not() {
        for name in NAMES {
            let method = Method::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(KnownMethod::from(&method).as_str(), name);
        }
        for unknown in ["get", "PROPFIND", "QUERY", "X"] {
            assert_eq!(KnownMethod::from(&Method::from_bytes(unknown.as_bytes()).unwrap()), KnownMethod::OTHER);
        }
    }
}
