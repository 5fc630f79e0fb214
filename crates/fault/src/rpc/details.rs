//! google.rpc.Status and the details of google.rpc.error_details, in which gRPC and Connect report more than a status.
//!
//! 1. `ErrorInfo`: the code in capitals as the reason, its domain, and the contents of the details as metadata.
//! 2. `RequestInfo`: the request id.
//! 3. `RetryInfo`: how long to wait, where there is a `retry-after`.
//! 4. `BadRequest`: the issue list (E8), field by field.
//!
//! The length is bounded, since gRPC has all of it in one header: metadata and violations are written as far as they
//! fit.
//!
//! Without the feature `protobuf` none of it is written in bytes, and only the id is read from others' bytes (E7). In
//! JSON the same messages are a dialect (R2), which needs no feature.

#[cfg(not(feature = "protobuf"))]
mod absent;
#[cfg(feature = "protobuf")]
mod read;
#[cfg(feature = "protobuf")]
mod wire;
#[cfg(feature = "protobuf")]
mod write;

use std::borrow::Cow;
use std::time::Duration;

use serde_json::value::RawValue;

use super::status::Status;
use crate::issues;
use crate::json::{self, Object};

pub const ERROR_INFO: &str = "google.rpc.ErrorInfo";
pub const REQUEST_INFO: &str = "google.rpc.RequestInfo";
pub const RETRY_INFO: &str = "google.rpc.RetryInfo";
pub const BAD_REQUEST: &str = "google.rpc.BadRequest";

/// The prefix of a message's name in an `Any`.
pub const TYPE_URL: &str = "type.googleapis.com/";

/// The domain of the reasons, unless the policy sets another.
pub const DOMAIN: &str = "tower-error-envelope";

/// The longest `google.protobuf.Duration`, in seconds: 10,000 years.
pub const MAX_SECONDS: u64 = 315_576_000_000;

/// The most bytes of `grpc-status-details-bin`, also together with `grpc-message`. By default clients accept 8 KiB
/// of headers, and near that grpcio refuses responses at random.
pub const MAX_DETAILS: usize = 4 * 1024;
pub const MAX_TOGETHER: usize = 6 * 1024;

/// The bytes of details, before base64, that fit next to an encoded message of this length.
pub fn room_beside(message: usize) -> usize {
    MAX_DETAILS.min(MAX_TOGETHER.saturating_sub(message)) / 4 * 3
}

/// The bytes of a `google.rpc.RequestInfo` with this id, which is its first field. Its length fits into one byte.
pub fn request_info(id: &str) -> Option<Vec<u8>> {
    const REQUEST_ID: u8 = 1 << 3 | 2;

    let length = u8::try_from(id.len()).ok().filter(|length| *length < 0x80)?;
    Some([&[REQUEST_ID, length], id.as_bytes()].concat())
}

/// Details whose `RequestInfo` has another id, of the same length; `None` if the old id is not there.
pub fn readdressed(details: &[u8], theirs: &str, ours: &str) -> Option<Vec<u8>> {
    replaced(details, &request_info(theirs)?, &request_info(ours)?)
}

/// The text with the first occurrence of a piece replaced by another of the same length.
pub fn replaced(text: &[u8], piece: &[u8], by: &[u8]) -> Option<Vec<u8>> {
    let at = text.windows(piece.len()).position(|window| window == piece).filter(|_| piece.len() == by.len())?;
    let mut text = text.to_vec();
    text[at..at + by.len()].copy_from_slice(by);
    Some(text)
}

/// All parts of an error in an RPC protocol.
#[derive(Clone, Copy)]
pub struct RpcError<'a> {
    pub status: Status,
    /// The canonical code, in the form of E2.
    pub code: &'a str,
    /// The message, in the form of E2.
    pub message: &'a str,
    /// JSON text.
    pub details: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub domain: &'a str,
    pub retry_after: Option<Duration>,
}

/// A message of the error details.
pub struct PackedDetail {
    /// The name of its type, such as `google.rpc.ErrorInfo`.
    pub name: &'static str,
    pub value: Vec<u8>,
}

/// The details of any service's error, with its status and message. A missing text is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct RpcDetails {
    pub status: Status,
    pub message: String,
    pub reason: String,
    pub domain: String,
    pub metadata: Vec<(String, String)>,
    pub request_id: String,
    pub retry_delay: Option<Duration>,
    pub violations: Vec<Violation>,
}

/// A field that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    pub field: String,
    pub description: String,
    pub reason: String,
}

impl RpcDetails {
    pub fn new(status: Status, message: String) -> Self {
        Self {
            status,
            message,
            reason: String::new(),
            domain: String::new(),
            metadata: Vec::new(),
            request_id: String::new(),
            retry_delay: None,
            violations: Vec::new(),
        }
    }
}

/// The code of an issue, from the reason of its violation.
pub fn issue_code(reason: &str) -> Option<String> {
    let code = reason.to_ascii_lowercase();
    crate::code::is_well_formed(code.as_bytes()).then_some(code)
}

/// The contents of details without their issue list: a text for each name.
pub fn metadata_of(details: &str) -> Vec<(String, String)> {
    let Some(object) = Object::parse(details) else {
        let text = serde_json::from_str(details).map_or(Cow::Borrowed(details), text_of);
        return vec![("details".to_owned(), text.into_owned())];
    };
    let listed = issues::are_in(details);
    let others = object.members().filter(|(name, _)| !(listed && *name == "issues"));
    others.map(|(name, value)| (name.to_owned(), text_of(value).into_owned())).collect()
}

/// A string's text; any other value, or a string that is no text, as the JSON that came.
fn text_of(value: &RawValue) -> Cow<'_, str> {
    json::exact(value).unwrap_or(Cow::Borrowed(value.get()))
}

#[cfg(test)]
mod tests;
