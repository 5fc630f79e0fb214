//! The error codes: a table, to which custom codes can be added.
//!
//! A row of the table defines a code's constant, name, default status, gRPC status, retry advice and default message.
//! Nothing else in the crate lists codes.
//!
//! The set of codes is open (E2). An organisation can add codes. A code that only an inner process defines passes by
//! its name.

mod code_set;
pub mod details;
mod error_code;
mod table;

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use http::StatusCode;
use serde::Serialize;

pub use code_set::CodeSet;
use error_code::{ChangedCode, Repr, Row, Text};
pub use error_code::{ErrorCode, Retry};
pub use table::codes;
#[doc(hidden)]
pub use table::{code_missing, code_of_http, names};

/// The message of a 4xx whose status has no code in the catalogue, such as 418. The message does not state that the
/// request is malformed, because the status does not show this (R3).
const NEUTRAL: &str = "The request could not be processed.";

const NOT_CUSTOM: &str = "cannot be changed: it was not created with `ErrorCode::custom`";

impl ErrorCode {
    /// Creates a custom code. The layer sends errors with the code under this status, unless the fault or the policy
    /// sets another status.
    ///
    /// By default, the code has the gRPC status and the message of the generic code for its status, and the status decides
    /// the retry advice (E10). A
    /// policy that defines the code (`[[code]]`, or `PolicyBuilder::code`) sets these values for every
    /// [`Fault`](crate::fault::Fault) with the code. A message or a status that the fault itself has is kept.
    ///
    /// # Panics
    ///
    /// Panics if `name` does not have the form `[a-z][a-z0-9_]{0,62}` (E2) or is in the catalogue, or if `status` is
    /// not 400–599. In a `const`, such a mistake is a compile-time error.
    #[must_use]
    pub const fn custom(name: &'static str, status: u16) -> Self {
        match mistake(name, status) {
            Some(mistake) => panic!("{}", mistake),
            None => Self(Repr::Plain { name, status }),
        }
    }

    /// Sets the gRPC status of a custom code, from 1 to 16.
    ///
    /// # Panics
    ///
    /// Panics if the code is not a custom code, because the codes of the catalogue are the same everywhere.
    #[must_use]
    #[track_caller]
    pub fn with_grpc(self, grpc: u8) -> Self {
        self.with(|own| own.grpc = Some(grpc))
    }

    /// Sets the number with which JSON-RPC errors report a custom code (R10).
    ///
    /// # Panics
    ///
    /// Panics if the code is not a custom code, like [`ErrorCode::with_grpc`].
    #[must_use]
    #[track_caller]
    pub fn with_jsonrpc(self, number: i32) -> Self {
        self.with(|own| own.jsonrpc = Some(number))
    }

    /// Sets the address of the page about a code, which must be `https` (E10). The code may be a custom code, or a code
    /// of the catalogue. Pass a code of the catalogue to the policy (`PolicyBuilder::code`), so that every error with
    /// the code links to the page.
    ///
    /// # Panics
    ///
    /// Panics if only the name of the code is known.
    #[must_use]
    #[track_caller]
    pub fn with_docs(self, address: impl Into<Cow<'static, str>>) -> Self {
        let docs = Text::from(address.into());
        self.change(|code| code.docs = Some(docs))
    }

    /// Sets the retry advice of a custom code, or of a code of the catalogue, like [`ErrorCode::with_docs`].
    ///
    /// # Panics
    ///
    /// Panics if only the name of the code is known.
    #[must_use]
    #[track_caller]
    pub fn with_retry(self, retry: Retry) -> Self {
        self.change(|code| code.retry = Some(retry))
    }

    /// Sets the default message of a custom code.
    ///
    /// # Panics
    ///
    /// Panics if the code is not a custom code, like [`ErrorCode::with_grpc`].
    #[must_use]
    #[track_caller]
    pub fn with_message(self, message: impl Into<Cow<'static, str>>) -> Self {
        self.with(|own| own.message = Some(Text::from(message.into())))
    }

    /// Sets the schema for the details of a code: a JSON Schema (2020-12) as a JSON value, such as `json!({…})`. The
    /// code may be a custom code, or one of the catalogue. [`Fault::with_details`](crate::fault::Fault::with_details)
    /// sets the details themselves.
    ///
    /// Pass the code to the policy (`PolicyBuilder::code`), where the exports and
    /// `testing::Envelope::assert_details_fit` find the schema. At run time the schema has no effect, and the details
    /// of a service are sent unchanged.
    ///
    /// The schema may only have keywords that every export can express: `type` (one type or a list of types),
    /// `properties`, `required`, `additionalProperties`, `items`, `minItems`, `maxItems`, `minLength`, `maxLength`,
    /// `minimum`, `maximum`, `format` (which is never checked), `enum`, `const`, `anyOf`, `title`, `description`,
    /// `deprecated`, `examples`. If the schema has any other keyword, the policy is refused when it is built.
    ///
    /// ```
    /// use serde_json::json;
    /// use tower_error_envelope::{ErrorCode, Policy};
    ///
    /// let schema = json!({ "type": "object", "properties": { "seat": { "type": "string" } }, "required": ["seat"] });
    /// let taken = ErrorCode::custom("seat_taken", 409).with_details(&schema);
    /// assert_eq!(taken.details_schema(), Some(&*schema.to_string()));
    ///
    /// let error = Policy::builder().code(taken.with_details(json!({ "type": "seat" }))).build().unwrap_err();
    /// assert!(error.to_string().starts_with("code \"seat_taken\": details: type: unknown type \"seat\""));
    ///
    /// let policy = Policy::builder().code(ErrorCode::CONFLICT.with_details(schema)).build()?;
    /// # let _ = policy;
    /// # Ok::<(), tower_error_envelope::PolicyError>(())
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the catalogue has a schema for the code (`invalid_request`, `payload_too_large`), if only the name of
    /// the code is known, or if the schema cannot be serialized as JSON.
    #[must_use]
    #[track_caller]
    pub fn with_details(self, schema: impl Serialize) -> Self {
        let details = match serde_json::to_string(&schema) {
            Ok(schema) => Text::from(Cow::Owned(schema)),
            Err(error) => panic!("the schema of the details cannot be serialized as JSON: {error}"),
        };
        assert!(!self.has_fixed_details(), "the catalogue fixes the details of `{self}`: use a code of your own");
        self.change(|code| code.details = Some(details))
    }

    /// Returns the generic code for an error status (R1). The code is `invalid_request` for 422, `other` for 502 and
    /// 520–527, and `worker_at_capacity` for 529. A 4xx for which the catalogue has no code gets `bad_request`, and any
    /// other status gets `internal_error`.
    ///
    /// The code for 401 is `auth_invalid`, even if the request has no credentials. If a service returns a plain 401
    /// without a fault, the layer examines the request, and a request without credentials gets `auth_missing`.
    #[must_use]
    pub const fn of_status(status: StatusCode) -> Self {
        Self(Repr::Row(table::of_status(status.as_u16())))
    }

    /// Returns the code of the catalogue with this name, in any letter case.
    #[must_use]
    pub fn in_catalogue(name: &str) -> Option<Self> {
        table::find(name.as_bytes()).map(|row| Self(Repr::Row(row)))
    }

    /// Returns the name, such as `rate_limited`, by which clients recognise the error.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Row(row) => row.name,
            Repr::Plain { name, .. } => name,
            Repr::Changed(code) => code.name.as_str(),
            Repr::Foreign(name) => name,
        }
    }

    /// Returns the HTTP status that the layer uses if nothing else sets a status. If only the name of a code is known,
    /// the status is 500.
    #[must_use]
    #[inline]
    pub fn status(&self) -> StatusCode {
        let status = match &self.0 {
            Repr::Row(row) => row.status,
            Repr::Plain { status, .. } => *status,
            Repr::Changed(code) => code.status,
            Repr::Foreign(_) => 500,
        };
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Returns the number of the status that gRPC clients get for the code.
    #[must_use]
    pub fn grpc(&self) -> u8 {
        self.changed().and_then(|code| code.grpc).unwrap_or_else(|| self.row().grpc)
    }

    /// Returns the number with which JSON-RPC errors report the code (R10). The default is `-32603` for a 5xx, and
    /// `-32600` for any other status.
    #[must_use]
    pub fn jsonrpc(&self) -> i32 {
        const INVALID_REQUEST: i32 = -32_600;
        const INTERNAL_ERROR: i32 = -32_603;

        let set = self.changed().and_then(|code| code.jsonrpc);
        let set = set.or_else(|| self.catalogue_row().map(|row| row.jsonrpc));
        set.unwrap_or_else(|| if self.status().is_server_error() { INTERNAL_ERROR } else { INVALID_REQUEST })
    }

    /// Returns the address of the page about the code, if it has one (E10).
    #[must_use]
    pub fn docs(&self) -> Option<&str> {
        self.changed()?.docs.as_ref().map(Text::as_str)
    }

    /// Returns the retry advice for clients. A custom code without advice has [`Retry::Backoff`] on 408, 425, 429 and
    /// 5xx, and otherwise [`Retry::No`] (E10). If only the name of the code is known, the error is treated as
    /// transient.
    #[must_use]
    pub fn retry(&self) -> Retry {
        let set = self.changed().and_then(|code| code.retry);
        let set = set.or_else(|| self.catalogue_row().map(|row| row.retry));
        set.unwrap_or_else(|| Retry::of_status(self.status().as_u16()))
    }

    /// Returns the message for errors that set no other message. The message is for people, and may change at any time.
    #[must_use]
    pub fn message(&self) -> &str {
        let set = self.changed().and_then(|code| code.message.as_ref());
        set.map_or_else(|| self.default_message(), Text::as_str)
    }

    /// Returns the schema for the details, as the text of a JSON Schema (2020-12), if the catalogue or
    /// [`ErrorCode::with_details`] sets one.
    ///
    /// An error with the code may still have no details, or more fields than the schema lists. The details of an inner
    /// service's envelope may have any form (E7).
    #[must_use]
    pub fn details_schema(&self) -> Option<&str> {
        let set = self.changed().and_then(|code| code.details.as_ref());
        set.map(Text::as_str).or_else(|| self.catalogue_row()?.details)
    }

    /// Returns the group of the code in the catalogue, such as `auth`, or `None` if the code is not in the catalogue.
    #[must_use]
    pub fn group(&self) -> Option<&'static str> {
        self.catalogue_row().map(|row| row.group)
    }

    /// Returns true if only the name of the code is known, because the code is neither in the catalogue nor a custom
    /// code.
    #[must_use]
    pub const fn is_foreign(&self) -> bool {
        matches!(self.0, Repr::Foreign(_))
    }

    /// Returns the catalogue's message for the code. If the catalogue does not have the code, returns its message for
    /// the code's status.
    pub fn default_message(&self) -> &'static str {
        self.message_under(self.status())
    }

    /// Like [`ErrorCode::default_message`], for an error with the code that is sent under this status.
    pub(crate) fn message_under(&self, status: StatusCode) -> &'static str {
        let row = self.row();
        match Self(Repr::Row(row)) == Self::BAD_REQUEST && status != StatusCode::BAD_REQUEST {
            true => NEUTRAL,
            false => row.message,
        }
    }

    /// Returns this code. Settings that this code does not have are taken from `other`, a code with the same name.
    fn completed_by(&self, other: &Self) -> Self {
        let Some(other) = other.changed() else { return self.clone() };
        self.clone().with(|own| {
            own.grpc = own.grpc.or(other.grpc);
            own.jsonrpc = own.jsonrpc.or(other.jsonrpc);
            own.message = own.message.take().or_else(|| other.message.clone());
            own.retry = own.retry.or(other.retry);
            own.docs = own.docs.take().or_else(|| other.docs.clone());
            own.details = own.details.take().or_else(|| other.details.clone());
        })
    }

    /// Returns what a policy or a service set for the code, or `None` if nothing was set.
    fn changed(&self) -> Option<&ChangedCode> {
        if let Repr::Changed(code) = &self.0 { Some(code) } else { None }
    }

    /// Returns true if the code is in the catalogue, and details, docs or a retry advice were added to it.
    pub fn is_redefined(&self) -> bool {
        self.changed().is_some_and(|code| code.row.is_some())
    }

    /// Returns the retry advice that was added to a code of the catalogue.
    pub fn added_retry(&self) -> Option<Retry> {
        self.changed().filter(|code| code.row.is_some())?.retry
    }

    /// Returns true if the catalogue fixes the details of the code.
    pub fn has_fixed_details(&self) -> bool {
        self.catalogue_row().is_some_and(|row| row.details.is_some())
    }

    /// Returns true if the code is in the catalogue, so that its message needs no cleaning.
    pub fn is_in_catalogue(&self) -> bool {
        self.catalogue_row().is_some()
    }

    /// Returns the name, if it has the lifetime `'static`.
    #[inline]
    pub fn static_name(&self) -> Option<&'static str> {
        match &self.0 {
            Repr::Row(row) => Some(row.name),
            Repr::Plain { name, .. } => Some(name),
            Repr::Changed(code) => match code.name {
                Text::Static(name) => Some(name),
                Text::Shared(_) => None,
            },
            Repr::Foreign(_) => None,
        }
    }

    /// Returns the index of the fault that all errors with this code share, or `None` if the code has no such fault. If
    /// advice was added to a code, its errors do not share a fault.
    #[inline]
    pub(crate) fn stock_place(&self) -> Option<usize> {
        let has_advice = self.changed().is_some_and(|code| code.docs.is_some() || code.retry.is_some());
        if has_advice { None } else { self.place() }
    }

    /// Returns the index in [`ErrorCode::ALL`], or `None` if the code is not in the catalogue.
    #[inline]
    pub fn place(&self) -> Option<usize> {
        self.catalogue_row().map(|row| row.place)
    }

    /// Returns a code of which only the name is known, because only an inner process defines it (E2, E7). Returns
    /// `None` if the name is not well-formed.
    pub fn foreign(name: &str) -> Option<Self> {
        is_well_formed(name.as_bytes()).then(|| Self(Repr::Foreign(name.into())))
    }

    /// Like [`ErrorCode::custom`], for names that are known only at run time.
    pub fn try_own(name: &str, status: u16) -> Result<Self, &'static str> {
        match mistake(name, status) {
            Some(mistake) => Err(mistake),
            None => Ok(Self(Repr::Changed(Arc::new(ChangedCode::new(Text::Shared(name.into()), status, None))))),
        }
    }

    /// Changes a field of a custom code.
    #[track_caller]
    fn with(self, set: impl FnOnce(&mut ChangedCode)) -> Self {
        assert!(!self.is_in_catalogue(), "`{self}` {NOT_CUSTOM}");
        self.change(set)
    }

    /// Changes a field of a custom code, or of a code of the catalogue.
    #[track_caller]
    fn change(self, set: impl FnOnce(&mut ChangedCode)) -> Self {
        let mut code = match self.0 {
            Repr::Row(row) => Arc::new(ChangedCode::new(Text::Static(row.name), row.status, Some(row))),
            Repr::Plain { name, status } => Arc::new(ChangedCode::new(Text::Static(name), status, None)),
            Repr::Changed(code) => code,
            Repr::Foreign(name) => panic!("`{name}` {NOT_CUSTOM}"),
        };
        set(Arc::make_mut(&mut code));
        Self(Repr::Changed(code))
    }

    /// Returns the row of the code in the catalogue. For a custom code, returns the row for the code's status.
    fn row(&self) -> &'static Row {
        self.catalogue_row().unwrap_or_else(|| table::of_status(self.status().as_u16()))
    }

    /// Returns the row of the code in the catalogue, if it has one.
    #[inline]
    fn catalogue_row(&self) -> Option<&'static Row> {
        match &self.0 {
            Repr::Row(row) => Some(row),
            Repr::Changed(code) => code.row,
            Repr::Plain { .. } | Repr::Foreign(_) => None,
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl PartialEq for ErrorCode {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            // Different codes never have the name of the same row.
            (Repr::Row(row), Repr::Row(other)) => row.place == other.place,
            _ => self.as_str() == other.as_str(),
        }
    }
}

impl Eq for ErrorCode {}

impl Hash for ErrorCode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialEq<str> for ErrorCode {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for ErrorCode {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

/// Returns what is wrong with the name or the status of a custom code.
const fn mistake(name: &str, status: u16) -> Option<&'static str> {
    if !is_well_formed(name.as_bytes()) {
        Some("a code has the form [a-z][a-z0-9_]{0,62}")
    } else if table::find(name.as_bytes()).is_some() {
        Some(
            "choose another name, because a code of the catalogue cannot be redefined; to set its text, use say in a [[map]]",
        )
    } else if status < 400 || status > 599 {
        Some("an error status is 400 to 599")
    } else {
        None
    }
}

/// Returns true if a name has the form of a code (E2): `[a-z][a-z0-9_]{0,62}`.
pub const fn is_well_formed(name: &[u8]) -> bool {
    if name.is_empty() || name.len() > 63 || !name[0].is_ascii_lowercase() {
        return false;
    }
    let mut at = 1;
    while at < name.len() {
        if !matches!(name[at], b'a'..=b'z' | b'0'..=b'9' | b'_') {
            return false;
        }
        at += 1;
    }
    true
}

/// Returns true if a name may be sent to a client even where texts may not. Such a name has the form
/// `[A-Za-z0-9_.-]{1,64}`, so it cannot be an address.
#[doc(hidden)]
#[must_use]
pub fn is_identifier(code: &str) -> bool {
    (1..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests;
