//! The service's response.

use bytes::Bytes;
use error_envelope_core::session::BodyFacts;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::call::{self, Protocol};
use crate::choices::Choices;

pub(crate) struct Inner {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<Bytes>,
    /// True if its length is declared.
    pub(crate) has_length: bool,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Whole,
    Failed,
    Panicked,
    TimedOut,
    Abandoned,
}

const TYPES: [&str; 10] = [
    "application/grpc",
    "application/grpc+proto",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/connect+json",
    "application/json",
    "text/html",
    "text/plain",
    "application/problem+json",
    "",
];
const NAMES: [&str; 10] = [
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "retry-after",
    "x-error-code",
    "x-request-id",
    "content-encoding",
    "www-authenticate",
    "cache-control",
    "access-control-allow-origin",
];
const STATUSES: [u16; 12] = [200, 404, 503, 500, 400, 401, 429, 304, 101, 100, 600, 204];

impl Inner {
    pub(crate) fn chosen(choices: &mut Choices<'_>, protocol: Protocol) -> Self {
        let status = StatusCode::from_u16(choices.one_of(&STATUSES)).expect("a status");
        let mut headers = fields(choices);
        if let Ok(media_type) = HeaderValue::from_str(choices.one_of(&TYPES)) {
            headers.insert("content-type", media_type);
        }
        let body = call::body(choices, protocol);
        let has_length = choices.yes();
        if has_length {
            headers.insert("content-length", HeaderValue::from(body.iter().map(Bytes::len).sum::<usize>()));
        }
        let trailers = choices.yes().then(|| fields(choices));
        let end = choices.one_of(&[End::Whole, End::Failed, End::Panicked, End::TimedOut, End::Abandoned]);
        Self { status, headers, body, has_length, trailers, end }
    }

    pub(crate) fn head(&self) -> Parts {
        let (mut head, ()) = Response::new(()).into_parts();
        (head.status, head.headers) = (self.status, self.headers.clone());
        head
    }

    pub(crate) fn facts(&self) -> BodyFacts {
        let length = self.whole().len() as u64;
        let (lower, upper) = if self.has_length { (length, Some(length)) } else { (0, None) };
        BodyFacts { ended: self.body.is_empty() && self.trailers.is_none(), lower, upper }
    }

    /// Returns true if this is gRPC-Web in base64.
    pub(crate) fn is_text(&self) -> bool {
        self.headers["content-type"].as_bytes().starts_with(b"application/grpc-web-text")
    }

    pub(crate) fn whole(&self) -> Vec<u8> {
        self.body.concat()
    }
}

/// Returns some of the headers that have a meaning here, with any value.
fn fields(choices: &mut Choices<'_>) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for _ in 0..choices.below(4) {
        let name = HeaderName::from_static(choices.one_of(&NAMES));
        if let Ok(value) = HeaderValue::from_bytes(choices.bytes()) {
            fields.append(name, value);
        }
    }
    fields
}
