//! Reads an error as clients do: tonic from a head or from trailers, and Connect from JSON. It also reads the messages
//! of a body.

use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine};
use http::HeaderMap;
use prost::Message;
use serde_json::Value;
use tonic_types::StatusExt;
use tonic_types::pb::{ErrorInfo, RequestInfo};

use crate::call::ID;

const CONNECT: [&str; 16] = [
    "canceled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// Checks a complete status of the layer.
pub(crate) fn grpc(fields: &HeaderMap) {
    let status = tonic::Status::from_header_map(fields).expect("a status");
    assert!((1..=16).contains(&i32::from(status.code())), "{status:?}");
    let packed = tonic_types::Status::decode(status.details()).expect("google.rpc.Status");
    assert_eq!((packed.code, &*packed.message), (i32::from(status.code()), status.message()));
    let details = status.check_error_details().expect("google.rpc's details");
    let code = fields["x-error-code"].to_str().expect("a code");
    assert_eq!(details.error_info().expect("an ErrorInfo").reason, code.to_ascii_uppercase());
    assert_eq!(details.request_info().expect("a RequestInfo").request_id, ID);
    let length = ["grpc-message", "grpc-status-details-bin"].map(|name| fields[name].len()).iter().sum::<usize>();
    assert!(length <= 6 * 1024, "{length} bytes");
}

/// Checks Connect's unary error.
pub(crate) fn connect(body: &[u8]) {
    error(&serde_json::from_slice(body).expect("JSON"));
}

/// Checks Connect's end of a stream.
pub(crate) fn end_stream(payload: &[u8]) {
    let message: Value = serde_json::from_slice(payload).expect("JSON");
    error(&message["error"]);
}

fn error(error: &Value) {
    let code = error["code"].as_str().expect("a code");
    assert!(CONNECT.contains(&code) && error["message"].is_string(), "{error}");
    let detail = |at: usize| {
        let value = error["details"][at]["value"].as_str().expect("a detail");
        BASE64_STANDARD_NO_PAD.decode(value).expect("base64")
    };
    assert!(!ErrorInfo::decode(&*detail(0)).expect("an ErrorInfo").reason.is_empty());
    assert_eq!(RequestInfo::decode(&*detail(1)).expect("a RequestInfo").request_id, ID);
}

/// Checks gRPC-Web's trailers.
pub(crate) fn trailers(payload: &[u8]) {
    let lines = std::str::from_utf8(payload).expect("ASCII").split_terminator("\r\n");
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(": ").expect("a field");
        (name.parse().expect("a name"), value.parse().expect("a value"))
    });
    grpc(&fields.collect());
}

/// Returns the messages of a body, or `None` if it does not consist of messages, or ends within one.
pub(crate) fn messages(body: &[u8], is_text: bool) -> Option<Vec<(u8, Vec<u8>)>> {
    let decoded = |quantum: &[u8]| BASE64_STANDARD.decode(quantum).ok();
    let body = if is_text { body.chunks(4).map(decoded).collect::<Option<Vec<_>>>()?.concat() } else { body.to_vec() };
    let (mut rest, mut messages) = (&*body, Vec::new());
    while !rest.is_empty() {
        let (prefix, after) = rest.split_first_chunk::<5>()?;
        let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
        messages.push((prefix[0], after.get(..length)?.to_vec()));
        rest = &after[length..];
    }
    Some(messages)
}
