//! The content of an error that is written in some dialect (R2, R12).

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use serde_json::value::RawValue;

use super::json::{self, Object, Writer, push_string, quoted, with_fields};
use super::json_rpc_call::JsonRpcCall;
use crate::code::ErrorCode;
pub use crate::code::is_identifier;

/// The values that a dialect may write about an error.
pub struct Outgoing<'a> {
    pub status: StatusCode,
    pub canonical: &'a ErrorCode,
    /// The code in the spelling of the dialect (R12).
    pub code: &'a str,
    /// The message: one printable line of limited length (E2).
    pub message: &'a str,
    /// The details as JSON text.
    pub details: Option<&'a str>,
    /// A JSON object with the fields of a body in another shape that the policy keeps (R12).
    pub kept: Option<&'a str>,
    pub request_id: &'a str,
    /// The time when the request began.
    pub now: SystemTime,
    /// The domain that the policy sets for the reasons of Google's errors.
    pub domain: &'a str,
    /// The time that the client should wait, which is also in the head.
    pub retry_after: Option<Duration>,
    pub advice: &'a WrittenAdvice<'a>,
    /// The JSON-RPC call in the request's body (R10).
    pub call: Option<&'a JsonRpcCall>,
}

/// The advice of an error on what its client can do next (E10).
#[derive(Debug, Default)]
pub struct WrittenAdvice<'a> {
    pub retry: Option<&'static str>,
    pub docs: Option<Docs<'a>>,
}

/// The address of a page about an error.
#[derive(Clone, Copy, Debug)]
pub enum Docs<'a> {
    Address(&'a str),
    /// The address consists of these pieces, with the code between them. No piece contains a character that JSON
    /// escapes.
    OfCode {
        pieces: &'a [Box<str>],
        code: &'a str,
    },
}

impl<'a> Docs<'a> {
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Address(address) => address.into(),
            Self::OfCode { pieces, code } => pieces.join(code).into(),
        }
    }

    /// Returns the length of the address as a JSON string without quotes. The address has no character that JSON
    /// escapes.
    pub fn len(self) -> usize {
        match self {
            Self::Address(address) => address.len(),
            Self::OfCode { pieces, code } => {
                pieces.iter().map(|piece| piece.len() + code.len()).sum::<usize>() - code.len()
            }
        }
    }

    /// Writes the address as a JSON string. The parts of the address are written one after the other, and are not
    /// joined first.
    pub fn push_to(self, json: &mut Vec<u8>) {
        match self {
            Self::Address(address) => push_string(json, address),
            Self::OfCode { pieces, code } => {
                json.push(b'"');
                for (at, piece) in pieces.iter().enumerate() {
                    if at > 0 {
                        json.extend_from_slice(code.as_bytes());
                    }
                    json.extend_from_slice(piece.as_bytes());
                }
                json.push(b'"');
            }
        }
    }
}

/// An inner body that already is in the dialect of the route.
pub struct PreservedBody<'a> {
    pub body: Object<'a>,
    /// True if the body's fields may pass. If the fields may not pass, only names in the body may pass (R3).
    pub whole: bool,
    /// True if the service's status is a 5xx.
    pub failed: bool,
    /// True if the client chose the dialect, so that the layer sets code, details and id (R11).
    pub negotiated: bool,
}

impl<'a> Outgoing<'a> {
    /// Returns the approximate number of bytes of the body.
    pub(super) fn size(&self) -> usize {
        192 + self.message.len() + self.details.map_or(0, str::len)
    }

    /// Returns the phrase of the status, or the text of the code if the status has no phrase.
    pub fn title(&self) -> &'a str {
        self.status.canonical_reason().unwrap_or_else(|| self.canonical.default_message())
    }

    pub(super) fn with_kept(&self, json: Writer) -> Writer {
        let Some(kept) = self.kept.and_then(Object::parse) else { return json };
        kept.members().fold(json, |json, (name, value)| json.raw(name, value.get()))
    }

    pub(super) fn with_details(&self, json: Writer) -> Writer {
        match self.details {
            Some(details) => json.raw("details", details),
            None => json,
        }
    }
}

impl PreservedBody<'_> {
    /// Returns true if an error object in the body keeps its own code (R12). The code must be a name, and not a
    /// sentence or an object.
    pub(super) fn keeps_code(&self, of: &Object<'_>) -> bool {
        let has_words = || self.whole && of.words("code").is_some();
        !self.negotiated && (of.raw("code").is_some_and(is_name) || has_words())
    }

    /// Returns an error object of the body with our message and with `more`. A code that may not stay is replaced. If
    /// the fields may not pass, our details replace the body's.
    pub(super) fn rewrite_error(&self, error: &Object<'_>, out: &Outgoing<'_>, more: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let code = (!self.keeps_code(error)).then(|| ("code", quoted(out.code)));
        let details = out.details.filter(|_| !self.whole).map(|details| ("details", details.into()));
        let set = code.into_iter().chain([("message", quoted(out.message))]).chain(more.iter().cloned()).chain(details);
        let stays = |name: &str, value: &_| self.whole || name == "code" && is_name(value);
        with_fields(error, &set.collect::<Vec<_>>(), &stays)
    }
}

/// Returns true if a value is a name, which may pass even if texts may not. A number is treated as a name. A string is
/// a name if it has the form of an identifier.
pub(super) fn is_name(value: &RawValue) -> bool {
    json::is_number(value) || json::string(value).is_some_and(|name| is_identifier(&name))
}

/// Returns true if a service's code has a form in which clients may get it next to the canonical code (E9):
/// `[A-Za-z0-9_.:/-]{1,64}`.
pub fn is_upstream_code(code: &str) -> bool {
    (1..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'/' | b'-'))
}

/// Formats a time as RFC 3339. A time after the year 9999, which RFC 3339 cannot express, is written as the end of that
/// year. A time before the epoch is written as the epoch.
pub(super) fn timestamp(at: SystemTime) -> String {
    const LAST: Duration = Duration::from_millis(253_402_300_799_999);
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().min(LAST);
    // `Sun, 06 Nov 1994 08:49:37 GMT`
    let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
    let month = "JanFebMarAprMayJunJulAugSepOctNovDec".find(&date[8..11]).unwrap_or_default() / 3 + 1;
    format!("{}-{month:02}-{}T{}.{:03}Z", &date[12..16], &date[5..7], &date[17..25], since.subsec_millis())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

    pub(crate) fn out() -> Outgoing<'static> {
        static NOT_FOUND: ErrorCode = ErrorCode::NOT_FOUND;

        Outgoing {
            status: StatusCode::NOT_FOUND,
            canonical: &NOT_FOUND,
            code: "not_found",
            message: "Not found.",
            details: None,
            kept: None,
            request_id: ID,
            now: SystemTime::UNIX_EPOCH,
            domain: "x.test",
            retry_after: None,
            advice: &WrittenAdvice { retry: None, docs: None },
            call: None,
        }
    }

    pub(crate) fn preserved(body: &str, whole: bool) -> PreservedBody<'_> {
        PreservedBody { body: Object::parse(body).unwrap(), whole, failed: false, negotiated: false }
    }

    pub(crate) fn text(body: Vec<u8>) -> String {
        String::from_utf8(body).unwrap()
    }
}
