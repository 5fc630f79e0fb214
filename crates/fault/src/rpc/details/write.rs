//! Writes a google.rpc.Status.

use std::time::Duration;

use super::wire::Message;
use super::{
    BAD_REQUEST, ERROR_INFO, MAX_SECONDS, PackedDetail, REQUEST_INFO, RETRY_INFO, RpcError, TYPE_URL, issue_code,
    metadata_of,
};
use crate::issues::{self, written};

impl RpcError<'_> {
    /// The google.rpc.Status, in at most `max` bytes. It is empty if not even the details without metadata and
    /// violations fit.
    ///
    /// Its code and its message are the same as `grpc-status` and `grpc-message`, and are never cut: Python's
    /// grpc_status raises an error if they differ.
    pub fn to_bytes(self, max: usize) -> Vec<u8> {
        let status = Message::default().number(1, self.status.number().into()).text(2, self.message);
        let details = max.checked_sub(status.len()).and_then(|room| self.details(room));
        let Some(details) = details else { return Vec::new() };
        status.list(3, details.iter().map(PackedDetail::to_any)).into_bytes()
    }

    /// The details, which may take at most `room` bytes in a google.rpc.Status; `None` if they do not fit.
    pub fn details(self, room: usize) -> Option<Vec<PackedDetail>> {
        let info = Message::default().text(1, &self.code.to_ascii_uppercase()).text(2, self.domain);
        let others: Vec<_> = [self.request_info(), self.retry_info()].into_iter().flatten().collect();
        let fixed =
            max_framed_len(ERROR_INFO, info.len()) + others.iter().map(PackedDetail::max_framed_len).sum::<usize>();
        let mut room = room.checked_sub(fixed)?;
        let (metadata, violations) = self.variable();
        // If there are many violations, the metadata leave half of the room for them.
        let mut share = room - list_len(&violations).min(room / 2);
        room -= share;
        let info = info.list(3, messages_that_fit(metadata, &mut share));
        let list = self.bad_request(violations, room + share);
        Some([PackedDetail::pack(ERROR_INFO, info)].into_iter().chain(others).chain(list).collect())
    }

    fn request_info(self) -> Option<PackedDetail> {
        Some(PackedDetail::pack(REQUEST_INFO, Message::default().text(1, self.request_id?)))
    }

    fn retry_info(self) -> Option<PackedDetail> {
        let delay = self.retry_after?.min(Duration::from_secs(MAX_SECONDS));
        let duration = Message::default().number(1, delay.as_secs()).number(2, delay.subsec_nanos().into());
        Some(PackedDetail::pack(RETRY_INFO, Message::default().list(1, [duration])))
    }

    fn bad_request(self, violations: Vec<Message>, room: usize) -> Option<PackedDetail> {
        let mut room = room.checked_sub(max_framed_len(BAD_REQUEST, 0))?;
        let list = messages_that_fit(violations, &mut room);
        (!list.is_empty()).then(|| PackedDetail::pack(BAD_REQUEST, Message::default().list(1, list)))
    }

    /// The parts of the error's details that may be left out: the metadata, and the violations of the issue list.
    fn variable(self) -> (Vec<Message>, Vec<Message>) {
        let Some(details) = self.details.filter(|details| details.trim() != "null") else { return Default::default() };
        let entry = |(key, value): (String, String)| Message::default().text(1, &key).text(2, &value);
        let metadata = metadata_of(details).into_iter().map(entry).collect();
        // A list that only repeats the message adds nothing (E8).
        let adds_issues = issues::are_in(details) && !written::only_repeats_message(details, self.message);
        (metadata, if adds_issues { violations_in(details) } else { Vec::new() })
    }
}

fn violations_in(details: &str) -> Vec<Message> {
    let violation = |issue: written::NamedIssue<'_>| {
        let reason = issue.code.and_then(|code| reason_of(&code)).unwrap_or_default();
        Message::default().text(1, &issue.parameter).text(2, &issue.message).text(3, &reason)
    };
    written::by_parameter(details).into_iter().map(violation).collect()
}

/// The code in capitals, if that is a valid reason: `[A-Z][A-Z0-9_]{0,62}`.
fn reason_of(code: &str) -> Option<String> {
    issue_code(code).map(|code| code.to_ascii_uppercase())
}

/// As many of the messages as fit as a repeated field, in order.
fn messages_that_fit(messages: Vec<Message>, room: &mut usize) -> Vec<Message> {
    let fits = |message: &Message| match room.checked_sub(message.field_len()) {
        Some(left) => {
            *room = left;
            true
        }
        None => false,
    };
    messages.into_iter().filter(fits).collect()
}

/// The length of these violations as a list.
fn list_len(violations: &[Message]) -> usize {
    if violations.is_empty() { 0 } else { max_framed_len(BAD_REQUEST, violations.iter().map(Message::field_len).sum()) }
}

/// The most bytes that a detail takes in a google.rpc.Status: with the tags and lengths around it, and around its name.
fn max_framed_len(name: &str, length: usize) -> usize {
    const LENGTH: usize = 5;

    (1 + LENGTH) + (2 + TYPE_URL.len() + name.len()) + (1 + LENGTH) + length
}

impl PackedDetail {
    fn pack(name: &'static str, message: Message) -> Self {
        Self { name, value: message.into_bytes() }
    }

    /// The detail as a google.protobuf.Any.
    fn to_any(&self) -> Message {
        Message::default().text(1, &format!("{TYPE_URL}{}", self.name)).bytes(2, &self.value)
    }

    fn max_framed_len(&self) -> usize {
        max_framed_len(self.name, self.value.len())
    }
}
