//! google.rpc.Status, written.

use std::time::Duration;

use prost::{Message, length_delimiter_len};

use super::{
    BAD_REQUEST, ERROR_INFO, MAX_SECONDS, PackedDetail, REQUEST_INFO, RETRY_INFO, RpcError, TYPE_URL, issue_code,
    metadata_of, wire,
};
use crate::issues::{self, written};

impl RpcError<'_> {
    /// The google.rpc.Status, of at most `max` bytes; empty if even the details without metadata and violations do not
    /// fit.
    ///
    /// Its code and message equal `grpc-status` and `grpc-message`. Neither is cut, because Python's grpc_status
    /// raises an error if they differ.
    pub fn to_bytes(self, max: usize) -> Vec<u8> {
        let code = i32::from(self.status.number());
        let mut status = wire::Status { code, message: self.message.to_owned(), details: Vec::new() };
        let details = max.checked_sub(status.encoded_len()).and_then(|room| self.details(room));
        let Some(details) = details else { return Vec::new() };
        status.details = details.into_iter().map(wire::Any::from).collect();
        status.encode_to_vec()
    }

    /// The details, which take at most `room` bytes in a google.rpc.Status; `None` if they do not fit.
    pub fn details(self, room: usize) -> Option<Vec<PackedDetail>> {
        let (reason, domain) = (self.code.to_ascii_uppercase(), self.domain.to_owned());
        let mut info = wire::ErrorInfo { reason, domain, metadata: Vec::new() };
        let others: Vec<_> = [self.request_info(), self.retry_info()].into_iter().flatten().collect();
        let fixed = framed(ERROR_INFO, info.encoded_len()) + others.iter().map(PackedDetail::framed).sum::<usize>();
        let mut room = room.checked_sub(fixed)?;
        let (metadata, violations) = self.variable();
        // The metadata must leave up to half of the room for the violations.
        let mut share = room - list_len(&violations).min(room / 2);
        room -= share;
        info.metadata = fitting(metadata, &mut share);
        let list = self.bad_request(violations, room + share);
        Some([PackedDetail::pack(ERROR_INFO, &info)].into_iter().chain(others).chain(list).collect())
    }

    fn request_info(self) -> Option<PackedDetail> {
        let info = wire::RequestInfo { request_id: self.request_id?.to_owned() };
        Some(PackedDetail::pack(REQUEST_INFO, &info))
    }

    fn retry_info(self) -> Option<PackedDetail> {
        let delay = self.retry_after?.min(Duration::from_secs(MAX_SECONDS));
        let seconds = i64::try_from(delay.as_secs()).unwrap_or(i64::MAX);
        // Fewer than 10⁹, and so an i32.
        let nanos = delay.subsec_nanos().cast_signed();
        Some(PackedDetail::pack(RETRY_INFO, &wire::RetryInfo { retry_delay: Some(wire::Duration { seconds, nanos }) }))
    }

    fn bad_request(self, violations: Vec<wire::FieldViolation>, room: usize) -> Option<PackedDetail> {
        let mut room = room.checked_sub(framed(BAD_REQUEST, 0))?;
        let list = wire::BadRequest { field_violations: fitting(violations, &mut room) };
        if list.field_violations.is_empty() { None } else { Some(PackedDetail::pack(BAD_REQUEST, &list)) }
    }

    /// The contents of the error's own details: the issue list, and everything else.
    fn variable(self) -> (Vec<wire::Entry>, Vec<wire::FieldViolation>) {
        let Some(details) = self.details.filter(|details| details.trim() != "null") else { return Default::default() };
        let metadata = metadata_of(details).into_iter().map(|(key, value)| wire::Entry { key, value }).collect();
        // A list that only repeats the message adds nothing (E8).
        let says = issues::are_in(details) && !written::only_repeat(details, self.message);
        (metadata, if says { violations_in(details) } else { Vec::new() })
    }
}

fn violations_in(details: &str) -> Vec<wire::FieldViolation> {
    let violation = |issue: written::NamedIssue<'_>| wire::FieldViolation {
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

/// The messages that fit, in order, as a repeated field.
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

/// The length of a list of all of them.
fn list_len(violations: &[wire::FieldViolation]) -> usize {
    if violations.is_empty() { 0 } else { framed(BAD_REQUEST, violations.iter().map(field_len).sum()) }
}

/// The length with the tag, which is below 16, and the length itself.
fn field_len(message: &impl Message) -> usize {
    let length = message.encoded_len();
    1 + length_delimiter_len(length) + length
}

/// The most bytes of a detail in a google.rpc.Status: two tags around it and the name's, each with a length.
fn framed(name: &str, length: usize) -> usize {
    const LENGTH: usize = 5;

    (1 + LENGTH) + (2 + TYPE_URL.len() + name.len()) + (1 + LENGTH) + length
}

impl PackedDetail {
    fn pack(name: &'static str, message: &impl Message) -> Self {
        Self { name, value: message.encode_to_vec() }
    }

    fn framed(&self) -> usize {
        framed(self.name, self.value.len())
    }
}

impl From<PackedDetail> for wire::Any {
    fn from(detail: PackedDetail) -> Self {
        Self { type_url: format!("{}{}", TYPE_URL, detail.name), value: detail.value }
    }
}
