//! The service's response, in which every byte of the body is marked.

use bytes::Bytes;
use error_envelope_core::session::BodyFacts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, request, response};

use crate::choices::Choices;

const STATUSES: [u16; 13] = [200, 200, 200, 404, 500, 400, 503, 429, 204, 304, 101, 100, 600];
const TYPES: [&str; 11] = [
    "text/html",
    "application/octet-stream",
    "application/json",
    "text/plain",
    "text/event-stream",
    "application/problem+json",
    "application/grpc",
    "application/grpc-web+proto",
    "application/grpc-web-text",
    "application/connect+json",
    "application/connect+proto",
];
/// The first two are no errors that the layer can read.
const PIECES: [&[u8]; 11] = [
    b"<html>s3cret",
    b"s3cret\0",
    b"{\"detail\":\"s3cret\"}",
    b"{\"code\":\"internal\",\"message\":\"s3cret\"}",
    b"s3cret",
    b"data: s3cret\n\n",
    b"\0\0\0\0\x06s3cret",
    b"\x80\0\0\0\x25grpc-status:13\r\ngrpc-message:s3cret\r\n",
    b"gAAAACVncnBjLXN0YXR1czoxMw0KZ3JwYy1tZXNzYWdlOnMzY3JldA0K",
    b"\x02\0\0\0\x30{\"error\":{\"code\":\"internal\",\"message\":\"s3cret\"}}",
    b"",
];
const SECRETS: [&[u8]; 2] = [b"s3cret", b"nMzY3JldA"];

/// The text of each failure, which only the log may contain.
pub(super) const CAUSE: &str = "a cause with a s3cret";

/// Makes a response, which may have the type of the request.
pub(super) fn head(choices: &mut Choices<'_>, request: &request::Parts) -> response::Parts {
    let mut head = Response::new(()).into_parts().0;
    head.status = StatusCode::from_u16(choices.one_of(&STATUSES)).expect("a status");
    let media_type = match request.headers.get("content-type") {
        Some(same) if choices.below(4) > 0 => same.clone(),
        None if choices.yes() => HeaderValue::from_static("text/event-stream"),
        _ => HeaderValue::from_static(choices.one_of(&TYPES)),
    };
    head.headers.insert("content-type", media_type);
    if choices.below(8) == 7 {
        head.headers.insert("grpc-status", HeaderValue::from_static("13"));
    }
    head
}

pub(super) fn facts(choices: &mut Choices<'_>) -> BodyFacts {
    match choices.below(6) {
        0 => BodyFacts { ended: true, lower: 0, upper: Some(0) },
        1 => BodyFacts { ended: false, lower: 12, upper: Some(12) },
        2 => BodyFacts { ended: false, lower: 1 << 30, upper: None },
        _ => BodyFacts::default(),
    }
}

pub(super) fn piece(choices: &mut Choices<'_>) -> Bytes {
    Bytes::from_static(choices.one_of(&PIECES))
}

pub(super) fn trailers(choices: &mut Choices<'_>) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(choices.one_of(&["13", "0"])));
    trailers.insert("grpc-message", HeaderValue::from_static("s3cret"));
    trailers
}

pub(super) fn is_error(head: &response::Parts) -> bool {
    head.status.is_client_error() || head.status.is_server_error()
}

/// Returns true if the response is an error that cannot be read, as far as its type shows.
pub(super) fn is_opaque_error(head: &response::Parts) -> bool {
    is_error(head) && TYPES[..2].iter().any(|opaque| head.headers["content-type"] == opaque)
}

/// Returns true if a body with this beginning has no text either.
pub(super) fn begins_opaquely(read: &[u8]) -> bool {
    PIECES[..2].iter().any(|opaque| read.starts_with(opaque))
}

pub(super) fn is_secret_in(bytes: &[u8]) -> bool {
    SECRETS.iter().any(|secret| bytes.windows(secret.len()).any(|part| part == *secret))
}
