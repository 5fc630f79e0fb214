//! The record of an event, with its times in UTC.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use error_envelope_core::cause;
use error_envelope_core::code::ErrorCode;
use error_envelope_core::policy::{Mode, UpstreamUrl};
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{
    BodyCapture, CapturedBody, DecidedBy, Event, KnownMethod, Origin, ProxyFailure, Shape,
};
use error_envelope_runtime::cause_text;

use super::redact::{self, Hidden};

/// One event, as it is counted. Anything that looks like a credential is removed from text that the client or the
/// service chose.
#[derive(Clone, Debug)]
pub(crate) struct ErrorRecord {
    pub(crate) id: RequestId,
    /// In milliseconds since the Unix epoch.
    pub(crate) at: u64,
    /// The pattern; `None` where no route matched.
    pub(crate) route: Option<Arc<str>>,
    pub(crate) scope: Option<Arc<str>>,
    pub(crate) mode: Mode,
    pub(crate) kind: Arc<Kind>,
    pub(crate) request: RequestLine,
    /// The names of fields that are dropped.
    pub(crate) dropped: Option<Box<str>>,
    /// Whether the bodies follow.
    pub(crate) has_bodies: bool,
    /// The cause of the failure, if the policy shows bodies.
    pub(crate) cause: Option<Box<str>>,
    /// The trace of the client, if the request continues one.
    pub(crate) trace_id: Option<Box<str>>,
}

/// The request of an error, and how long it took.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestLine {
    pub(crate) method: Option<KnownMethod>,
    /// Without the query, and without what looks like a credential.
    pub(crate) path: Option<Box<str>>,
    pub(crate) service: Option<UpstreamUrl>,
    pub(crate) client: Option<Box<str>>,
    pub(crate) caller: Option<Box<str>>,
    pub(crate) duration_ms: Option<u64>,
}

/// How urgent an error is for an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Severity {
    /// The client got a 5xx.
    Fault,
    /// The client got no whole response, and no 5xx.
    CutOff,
    /// A guard refused the request.
    Refusal,
    /// A guard that only observes would have refused the request.
    WouldRefuse,
    Other,
}

/// What many errors have in common; errors of one kind are counted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kind {
    pub(crate) origin: Origin,
    /// The code, if there is one that may be shown.
    pub(crate) code: Option<ErrorCode>,
    /// The status that the client got; `None` if no response left.
    pub(crate) sent: Option<u16>,
    /// Whether the body of the response broke off.
    pub(crate) is_cut_off: bool,
    /// The status that it would get in `enforce`, if the mode is an earlier one.
    pub(crate) would_be: Option<u16>,
    pub(crate) grpc: Option<u8>,
    pub(crate) dialect: Option<Shape>,
    pub(crate) by: Option<DecidedBy>,
    /// A code that the service sent, and that is not known.
    pub(crate) unknown: Option<Box<str>>,
    /// The codes with which guards that only observe would have refused the request.
    pub(crate) would_refuse: Vec<ErrorCode>,
    /// Whether one of these guards would refuse it in mode `own`.
    pub(crate) own_would_refuse: bool,
    /// Whether mode `fill` would rewrite it.
    pub(crate) fill_would_rewrite: bool,
}

/// One of the last errors.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Counts from 1, in the order in which errors were seen.
    pub(crate) number: u64,
    pub(crate) seen: ErrorRecord,
    /// Set once the credentials have been removed from the bodies.
    pub(crate) bodies: OnceLock<Bodies>,
    /// Whether the response broke off later.
    pub(crate) broke_off: AtomicBool,
}

/// The bodies before and after the layer, without credentials.
#[derive(Debug, Default)]
pub(crate) struct Bodies {
    pub(crate) before: Option<Side>,
    pub(crate) after: Option<Side>,
}

/// The body before or after.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) status: u16,
    pub(crate) content_type: Option<Box<str>>,
    /// `None` if it is not text.
    pub(crate) text: Option<Box<str>>,
    /// The length of the stored part, in bytes.
    pub(crate) length: usize,
    pub(crate) whole: bool,
}

impl ErrorRecord {
    pub(crate) fn from_event(event: &Event, at: u64) -> Self {
        Self {
            id: event.request_id(),
            at,
            route: event.shared_route(),
            scope: event.scope().map(Arc::from),
            mode: event.mode(),
            kind: Arc::new(Kind::from_event(event)),
            request: RequestLine::from_event(event, at),
            dropped: event.notes().dropped_fields().map(without_secrets),
            has_bodies: event.captured().is_some(),
            // If the gateway itself failed, the text is its own.
            cause: event
                .cause()
                .filter(|cause| event.shows_bodies() || cause::find::<ProxyFailure>(*cause).is_some())
                .map(shown_cause),
            trace_id: event.notes().trace_id().map(Into::into),
        }
    }
}

/// The error and its causes on one line, as in the log, without what looks like a credential.
#[cold]
fn shown_cause(cause: &(dyn Error + Send + Sync + 'static)) -> Box<str> {
    /// The longest text to store, in characters: the whole text is in the log.
    const LONGEST: usize = 1024;

    let text = cause_text(cause);
    without_secrets(bounded(&text, LONGEST))
}

fn without_secrets(text: &str) -> Box<str> {
    redact::text(text).into()
}

impl RequestLine {
    fn from_event(event: &Event, at: u64) -> Self {
        const LONGEST: usize = 256;

        let notes = event.notes();
        Self {
            method: event.method(),
            path: notes.path().map(|path| without_secrets(bounded(path, LONGEST))),
            service: event.upstream().cloned(),
            caller: notes.caller().map(|caller| without_secrets(bounded(caller, LONGEST))),
            client: notes.client().map(|client| without_secrets(bounded(client, LONGEST))),
            duration_ms: notes.began().map(|began| at.saturating_sub(milliseconds(began))),
        }
    }
}

/// The first characters of a text from a client.
fn bounded(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

impl Kind {
    pub(crate) fn severity(&self) -> Severity {
        match (self.sent, self.origin) {
            (Some(500..), _) => Severity::Fault,
            (None, Origin::Panic | Origin::Error) => Severity::CutOff,
            _ if self.is_cut_off => Severity::CutOff,
            (_, Origin::Guard) if self.would_be.is_none() => Severity::Refusal,
            _ => Severity::Other,
        }
    }

    /// Whether the event is about a guard that only observes: its code is not that of the response.
    pub(crate) fn is_observed_refusal(&self) -> bool {
        self.origin == Origin::Guard && self.would_be.is_some()
    }

    /// Whether the client got an error.
    pub(crate) fn is_sent_error(&self) -> bool {
        !self.is_observed_refusal() || self.sent.is_some_and(|status| status >= 400)
    }

    fn from_event(event: &Event) -> Self {
        Self {
            origin: event.origin(),
            // Codes of the catalogue and of the policy come from an operator; any other comes from the service.
            code: event.code().filter(|code| redact::text(code.as_str()) == code.as_str()).cloned(),
            sent: event.status().or(event.cut_off()).map(|status| status.as_u16()),
            is_cut_off: event.cut_off().is_some(),
            would_be: event.would_be().map(|status| status.as_u16()),
            grpc: event.grpc_status(),
            dialect: event.dialect(),
            by: event.decided_by(),
            unknown: event.notes().unknown_code().map(without_secrets),
            would_refuse: event.would_refuse().cloned().collect(),
            own_would_refuse: event.own_would_refuse(),
            fill_would_rewrite: event.fill_would_rewrite(),
        }
    }

    #[cfg(test)]
    pub(crate) fn of(origin: Origin, status: u16) -> Self {
        Self {
            origin,
            code: None,
            sent: Some(status),
            is_cut_off: false,
            would_be: None,
            grpc: None,
            dialect: None,
            by: None,
            unknown: None,
            would_refuse: Vec::new(),
            own_would_refuse: false,
            fill_would_rewrite: false,
        }
    }

    /// The code's text; empty without a code.
    pub(crate) fn code(&self) -> &str {
        self.code.as_ref().map_or("", ErrorCode::as_str)
    }

    pub(crate) fn is_error(&self) -> bool {
        self.origin != Origin::Abandoned
    }
}

impl Entry {
    pub(crate) fn new(number: u64, seen: ErrorRecord) -> Self {
        Self { number, seen, bodies: OnceLock::new(), broke_off: AtomicBool::new(false) }
    }

    pub(crate) fn is_cut_off(&self) -> bool {
        self.seen.kind.is_cut_off || self.broke_off.load(Ordering::Relaxed)
    }

    /// The service's own status; `None` if it was not called, or sent none.
    pub(crate) fn inner_status(&self) -> Option<u16> {
        let before = self.bodies.get().and_then(|bodies| bodies.before.as_ref());
        let kind = &self.seen.kind;
        before.map(|side| side.status).or(kind.sent.filter(|_| kind.is_cut_off || kind.origin == Origin::Inner))
    }
}

impl Bodies {
    /// Removes credentials from both bodies. A value that is removed from the service's body is removed from the client's
    /// as well.
    pub(crate) fn new(captured: &BodyCapture) -> Self {
        let mut hidden = Hidden::default();
        let mut side = |shown: &CapturedBody| Side::new(shown, &mut hidden);
        Self { before: captured.before().map(&mut side), after: captured.after().map(side) }
    }
}

impl Side {
    fn new(shown: &CapturedBody, hidden: &mut Hidden) -> Self {
        let (content_type, body, whole) = (shown.content_type(), shown.body(), shown.is_whole());
        Self::redact(shown.status().as_u16(), content_type, body, whole, hidden)
    }

    pub(crate) fn redact(
        status: u16,
        content_type: Option<&str>,
        body: &[u8],
        whole: bool,
        hidden: &mut Hidden,
    ) -> Self {
        Self {
            status,
            content_type: content_type.map(without_secrets),
            text: redact::body(content_type, body, whole, hidden).map(Into::into),
            length: body.len(),
            whole,
        }
    }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `2026-11-21T14:02:33.120Z`, whatever the clock was set to.
pub(crate) fn time(at: SystemTime) -> String {
    rfc3339(milliseconds(at))
}

/// `2026-11-21T14:02:33.120Z`.
pub(crate) fn rfc3339(at_ms: u64) -> String {
    // The last millisecond of the year 9999: later dates do not fit this format.
    const LAST: u64 = 253_402_300_799_999;

    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(at_ms.min(LAST))).to_string()
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn a_time_fits_its_format() {
        assert_eq!(rfc3339(1_795_262_400_000), "2026-11-21T12:00:00.000Z");
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
