//! The facts about a dialect: each dialect's file exports one constant of this type.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;

use super::outgoing::{Outgoing, PreservedBody};
use super::parsed_error::{Body, DialectCode, ParsedError, ReadFn};
use crate::code::ErrorCode;

/// The fields that a shape reads; the others are dropped (R14).
#[derive(Debug)]
pub(super) struct KnownFields {
    /// Fields of the body; `None` if it reads all of them.
    pub(super) of_body: Option<&'static [&'static str]>,
    /// Fields of the object under `error`.
    pub(super) of_error: &'static [&'static str],
}

impl KnownFields {
    /// Reads no field.
    pub(super) const NOTHING: Self = Self::body(&[]);

    /// The fields that most errors have.
    pub(super) const ERROR: Self = Self::error(&["code", "message", "details"]);

    /// All fields.
    pub(super) const ALL: Self = Self { of_body: None, of_error: &[] };

    /// Reads these fields of the body.
    pub(super) const fn body(of_body: &'static [&'static str]) -> Self {
        Self { of_body: Some(of_body), of_error: &[] }
    }

    /// Reads these fields of the object under `error`.
    pub(super) const fn error(of_error: &'static [&'static str]) -> Self {
        Self { of_body: Some(&["error"]), of_error }
    }
}

/// A shape that is described instead of programmed (R15).
pub(super) trait Described: fmt::Debug + Sync {
    fn read<'a>(&self, body: &Body<'a, '_>) -> Option<ParsedError<'a>>;

    fn write(&self, out: &Outgoing<'_>) -> Vec<u8>;

    /// A received body, its text and id replaced.
    fn rewrite_in_place(&self, kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8>;

    /// The meaning of one of its names.
    fn meaning(&self, name: &str) -> DialectCode;

    /// The dialect's name for a code.
    fn name_of<'a>(&'a self, code: &'a str) -> Cow<'a, str>;
}

/// Writes the last event of a stream of typed events, from the error's body and the number of the event.
pub(crate) type TypedEvent = fn(&[u8], u64) -> Option<Vec<u8>>;

/// A shape that errors are written in (rules R2, R12).
pub(crate) struct DialectSpec {
    /// The word in the policy file and the log.
    pub(crate) name: &'static str,
    /// The media type of its bodies.
    pub(crate) media_type: &'static str,
    /// A second header with the id, by which its clients read it, in addition to `x-request-id`; in lower case.
    pub(crate) id_header: Option<&'static str>,
    /// Every `invalid_request` has an issue list, even one that only repeats the message (E8): clients of other
    /// dialects expect none.
    pub(crate) lists_issues: bool,
    /// Its bodies have a place for an issue list. Without one their text states the first issue (E8).
    pub(crate) has_issues: bool,
    /// Its error object takes the fields of another shape that a policy keeps (R12).
    pub(crate) takes_fields: bool,
    /// Its bodies have room for a code. Without one, clients can distinguish errors by their text alone.
    #[cfg_attr(not(feature = "policy-file"), allow(dead_code, reason = "the lints of a policy file alone ask"))]
    pub(crate) has_codes: bool,
    /// Its bodies have the time when the request began.
    pub(crate) has_time: bool,
    /// Its bodies have the id of the call in the request's body (R10).
    pub(crate) has_call_id: bool,
    /// Of a service's 5xx in this shape the names alone stay, whatever decided its code (R10).
    pub(crate) has_names_alone_on_5xx: bool,
    /// Its bodies repeat the time of `retry-after`.
    pub(crate) has_wait: bool,
    /// The name of the event that ends a broken event stream (F6), where its clients expect one.
    pub(crate) error_event: Option<&'static str>,
    /// Its clients also read streams whose events have a type and a number: makes the error event of a body, with the next
    /// number.
    pub(crate) typed_event: Option<TypedEvent>,
    pub(super) read: ReadFn,
    pub(super) reads: &'static KnownFields,
    pub(super) write: fn(&Outgoing<'_>) -> Vec<u8>,
    pub(super) keep: fn(&PreservedBody<'_>, &Outgoing<'_>) -> Vec<u8>,
    /// The meaning of a name that the dialect defines itself.
    pub(super) own: fn(&str) -> DialectCode,
    /// The dialect's name for an error that nothing else names (R12).
    pub(super) name_of: fn(&ErrorCode, StatusCode) -> Cow<'_, str>,
    /// For a policy's own shape: its description, in place of those functions (R15).
    pub(super) described: Option<&'static dyn Described>,
}

impl DialectSpec {
    /// A dialect of JSON with the canonical codes, and no more.
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
            lists_issues: false,
            has_issues: true,
            takes_fields: false,
            has_codes: true,
            has_time: false,
            has_call_id: false,
            has_names_alone_on_5xx: false,
            has_wait: false,
            error_event: Some("error"),
            typed_event: None,
            read,
            reads: &KnownFields::ERROR,
            write,
            keep,
            own: |_| DialectCode::Unknown,
            name_of: |code, _| Cow::Borrowed(code.as_str()),
            described: None,
        }
    }

    /// Whether its bodies have facts of one request besides its id.
    pub(crate) const fn has_request_facts(&self) -> bool {
        self.has_time || self.has_call_id
    }

    /// Parses a body; `None` if it has another shape.
    pub(super) fn read<'a>(&self, body: &Body<'a, '_>) -> Option<ParsedError<'a>> {
        self.described.map_or_else(|| (self.read)(body), |described| described.read(body))
    }

    /// The body of an error.
    pub(crate) fn write(&self, out: &Outgoing<'_>) -> Vec<u8> {
        self.described.map_or_else(|| (self.write)(out), |described| described.write(out))
    }

    /// The received body, its text and id replaced.
    pub(crate) fn rewrite_in_place(&self, kept: &PreservedBody<'_>, out: &Outgoing<'_>) -> Vec<u8> {
        self.described.map_or_else(|| (self.keep)(kept, out), |described| described.rewrite_in_place(kept, out))
    }

    pub(crate) fn name_of<'a>(&self, code: &'a ErrorCode, status: StatusCode) -> Cow<'a, str> {
        self.described.map_or_else(|| (self.name_of)(code, status), |described| described.name_of(code.as_str()))
    }

    /// Whether the dialect itself defines this name. Clients do not get such a name: the code has its meaning (E9).
    pub(crate) fn defines(&self, name: &str) -> bool {
        let meaning = self.described.map_or_else(|| (self.own)(name), |described| described.meaning(name));
        meaning != DialectCode::Unknown
    }
}
