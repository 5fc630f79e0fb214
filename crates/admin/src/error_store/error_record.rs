//! The part of a closed record that the store keeps. Its times are in UTC.

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use error_envelope_core::cause;
use error_envelope_core::code::ErrorCode;
use error_envelope_core::policy::{Mode, UpstreamUrl};
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{
    BodyCapture, CapturedBody, ClosedRecord, DecidedBy, End, KnownMethod, Origin, Outcome, ProxyFailure, SentStatus,
    ServiceAnswer, Shape,
};
use error_envelope_runtime::cause_text;

use super::place::Place;
use super::redact::{self, Hidden};

/// The stored record of a request that failed, or whose client left. In texts that come from the client or the service,
/// anything that looks like a credential is removed.
#[derive(Clone, Debug)]
pub(crate) struct ErrorRecord {
    pub(crate) id: RequestId,
    /// The time at which the record was closed, in milliseconds since the Unix epoch.
    pub(crate) at: u64,
    pub(crate) place: Place,
    /// The mode that applied to the request.
    pub(crate) mode: Mode,
    /// True if the mode is `off` because the kill switch is on.
    pub(crate) kill_switch: bool,
    pub(crate) kind: Arc<Kind>,
    pub(crate) request: RequestLine,
    /// The names of the fields of the service's error that the layer dropped.
    pub(crate) dropped: Option<Box<str>>,
    /// True if a separate thread redacts the bodies and adds them later.
    pub(crate) has_bodies: bool,
    /// The cause of the failure. It is stored if the policy shows bodies, or if the gateway itself failed.
    pub(crate) cause: Option<Box<str>>,
    /// The client's trace id, if the request continues a trace of the client.
    pub(crate) trace_id: Option<Box<str>>,
}

/// The facts about the request of an error, and the time that it took.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestLine {
    pub(crate) method: Option<KnownMethod>,
    /// The path without the query, and without anything that looks like a credential.
    pub(crate) path: Option<Box<str>>,
    pub(crate) service: Option<UpstreamUrl>,
    pub(crate) client: Option<Box<str>>,
    pub(crate) caller: Option<Box<str>>,
    pub(crate) duration_ms: Option<u64>,
}

/// The severity of an error. Each severity needs a different reaction of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Severity {
    /// The client got an error that it did not cause.
    ServerError,
    /// The body of the response was cut off.
    Broken,
    /// A guard refused the request.
    Refusal,
    /// A guard that only observes would have refused the request.
    WouldRefuse,
}

impl Severity {
    /// Returns the outcome that all requests of this severity have, or `None` if their outcomes differ.
    pub(crate) fn outcome(self) -> Option<Outcome> {
        match self {
            Self::ServerError => Some(Outcome::ServerError),
            Self::Broken => Some(Outcome::Broken),
            Self::Refusal => Some(Outcome::ClientError),
            Self::WouldRefuse => None,
        }
    }
}

/// The status and code that the client got, or would have got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShownStatus {
    pub(crate) status: u16,
    pub(crate) grpc: Option<u8>,
    /// The code, or `None` if there is no code or if it may not be shown.
    pub(crate) code: Option<ErrorCode>,
}

/// The fields that many records have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The origin of the error, or `None` if the layer did not examine the error, as in mode `off`.
    pub(crate) origin: Option<Origin>,
    pub(crate) outcome: Outcome,
    pub(crate) end: End,
    /// The status and code that the client got, or `None` if no response head was sent.
    pub(crate) sent: Option<ShownStatus>,
    /// The status and code that the client would have got in mode `enforce` or without `auth_observe`, if they differ.
    pub(crate) would_be: Option<ShownStatus>,
    pub(crate) service: Option<ServiceAnswer>,
    pub(crate) dialect: Option<Shape>,
    pub(crate) by: Option<DecidedBy>,
    /// The code that the service sent, if the policy does not know it.
    pub(crate) unknown: Option<Box<str>>,
    /// The codes with which guards that only observe would have refused the request.
    pub(crate) would_refuse: Vec<ErrorCode>,
    /// True if a guard that only observes would have refused the request in mode `own`.
    pub(crate) own_would_refuse: bool,
    /// The first of the modes `fill` and `enforce` that would rewrite the error.
    pub(crate) rewriting_mode: Option<Mode>,
}

/// A stored error, or a stored request whose client left.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The number of the entry. Entries are numbered from 1, in the order in which they were stored.
    pub(crate) number: u64,
    pub(crate) seen: ErrorRecord,
    /// The bodies. They are set once the credentials have been removed from them.
    pub(crate) bodies: OnceLock<Bodies>,
}

/// The body that the service sent and the body that the client got, both without credentials.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    pub(crate) before: Option<Side>,
    pub(crate) after: Option<Side>,
}

/// One of the two bodies: before or after the layer.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) status: u16,
    pub(crate) content_type: Option<Box<str>>,
    /// The text of the body, or `None` if it is not text.
    pub(crate) text: Option<Box<str>>,
    /// The length of the part of the body that was captured, in bytes.
    pub(crate) length: usize,
    /// True if the whole body was captured, and its text is whole.
    pub(crate) whole: bool,
}

impl ErrorRecord {
    pub(crate) fn new(record: &ClosedRecord, at: u64) -> Self {
        let notes = record.notes();
        Self {
            id: record.request_id(),
            at,
            place: Place { route: record.shared_route(), scope: record.scope().map(Arc::from) },
            mode: record.own_mode(),
            kill_switch: record.kill_switch(),
            kind: Arc::new(Kind::new(record)),
            request: RequestLine::new(record, at),
            dropped: notes.dropped_fields.as_deref().map(without_secrets),
            has_bodies: record.captured().is_some(),
            // If the gateway itself failed, the gateway wrote the text of the cause, so the text may be shown.
            cause: record
                .cause()
                .filter(|cause| record.shows_bodies() || cause::find::<ProxyFailure>(*cause).is_some())
                .map(shown_cause),
            trace_id: notes.trace_id().map(Into::into),
        }
    }
}

/// Returns the error and its causes on one line, as in the log, but without anything that looks like a credential.
#[cold]
fn shown_cause(cause: &(dyn Error + Send + Sync + 'static)) -> Box<str> {
    /// The longest text to store, in characters. The whole text is in the log.
    const LONGEST: usize = 1024;

    let text = cause_text(cause);
    without_secrets(bounded(&text, LONGEST))
}

fn without_secrets(text: &str) -> Box<str> {
    redact::text(text).into()
}

impl RequestLine {
    fn new(record: &ClosedRecord, at: u64) -> Self {
        const LONGEST: usize = 256;

        let notes = record.notes();
        Self {
            method: Some(record.method()),
            path: notes.path().map(|path| without_secrets(bounded(path, LONGEST))),
            service: record.upstream().cloned(),
            caller: notes.caller().map(|caller| without_secrets(bounded(caller, LONGEST))),
            client: notes.client().map(|client| without_secrets(bounded(client, LONGEST))),
            duration_ms: notes.began().map(|began| at.saturating_sub(milliseconds(began))),
        }
    }
}

/// Returns at most the first `most` characters of a text from a client.
fn bounded(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

impl ShownStatus {
    fn new(sent: &SentStatus) -> Self {
        // A code that is neither in the catalogue nor in the policy comes from the service, and may look like a
        // credential.
        let code = sent.code.as_ref().filter(|code| redact::text(code.as_str()) == code.as_str()).cloned();
        Self { status: sent.status.as_u16(), grpc: sent.grpc, code }
    }

    /// Returns the text of the code, or an empty text if there is no code.
    pub(crate) fn code_of(shown: Option<&Self>) -> &str {
        shown.and_then(|shown| shown.code.as_ref()).map_or("", ErrorCode::as_str)
    }
}

impl Kind {
    fn new(record: &ClosedRecord) -> Self {
        Self {
            origin: record.origin(),
            outcome: record.outcome(),
            end: record.delivery().end,
            sent: record.sent().map(ShownStatus::new),
            would_be: record.would_be().map(ShownStatus::new),
            service: record.service().copied(),
            dialect: record.dialect(),
            by: record.decided_by(),
            unknown: record.notes().unknown_code.as_deref().map(without_secrets),
            would_refuse: record.would_refuse().cloned().collect(),
            own_would_refuse: record.own_would_refuse(),
            rewriting_mode: record.rewriting_mode(),
        }
    }

    /// Returns the severity, or `None` if the client got what it requested, or an error that it caused itself.
    pub(crate) fn severity(&self) -> Option<Severity> {
        match self.outcome {
            Outcome::ServerError => Some(Severity::ServerError),
            Outcome::Broken => Some(Severity::Broken),
            Outcome::ClientError if self.is_refused() => Some(Severity::Refusal),
            _ => None,
        }
    }

    /// Returns true if a guard that enforces refused the request.
    fn is_refused(&self) -> bool {
        self.origin == Some(Origin::Guard) && self.would_be.is_none()
    }

    /// Returns true if the request passed, although guards that only observe would have refused it.
    pub(crate) fn passed_unrefused(&self) -> bool {
        !self.would_refuse.is_empty() && !self.is_refused()
    }
}

impl Entry {
    pub(crate) fn new(number: u64, seen: ErrorRecord) -> Self {
        Self { number, seen, bodies: OnceLock::new() }
    }
}

impl Bodies {
    /// Removes credentials from both bodies. A value that is removed from the service's body is also removed from the
    /// client's body.
    pub(crate) fn new(captured: &BodyCapture) -> Self {
        let mut hidden = Hidden::default();
        let mut side = |shown: &CapturedBody| Side::new(shown, &mut hidden);
        Self { before: captured.before.as_ref().map(&mut side), after: captured.after.as_ref().map(side) }
    }
}

impl Side {
    fn new(shown: &CapturedBody, hidden: &mut Hidden) -> Self {
        let (content_type, body) = (shown.content_type.as_deref(), &shown.body);
        let (text, whole) = redact::body(content_type, body, shown.is_whole, hidden).unzip();
        Self {
            status: shown.status.as_u16(),
            content_type: content_type.map(without_secrets),
            text: text.map(Into::into),
            length: body.len(),
            whole: whole.unwrap_or(shown.is_whole),
        }
    }
}

/// Converts a time to milliseconds since the Unix epoch.
pub(crate) fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Formats a time as `2026-11-21T14:02:33.120Z`, even if the clock was set to an extreme time.
pub(crate) fn time(at: SystemTime) -> String {
    rfc3339(milliseconds(at))
}

/// Formats a time in milliseconds since the Unix epoch as `2026-11-21T14:02:33.120Z`.
pub(crate) fn rfc3339(at_ms: u64) -> String {
    // The last millisecond of the year 9999. Later dates do not fit this format.
    const LAST: u64 = 253_402_300_799_999;

    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at_ms.min(LAST))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Kind {
        pub(crate) fn of(origin: Origin, status: u16) -> Self {
            Self {
                origin: Some(origin),
                outcome: match status {
                    500.. => Outcome::ServerError,
                    400.. => Outcome::ClientError,
                    _ => Outcome::Ok,
                },
                end: End::Complete,
                sent: Some(ShownStatus { status, grpc: None, code: None }),
                would_be: None,
                service: None,
                dialect: None,
                by: None,
                unknown: None,
                would_refuse: Vec::new(),
                own_would_refuse: false,
                rewriting_mode: None,
            }
        }
    }

    #[test]
    fn a_time_fits_its_format() {
        assert_eq!(rfc3339(1_795_262_400_000), "2026-11-21T12:00:00.000Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
