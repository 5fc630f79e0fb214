//! The type of a dialect's description. The file of each dialect exports one constant of this type.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;

use super::outgoing::{Outgoing, PreservedBody};
use super::parsed_error::{Body, DialectCode, ParsedError, ReadFn};
use crate::code::ErrorCode;

/// The fields that a shape reads. Other fields are dropped unless the policy keeps them (R14).
#[derive(Debug)]
pub(super) struct KnownFields {
    /// The fields of the body that the shape reads, or `None` if it reads all of them.
    pub(super) of_body: Option<&'static [&'static str]>,
    /// The fields of the object under `error` that the shape reads.
    pub(super) of_error: &'static [&'static str],
}

impl KnownFields {
    /// The value for a shape that reads no fields.
    pub(super) const NOTHING: Self = Self::body(&[]);

    /// The value for a shape that reads the fields that most dialects have in their error object.
    pub(super) const ERROR: Self = Self::error(&["code", "message", "details"]);

    /// The value for a shape that reads all fields.
    pub(super) const ALL: Self = Self { of_body: None, of_error: &[] };

    /// Creates the value for a shape that reads these fields of the body.
    pub(super) const fn body(of_body: &'static [&'static str]) -> Self {
        Self { of_body: Some(of_body), of_error: &[] }
    }

    /// Creates the value for a shape that reads these fields of the object under `error`.
    pub(super) const fn error(of_error: &'static [&'static str]) -> Self {
        Self { of_body: Some(&["error"]), of_error }
    }
}

/// A shape that a policy describes (R15). Other shapes are described by code.
pub(super) trait Described: fmt::Debug + Sync {
    fn read<'a>(&self, body: &Body<'a, '_>) -> Option<ParsedError<'a>>;

    fn write(&self, out: &Outgoing<'_>) -> Vec<u8>;

    /// Rewrites a received body, in which it replaces the text and the id.
    fn rewrite_in_place(&self, kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8>;

    /// Returns the meaning of a name that the shape defines.
    fn meaning(&self, name: &str) -> DialectCode;

    /// Returns the shape's name for a code.
    fn name_of<'a>(&'a self, code: &'a str, status: StatusCode) -> Cow<'a, str>;
}

/// A function that writes the last event of a stream of typed events, from the error's body and the event's number.
pub(crate) type TypedEvent = fn(&[u8], u64) -> Option<Vec<u8>>;

/// A shape in which errors are written (R2, R12).
pub struct DialectSpec {
    /// The name of the dialect in the policy file and in the log.
    pub(crate) name: &'static str,
    /// The media type of the dialect's bodies.
    pub media_type: &'static str,
    /// A second header for the request id, in lower case. The header is set in addition to `x-request-id`, for clients
    /// that read only this second header.
    pub id_header: Option<&'static str>,
    /// True if every `invalid_request` has an issue list, even if the list only repeats the message (E8). Clients of
    /// other dialects do not expect such a list.
    pub always_lists_issues: bool,
    /// True if bodies can have an issue list. If bodies cannot have a list, the message states the first issue (E8).
    pub(crate) can_list_issues: bool,
    /// True if the error object can have the fields of a service's body that the policy keeps (R12).
    pub takes_fields: bool,
    /// The names of the form's own members, if details become further members next to them. No further member has one
    /// of these names (E9).
    pub own_names: &'static [&'static str],
    /// True if bodies can state the limit of the layer's own 413 (G4).
    pub has_limit: bool,
    /// True if bodies contain the time at which the request began.
    pub has_time: bool,
    /// True if bodies contain the call's id, which is in the body of the request (R10).
    pub has_call_id: bool,
    /// True if bodies repeat the waiting time of `retry-after`.
    pub has_wait: bool,
    /// The name of the event that ends a broken event stream (F6), or `None` if clients expect an event without a name.
    pub error_event: Option<&'static str>,
    /// Writes the error event for a stream whose events have a type and a number. The function is `None` if the
    /// dialect's clients do not read such streams. The arguments are the error's body and the next number.
    pub typed_event: Option<TypedEvent>,
    pub(super) read: ReadFn,
    pub(super) reads: &'static KnownFields,
    pub(super) write: fn(&Outgoing<'_>) -> Vec<u8>,
    pub(super) keep: fn(&PreservedBody<'_>, &Outgoing<'_>) -> Vec<u8>,
    /// Returns the meaning of a name that the dialect itself defines.
    pub(super) meaning: fn(&str) -> DialectCode,
    /// Returns the dialect's name for an error to which the policy gives no name (R12).
    pub(super) name_of: fn(&ErrorCode, StatusCode) -> Cow<'_, str>,
    /// The description of a shape that a policy describes. If a description is set, it is used instead of the functions
    /// above (R15).
    pub(super) described: Option<&'static dyn Described>,
}

impl DialectSpec {
    /// Creates a JSON dialect that writes the canonical codes, with the default of each field.
    pub(super) const fn new(
        name: &'static str,
        read: ReadFn,
        write: fn(&Outgoing<'_>) -> Vec<u8>,
        keep: fn(&PreservedBody<'_>, &Outgoing<'_>) -> Vec<u8>,
    ) -> Self {
        Self {
            name,
            media_type: "application/json",
            id_header: None,
            always_lists_issues: false,
            can_list_issues: true,
            takes_fields: false,
            own_names: &[],
            has_limit: true,
            has_time: false,
            has_call_id: false,
            has_wait: false,
            error_event: Some("error"),
            typed_event: None,
            read,
            reads: &KnownFields::ERROR,
            write,
            keep,
            meaning: |_| DialectCode::Unknown,
            name_of: |code, _| Cow::Borrowed(code.as_str()),
            described: None,
        }
    }

    /// Returns true if bodies contain data of the request other than its id.
    pub const fn has_request_facts(&self) -> bool {
        self.has_time || self.has_call_id
    }

    /// Parses a body, or returns `None` if the body is in another shape.
    pub(super) fn read<'a>(&self, body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
        self.described.map_or_else(|| (self.read)(body), |described| described.read(body))
    }

    /// Writes the body of an error.
    pub fn write(&self, out: &Outgoing<'_>) -> Vec<u8> {
        self.described.map_or_else(|| (self.write)(out), |described| described.write(out))
    }

    /// Rewrites a received body, in which it replaces the text and the id.
    pub fn rewrite_in_place(&self, kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8> {
        self.described.map_or_else(|| (self.keep)(kept, out), |described| described.rewrite_in_place(kept, out))
    }

    pub(crate) fn name_of<'a>(&self, code: &'a ErrorCode, status: StatusCode) -> Cow<'a, str> {
        self.described.map_or_else(|| (self.name_of)(code, status), |it| it.name_of(code.as_str(), status))
    }

    /// Returns true if the dialect itself defines this name. Clients do not get such a name as `upstream_code`, because
    /// the canonical code means the same (E9).
    pub(crate) fn defines(&self, name: &str) -> bool {
        let meaning = self.described.map_or_else(|| (self.meaning)(name), |described| described.meaning(name));
        meaning != DialectCode::Unknown
    }
}
