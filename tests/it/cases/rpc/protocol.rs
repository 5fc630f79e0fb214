//! The protocols of requests (P1–P3), and both names of each code.

use super::super::format::{Case, Version};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Protocol {
    Grpc,
    Web,
    Unary,
    Stream,
}

/// gRPC's codes in the order of their numbers, with Connect's name and Connect's HTTP status of each.
const CODES: [(&str, u16); 17] = [
    ("ok", 200),
    ("canceled", 499),
    ("unknown", 500),
    ("invalid_argument", 400),
    ("deadline_exceeded", 504),
    ("not_found", 404),
    ("already_exists", 409),
    ("permission_denied", 403),
    ("resource_exhausted", 429),
    ("failed_precondition", 400),
    ("aborted", 409),
    ("out_of_range", 400),
    ("unimplemented", 501),
    ("internal", 500),
    ("unavailable", 503),
    ("data_loss", 500),
    ("unauthenticated", 401),
];

impl Protocol {
    /// Returns the protocol that the request's head names, or `None`.
    pub(in super::super) fn from_case(case: &Case) -> Option<Self> {
        let request = &case.request;
        let value = |name: &str| {
            let mut lines = request.headers.iter().filter(|(have, _)| have.eq_ignore_ascii_case(name));
            lines.next().map(|(_, value)| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
        };
        let media_type = value("content-type").unwrap_or_default();
        let suffixed =
            |base: &str| media_type.strip_prefix(base).is_some_and(|rest| matches!(rest.as_bytes(), [] | [b'+', ..]));
        let queried = request.method() == "GET"
            && request
                .path()
                .split_once('?')
                .is_some_and(|(_, query)| query.split('&').any(|pair| pair == "connect=v1"));
        if suffixed("application/grpc") {
            Some(Self::Grpc)
        } else if suffixed("application/grpc-web") || suffixed("application/grpc-web-text") {
            Some(Self::Web)
        } else if media_type.starts_with("application/connect+") {
            Some(Self::Stream)
        } else if queried || value("connect-protocol-version").as_deref() == Some("1") {
            Some(Self::Unary)
        } else {
            None
        }
    }
}

/// Returns the name of a `grpc-status`, which is a decimal number without a sign or leading zeros.
pub(super) fn name_of(number: &str) -> Option<&'static str> {
    let plain = number == "0" || !number.starts_with(['0', '+']);
    let index = number.parse::<usize>().ok().filter(|_| plain)?;
    CODES.get(index).map(|(name, _)| *name)
}

/// Returns the HTTP status of a Connect error, or `None` if Connect has no such code or the code is no error.
pub(super) fn http_status_of(name: &str) -> Option<u16> {
    CODES[1..].iter().find(|(have, _)| *have == name).map(|(_, status)| *status)
}

/// Returns true if the client uses HTTP/2, which frames bodies itself.
pub(super) fn is_http2(case: &Case, over_http2: bool) -> bool {
    over_http2 || case.request.version == Some(Version::Http2)
}
