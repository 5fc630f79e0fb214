//! The types google.rpc.Status and google.rpc.error_details, with which gRPC and Connect report more than a status.
//!
//! 1. `ErrorInfo`: the code in capitals as the reason, its domain, and the fields of the details as metadata.
//! 2. `RequestInfo`: the request id.
//! 3. `RetryInfo`: the time to wait, if there is a `retry-after`.
//! 4. `BadRequest`: the issue list (E8), field by field.
//!
//! The length of the details is limited, because gRPC sends all of them in one header. Metadata and violations that do
//! not fit are left out.
//!
//! Without the feature `protobuf`, no details are written as bytes. Of the bytes of other services, only the id is read
//! (E7). Google's dialect writes the same messages as JSON (R2), which needs no feature.

#[cfg(not(feature = "protobuf"))]
mod absent;
#[cfg(feature = "protobuf")]
mod bytes;

use std::borrow::Cow;
use std::time::Duration;

use serde_json::value::RawValue;

use super::status::Status;
use crate::details::compose;
use error_envelope_text::issues;
use error_envelope_text::issues::written::{self, NamedIssue};
use error_envelope_text::json::{self, Object, Writer};

pub const ERROR_INFO: &str = "google.rpc.ErrorInfo";
pub const REQUEST_INFO: &str = "google.rpc.RequestInfo";
pub const RETRY_INFO: &str = "google.rpc.RetryInfo";
pub const BAD_REQUEST: &str = "google.rpc.BadRequest";

/// The prefix that the name of a message has in an `Any`.
pub const TYPE_URL: &str = "type.googleapis.com/";

/// The domain of reasons. The policy can set another domain.
pub const DOMAIN: &str = "tower-error-envelope";

/// The longest `google.protobuf.Duration`, in seconds: 10,000 years.
pub const MAX_SECONDS: u64 = 315_576_000_000;

/// The most bytes of `grpc-status-details-bin`, and of this header together with `grpc-message`. Clients accept 8 KiB
/// of headers by default, and near that limit grpcio refuses responses at random.
pub const MAX_DETAILS: usize = 4 * 1024;
pub const MAX_TOGETHER: usize = 6 * 1024;

/// Returns the number of bytes of details, before base64, that may be sent with an encoded message of this length.
pub fn room_beside(message: usize) -> usize {
    MAX_DETAILS.min(MAX_TOGETHER.saturating_sub(message)) / 4 * 3
}

/// Returns the bytes of a `google.rpc.RequestInfo` with this id. The id is the first field of the message, and its
/// length fits into one byte.
pub fn request_info(id: &str) -> Option<Vec<u8>> {
    const REQUEST_ID: u8 = 1 << 3 | 2;

    let length = u8::try_from(id.len()).ok().filter(|length| *length < 0x80)?;
    Some([&[REQUEST_ID, length], id.as_bytes()].concat())
}

/// Returns the details with another id of the same length in their `RequestInfo`. Returns `None` if the old id is not
/// in the details.
pub fn with_other_id(details: &[u8], theirs: &str, ours: &str) -> Option<Vec<u8>> {
    replaced(details, &request_info(theirs)?, &request_info(ours)?)
}

/// Returns the text with the first occurrence of `piece` replaced by a text of the same length.
pub fn replaced(text: &[u8], piece: &[u8], by: &[u8]) -> Option<Vec<u8>> {
    let at = text.windows(piece.len()).position(|window| window == piece).filter(|_| piece.len() == by.len())?;
    let mut text = text.to_vec();
    text[at..at + by.len()].copy_from_slice(by);
    Some(text)
}

/// Everything that an RPC protocol may report about an error.
#[derive(Clone, Copy)]
pub struct RpcError<'a> {
    pub status: Status,
    /// The canonical code.
    pub code: &'a str,
    /// The message: one printable line of limited length (E2).
    pub message: &'a str,
    /// The details as JSON text.
    pub details: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub domain: &'a str,
    pub retry_after: Option<Duration>,
}

/// One message of the details, written as bytes.
pub struct PackedDetail {
    /// The name of the message's type, such as `google.rpc.ErrorInfo`.
    pub name: &'static str,
    pub value: Vec<u8>,
}

/// The status, the message and the details of an error from any service. If a text is missing, its field is empty.
#[derive(Clone, Debug, Default, PartialEq)]
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

/// A field of the request that is wrong, and the reason.
#[derive(Clone, PartialEq)]
#[cfg_attr(feature = "protobuf", derive(prost::Message))]
#[cfg_attr(not(feature = "protobuf"), derive(Debug, Default))]
pub struct Violation {
    #[cfg_attr(feature = "protobuf", prost(string, tag = "1"))]
    pub field: String,
    #[cfg_attr(feature = "protobuf", prost(string, tag = "2"))]
    pub description: String,
    #[cfg_attr(feature = "protobuf", prost(string, tag = "3"))]
    pub reason: String,
}

impl RpcDetails {
    pub fn new(status: Status, message: String) -> Self {
        Self { status, message, ..Self::default() }
    }

    /// Returns the details for a client. The metadata become fields with texts, and the violations become an issue list.
    /// An unknown code is added (E9).
    pub fn to_json(&self, unknown_code: Option<&str>) -> Option<Box<RawValue>> {
        let metadata = self.metadata.iter().fold(Writer::new(128), |json, (name, text)| json.text(name, text));
        let metadata = (!metadata.is_empty()).then(|| Cow::Owned(metadata.into_string()));
        let issues = written::list_of_issues(self.violations.iter().map(|it| NamedIssue {
            parameter: it.field.clone(),
            message: Cow::Borrowed(&it.description),
            code: issue_code(&it.reason).map(Cow::Owned),
        }));
        compose(metadata, &[], issues.as_deref(), unknown_code)
    }
}

/// Returns the code of an issue that was written as the reason of a violation.
pub fn issue_code(reason: &str) -> Option<String> {
    let code = reason.to_ascii_lowercase();
    crate::code::is_well_formed(code.as_bytes()).then_some(code)
}

/// Returns the fields of the details, without the issue list, as texts with their names.
pub fn metadata_of(details: &str) -> Vec<(String, String)> {
    let Some(object) = Object::parse(details) else {
        let text = serde_json::from_str(details).map_or(Cow::Borrowed(details), text_of);
        return vec![("details".to_owned(), text.into_owned())];
    };
    let listed = issues::are_in(details);
    let others = object.members().filter(|(name, _)| !(listed && *name == "issues"));
    others.map(|(name, value)| (name.to_owned(), text_of(value).into_owned())).collect()
}

/// Returns the text of a value. The text is the content of a valid string, or otherwise the JSON as received.
fn text_of(value: &RawValue) -> Cow<'_, str> {
    json::exact(value).unwrap_or(Cow::Borrowed(value.get()))
}

#[cfg(test)]
mod tests;
