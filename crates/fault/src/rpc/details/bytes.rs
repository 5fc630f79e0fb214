//! Reads and writes google.rpc.Status as bytes, with prost. The fields have the numbers of Google's protos.

use std::time::Duration;

use prost::Message;

use super::{
    BAD_REQUEST, ERROR_INFO, MAX_SECONDS, PackedDetail, REQUEST_INFO, RETRY_INFO, RpcDetails, RpcError, TYPE_URL,
    Violation, issue_code, metadata_of,
};
use crate::rpc::status;
use error_envelope_text::issues::{self, written};

#[derive(Clone, PartialEq, Message)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Any {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ErrorInfo {
    #[prost(string, tag = "1")]
    pub(super) reason: String,
    #[prost(string, tag = "2")]
    pub(super) domain: String,
    // The entries of a map, in their order.
    #[prost(message, repeated, tag = "3")]
    pub(super) metadata: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Entry {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RequestInfo {
    #[prost(string, tag = "1")]
    pub(super) request_id: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(super) retry_delay: Option<Delay>,
}

/// A google.protobuf.Duration.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Delay {
    #[prost(int64, tag = "1")]
    pub(super) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(super) nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<Violation>,
}

impl RpcDetails {
    /// Parses the bytes. Returns `None` if the bytes are not a google.rpc.Status. Details that are unknown or cannot be
    /// read are skipped.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let Status { code, message, details } = Status::decode(bytes).ok().filter(|_| !bytes.is_empty())?;
        let mut rich = Self::new(u8::try_from(code).map_or(status::Status::UNKNOWN, status::Status::new), message);
        details.iter().for_each(|any| rich.add(&any.type_url, &any.value));
        Some(rich)
    }

    /// Adds a detail by the name of its type, after any prefix. The first `ErrorInfo` is used, because a service that
    /// passes on the error of another service puts its own `ErrorInfo` first.
    pub fn add(&mut self, type_url: &str, value: &[u8]) {
        match type_url.rsplit('/').next().unwrap_or_default() {
            ERROR_INFO if self.reason.is_empty() => {
                let ErrorInfo { reason, domain, metadata } = ErrorInfo::decode(value).unwrap_or_default();
                (self.reason, self.domain) = (reason, domain);
                self.metadata = metadata.into_iter().map(|Entry { key, value }| (key, value)).collect();
            }
            REQUEST_INFO => self.request_id = RequestInfo::decode(value).unwrap_or_default().request_id,
            RETRY_INFO => {
                self.retry_delay = RetryInfo::decode(value).unwrap_or_default().retry_delay.and_then(Delay::read);
            }
            BAD_REQUEST => {
                self.violations.extend(BadRequest::decode(value).unwrap_or_default().field_violations);
            }
            _ => {}
        }
    }
}

impl Delay {
    /// Returns the delay, or `None` if it is negative.
    fn read(self) -> Option<Duration> {
        let nanos = u32::try_from(self.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        Some(Duration::new(u64::try_from(self.seconds).ok()?, nanos))
    }
}

impl RpcError<'_> {
    /// Returns the google.rpc.Status, in at most `max` bytes. The result is empty if even the details without metadata
    /// and violations do not fit.
    ///
    /// The code and the message are the same as `grpc-status` and `grpc-message`, and are never cut. Python's
    /// grpc_status raises an error if the values differ.
    pub fn to_bytes(self, max: usize) -> Vec<u8> {
        let code = self.status.number().into();
        let mut status = Status { code, message: self.message.to_owned(), details: Vec::new() };
        let details = max.checked_sub(status.encoded_len()).and_then(|room| self.details(room));
        let Some(details) = details else { return Vec::new() };
        let with_url = |it: PackedDetail| Any { type_url: format!("{TYPE_URL}{}", it.name), value: it.value };
        status.details = details.into_iter().map(with_url).collect();
        status.encode_to_vec()
    }

    /// Returns the details, which may take at most `room` bytes in a google.rpc.Status, or `None` if they do not fit.
    pub fn details(self, room: usize) -> Option<Vec<PackedDetail>> {
        let (reason, domain) = (self.code.to_ascii_uppercase(), self.domain.to_owned());
        let mut info = ErrorInfo { reason, domain, metadata: Vec::new() };
        let others: Vec<_> = [self.request_info(), self.retry_info()].into_iter().flatten().collect();
        let fixed = max_framed_len(ERROR_INFO, info.encoded_len())
            + others.iter().map(|it| max_framed_len(it.name, it.value.len())).sum::<usize>();
        let mut room = room.checked_sub(fixed)?;
        let (metadata, violations) = self.variable();
        // If there are many violations, the metadata leave half of the room for them.
        let wanted = violations.iter().map(field_len).sum();
        let wanted = if violations.is_empty() { 0 } else { max_framed_len(BAD_REQUEST, wanted) };
        let mut share = room - wanted.min(room / 2);
        room -= share;
        info.metadata = messages_that_fit(metadata, &mut share);
        let list = bad_request(violations, room + share);
        Some([PackedDetail::pack(ERROR_INFO, &info)].into_iter().chain(others).chain(list).collect())
    }

    fn request_info(self) -> Option<PackedDetail> {
        let request_id = self.request_id?.to_owned();
        Some(PackedDetail::pack(REQUEST_INFO, &RequestInfo { request_id }))
    }

    fn retry_info(self) -> Option<PackedDetail> {
        let delay = self.retry_after?.min(Duration::from_secs(MAX_SECONDS));
        let delay = Delay { seconds: delay.as_secs() as i64, nanos: delay.subsec_nanos() as i32 };
        Some(PackedDetail::pack(RETRY_INFO, &RetryInfo { retry_delay: Some(delay) }))
    }

    /// Returns the parts of the error's details that may be left out: the metadata, and the violations of the issue
    /// list.
    fn variable(self) -> (Vec<Entry>, Vec<Violation>) {
        let Some(details) = self.details.filter(|details| details.trim() != "null") else { return Default::default() };
        let metadata = metadata_of(details).into_iter().map(|(key, value)| Entry { key, value }).collect();
        // A list that only repeats the message adds nothing (E8).
        let adds_issues = issues::are_in(details) && !written::only_repeats_message(details, self.message);
        (metadata, if adds_issues { violations_in(details) } else { Vec::new() })
    }
}

fn bad_request(violations: Vec<Violation>, room: usize) -> Option<PackedDetail> {
    let mut room = room.checked_sub(max_framed_len(BAD_REQUEST, 0))?;
    let field_violations = messages_that_fit(violations, &mut room);
    (!field_violations.is_empty()).then(|| PackedDetail::pack(BAD_REQUEST, &BadRequest { field_violations }))
}

/// Returns the issues as violations. The reason of a violation is the issue's code in capitals, if that is a valid
/// reason: `[A-Z][A-Z0-9_]{0,62}`.
fn violations_in(details: &str) -> Vec<Violation> {
    let violation = |issue: written::NamedIssue<'_>| Violation {
        reason: issue.code.and_then(|code| issue_code(&code)).unwrap_or_default().to_ascii_uppercase(),
        field: issue.parameter.to_string(),
        description: issue.message.to_string(),
    };
    written::by_parameter(details).into_iter().map(violation).collect()
}

/// Returns as many of the messages as fit into a repeated field, in order.
fn messages_that_fit<M: Message>(mut messages: Vec<M>, room: &mut usize) -> Vec<M> {
    messages.retain(|message| {
        let left = room.checked_sub(field_len(message));
        *room = left.unwrap_or(*room);
        left.is_some()
    });
    messages
}

/// Returns the length that a message has as a field of another message. The number of the field must be below 16.
fn field_len(message: &impl Message) -> usize {
    let length = message.encoded_len();
    1 + prost::length_delimiter_len(length) + length
}

/// Returns the most bytes that a detail takes in a google.rpc.Status. This number includes the tags and lengths around
/// the detail and around its name.
fn max_framed_len(name: &str, length: usize) -> usize {
    const LENGTH: usize = 5;

    (1 + LENGTH) + (2 + TYPE_URL.len() + name.len()) + (1 + LENGTH) + length
}

impl PackedDetail {
    fn pack(name: &'static str, message: &impl Message) -> Self {
        Self { name, value: message.encode_to_vec() }
    }
}
