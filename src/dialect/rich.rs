//! google.rpc.Status and the details of google.rpc.error_details, in which gRPC and Connect say more than a status.
//!
//! 1. `ErrorInfo`: the code in capitals as the reason, the domain that it is of, and what the details say as metadata.
//! 2. `RequestInfo`: the request id.
//! 3. `RetryInfo`: how long to wait, where there is a `retry-after`.
//! 4. `BadRequest`: the issue list (E8), field by field.
//!
//! The length is bounded, since gRPC has all of it in one header: of metadata and violations there is what fits.

mod read;
mod wire;

use std::borrow::Cow;
use std::time::Duration;

use prost::{Message, length_delimiter_len};
use serde_json::value::RawValue;

#[cfg_attr(not(feature = "tonic"), allow(unused_imports, reason = "the feature tonic alone names violations"))]
pub(crate) use self::read::{Rich, Violation, read};
pub(super) use self::wire::{BAD_REQUEST, ERROR_INFO, REQUEST_INFO, RETRY_INFO, TYPE_URL};
use super::issues::{self, written};
use super::json::{self, Object};
use super::status::Status;

/// The domain of the reasons unless the policy names another.
pub(crate) const DOMAIN: &str = "tower-error-envelope";

/// The longest `google.protobuf.Duration`, in seconds: 10,000 years.
pub(crate) const MAX_SECONDS: u64 = 315_576_000_000;

/// The bytes of a `google.rpc.RequestInfo` with that id.
pub(crate) fn request_info(id: &str) -> Vec<u8> {
    wire::RequestInfo { request_id: id.to_owned() }.encode_to_vec()
}

/// Details whose `RequestInfo` has another id, of the same length; `None` where it has not that one.
pub(crate) fn readdressed(details: &[u8], theirs: &str, ours: &str) -> Option<Vec<u8>> {
    replaced(details, &request_info(theirs), &request_info(ours))
}

/// The text with the first of one piece replaced by another of the same length.
pub(crate) fn replaced(text: &[u8], piece: &[u8], by: &[u8]) -> Option<Vec<u8>> {
    let at = text.windows(piece.len()).position(|window| window == piece).filter(|_| piece.len() == by.len())?;
    let mut text = text.to_vec();
    text[at..at + by.len()].copy_from_slice(by);
    Some(text)
}

/// Everything that an RPC protocol writes of an error.
#[derive(Clone, Copy)]
pub(crate) struct RpcError<'a> {
    pub(crate) status: Status,
    /// The canonical code, in the form of E2.
    pub(crate) code: &'a str,
    /// In the form of E2.
    pub(crate) message: &'a str,
    /// JSON text.
    pub(crate) details: Option<&'a str>,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) domain: &'a str,
    pub(crate) retry_after: Option<Duration>,
}

/// A message of the error details.
pub(crate) struct Detail {
    /// The name of its type, such as `google.rpc.ErrorInfo`.
    pub(crate) name: &'static str,
    pub(crate) value: Vec<u8>,
}

impl RpcError<'_> {
    /// The google.rpc.Status, of at most `max` bytes; empty where not even the details without metadata and violations
    /// have room in them.
    ///
    /// Its code and message are those of `grpc-status` and `grpc-message`: Python's grpc_status raises an error where
    /// they differ, so that neither is cut.
    pub(crate) fn to_bytes(self, max: usize) -> Vec<u8> {
        let code = i32::from(self.status.number());
        let mut status = wire::Status { code, message: self.message.to_owned(), details: Vec::new() };
        let details = max.checked_sub(status.encoded_len()).and_then(|room| self.details(room));
        let Some(details) = details else { return Vec::new() };
        status.details = details.into_iter().map(wire::Any::from).collect();
        status.encode_to_vec()
    }

    /// The details, which take at most `room` bytes in a google.rpc.Status; `None` where there is no room.
    pub(crate) fn details(self, room: usize) -> Option<Vec<Detail>> {
        let mut info = wire::ErrorInfo {
            reason: self.code.to_ascii_uppercase(),
            domain: self.domain.to_owned(),
            metadata: Vec::new(),
        };
        let others: Vec<_> = [self.request_info(), self.retry_info()].into_iter().flatten().collect();
        let fixed = framed(wire::ERROR_INFO, info.encoded_len()) + others.iter().map(Detail::framed).sum::<usize>();
        let mut room = room.checked_sub(fixed)?;
        let (metadata, violations) = self.variable();
        // The metadata leave half of it to the violations, if they need that much.
        let mut share = room - list_len(&violations).min(room / 2);
        room -= share;
        info.metadata = fitting(metadata, &mut share);
        let list = self.bad_request(violations, room + share);
        Some([Detail::of(wire::ERROR_INFO, &info)].into_iter().chain(others).chain(list).collect())
    }

    fn request_info(self) -> Option<Detail> {
        let info = wire::RequestInfo { request_id: self.request_id?.to_owned() };
        Some(Detail::of(wire::REQUEST_INFO, &info))
    }

    fn retry_info(self) -> Option<Detail> {
        let delay = self.retry_after?.min(Duration::from_secs(MAX_SECONDS));
        let seconds = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX);
        // Fewer than 10⁹, and so an i32.
        let nanos = delay.subsec_nanos().cast_signed();
        Some(Detail::of(wire::RETRY_INFO, &wire::RetryInfo { retry_delay: Some(wire::Duration { seconds, nanos }) }))
    }

    fn bad_request(self, violations: Vec<wire::FieldViolation>, room: usize) -> Option<Detail> {
        let mut room = room.checked_sub(framed(wire::BAD_REQUEST, 0))?;
        let list = wire::BadRequest { field_violations: fitting(violations, &mut room) };
        if list.field_violations.is_empty() { None } else { Some(Detail::of(wire::BAD_REQUEST, &list)) }
    }

    /// What the error's own details say: the issue list, and everything else.
    fn variable(self) -> (Vec<wire::Entry>, Vec<wire::FieldViolation>) {
        let Some(details) = self.details.filter(|details| details.trim() != "null") else { return Default::default() };
        let metadata = metadata_of(details).into_iter().map(|(key, value)| wire::Entry { key, value }).collect();
        // A list that only repeats the message says nothing (E8).
        let says = issues::are_in(details) && !written::only_repeat(details, self.message);
        (metadata, if says { violations_in(details) } else { Vec::new() })
    }
}

fn violations_in(details: &str) -> Vec<wire::FieldViolation> {
    let violation = |issue: written::Named<'_>| wire::FieldViolation {
        field: issue.parameter,
        description: issue.message.into_owned(),
        reason: issue.code.and_then(|code| reason_of(&code)).unwrap_or_default(),
    };
    written::by_parameter(details).into_iter().map(violation).collect()
}

/// A code in capitals, where that is a reason: `[A-Z][A-Z0-9_]{0,62}`.
fn reason_of(code: &str) -> Option<String> {
    issue_code(code).map(|code| code.to_ascii_uppercase())
}

/// The code of an issue whose violation has that reason.
pub(super) fn issue_code(reason: &str) -> Option<String> {
    let code = reason.to_ascii_lowercase();
    crate::code::is_well_formed(code.as_bytes()).then_some(code)
}

/// What details say beside their issue list: a text for each name.
pub(super) fn metadata_of(details: &str) -> Vec<(String, String)> {
    let Some(object) = Object::parse(details) else {
        let text = serde_json::from_str(details).map_or(Cow::Borrowed(details), text_of);
        return vec![("details".to_owned(), text.into_owned())];
    };
    let listed = issues::are_in(details);
    let others = object.members().filter(|(name, _)| !(listed && *name == "issues"));
    others.map(|(name, value)| (name.to_owned(), text_of(value).into_owned())).collect()
}

/// A string's text; any other value as the JSON that it came as, and so a string that no text is.
fn text_of(value: &RawValue) -> Cow<'_, str> {
    json::exact(value).unwrap_or(Cow::Borrowed(value.get()))
}

/// Those of the messages that have room, in order, as a repeated field.
fn fitting<M: Message>(messages: Vec<M>, room: &mut usize) -> Vec<M> {
    let fits = |message: &M| match room.checked_sub(field_len(message)) {
        Some(left) => {
            *room = left;
            true
        }
        None => false,
    };
    messages.into_iter().filter(fits).collect()
}

/// What a list of all of them takes.
fn list_len(violations: &[wire::FieldViolation]) -> usize {
    if violations.is_empty() { 0 } else { framed(wire::BAD_REQUEST, violations.iter().map(field_len).sum()) }
}

/// With its tag, which is below 16, and its length.
fn field_len(message: &impl Message) -> usize {
    let length = message.encoded_len();
    1 + length_delimiter_len(length) + length
}

/// At most so many bytes has a detail in a google.rpc.Status: two tags around it and the name's, each with a length.
fn framed(name: &str, length: usize) -> usize {
    const LENGTH: usize = 5;

    (1 + LENGTH) + (2 + wire::TYPE_URL.len() + name.len()) + (1 + LENGTH) + length
}

impl Detail {
    fn of(name: &'static str, message: &impl Message) -> Self {
        Self { name, value: message.encode_to_vec() }
    }

    fn framed(&self) -> usize {
        framed(self.name, self.value.len())
    }
}

impl From<Detail> for wire::Any {
    fn from(detail: Detail) -> Self {
        Self { type_url: format!("{}{}", wire::TYPE_URL, detail.name), value: detail.value }
    }
}

#[cfg(test)]
mod tests;
