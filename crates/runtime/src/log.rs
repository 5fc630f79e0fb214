//! Writes one log line for each error (rules L1, L3), with the target `tower_error_envelope`.

use std::error::Error;
use std::net::IpAddr;
#[cfg(feature = "policy-file")]
use std::path::Path;

use http::StatusCode;
use tracing::dispatcher::{self, Dispatch};
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Span};

use error_envelope_core::cause::{self, Unrecognised};
use error_envelope_core::code::{self, ErrorCode};
use error_envelope_core::fault::Fault;
use error_envelope_core::message;
use error_envelope_core::policy::Policy;
#[cfg(feature = "policy-file")]
use error_envelope_core::policy::PolicyError;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{
    ClosedRecord, End, Origin, Outcome, RecordFields, SentStatus, UnreadReason, fault_cause,
};

use crate::catch::catch;
use crate::count;

/// The most bytes of a cause's text in the log.
const MAX_CAUSE: usize = 4096;

/// Writes the log line of a request that failed, or whose client left. For a success, writes only notes, such as about
/// replaced ids (I2, I3, G1).
pub(crate) fn write_record(record: &ClosedRecord) {
    let notes = record.notes();
    if notes.only_original_path {
        // The layer is probably inside a nested router by mistake. The router has stripped a prefix from the path, and
        // the policy's routes match only the path with this prefix (G0).
        tracing::warn!(
            target: "tower_error_envelope",
            request_id = %record.request_id(),
            "a router stripped a prefix from the path, and the policy's routes match only the whole path; the guards \
             of both paths apply"
        );
    }
    if record.origin().is_none() && record.sent().is_some() {
        return write_notes(record.request_id(), notes);
    }
    // Without a subscriber, the only cost is this comparison of two levels.
    let level = level(record);
    if level <= LevelFilter::current() {
        write_line(level, record);
    }
}

/// Passes the record to its observer, if it has one.
pub(crate) fn observe(record: &ClosedRecord) {
    let Some(observer) = record.observer() else { return };
    if let Err(panic) = catch(|| observer.on_record(record)) {
        tracing::error!(target: "tower_error_envelope", request_id = %record.request_id(), panic, "the observer panicked");
    }
}

/// Returns the level of a record's log line. An error of the server has the level ERROR, with two exceptions, in which
/// no part of the service is broken. A 503 has the level WARN, because the service is only busy. A 501 has the level
/// INFO, because the client requested something that does not exist, such as an unknown gRPC method.
fn level(record: &ClosedRecord) -> Level {
    let got = record.sent().filter(|sent| sent.outcome() != Outcome::Ok);
    // The prediction of a guard that only observes does not lower the level of a service's own 5xx, or of a body that
    // was cut off. If a stream ends with a fault, or a body is cut off, the status in the head is a success. In this
    // case the status of the error's code determines the level.
    let would_be = record.would_be().filter(|_| record.outcome() != Outcome::Broken);
    let status = got.or(would_be).map(SentStatus::as_http).or_else(|| record.code().map(ErrorCode::status));
    let is_clients = matches!(record.outcome(), Outcome::ClientLeft | Outcome::ClientError);
    match status {
        _ if matches!(record.origin(), None | Some(Origin::Abandoned)) => Level::INFO,
        // If the client left or sent a malformed request, there may be no status. A panic is still an error.
        _ if is_clients && record.origin() != Some(Origin::Panic) => Level::INFO,
        Some(StatusCode::SERVICE_UNAVAILABLE) => Level::WARN,
        Some(StatusCode::NOT_IMPLEMENTED) => Level::INFO,
        Some(status) if status.as_u16() < 500 => Level::INFO,
        _ => Level::ERROR,
    }
}

/// Writes the notes about a request, such as removed headers and replaced ids (I2, I3, G0, G1).
fn write_notes(id: RequestId, notes: &RecordFields) {
    if let Some(names) = notes.removed_headers.as_deref() {
        tracing::info!(
            target: "tower_error_envelope",
            request_id = %id,
            removed_headers = names,
            "removed request headers that a service may confuse with others"
        );
    }
    if notes.client_request_id.as_deref().or(notes.upstream_request_id.as_deref()).is_none() {
        return;
    }
    // The level is TRACE, because every success has this note if a service sends its own ids.
    tracing::trace!(
        target: "tower_error_envelope",
        request_id = %id,
        client_request_id = notes.client_request_id.as_deref(),
        upstream_request_id = notes.upstream_request_id.as_deref(),
        "replaced a request id sent by the client or the service"
    );
}

/// Logs the figures of the active policy. `classifier` is true if the layer has a classifier of errors, and `None` if
/// this is unknown.
pub fn log_policy(policy: &Policy, classifier: Option<bool>, message: &'static str) {
    let figures = policy.summary();
    tracing::info!(
        target: "tower_error_envelope",
        policy = figures.origin(),
        hash = figures.hash(),
        scopes = figures.scopes(),
        routes = figures.routes(),
        map_rules = figures.map_rules(),
        own_codes = figures.own_codes(),
        mode = figures.mode().as_str(),
        mode_from = figures.mode_from(),
        body_limit = %figures.body_limit().map_or("none".to_owned(), |bytes| bytes.to_string()),
        classifier,
        "{message}"
    );
}

/// Logs a change of the kill switch. The operator's name and the reason are not verified.
pub(crate) fn log_switched(on: bool, [by, reason]: [Option<&str>; 2], client: Option<IpAddr>) {
    count::record_switch(if on { "on" } else { "off" });
    let message = if on {
        "kill switch turned on: every route is in mode off"
    } else {
        "kill switch turned off: the policy's modes apply again"
    };
    tracing::warn!(
        target: "tower_error_envelope",
        on,
        claimed_by = by,
        claimed_reason = reason,
        client_address = client.map(tracing::field::display),
        "{message}"
    );
}

/// Logs that the kill switch was restored to its state before this process began.
pub(crate) fn log_switch_restored(on: bool) {
    count::record_switch_state(on);
    tracing::info!(target: "tower_error_envelope", on, "restored the kill switch from its journal");
}

/// Logs that a policy was reloaded, and applies from now on (M3).
#[cfg(feature = "policy-file")]
pub(crate) fn log_policy_reloaded(policy: &Policy) {
    count::record_reload("taken");
    count::record_policy(policy.summary().hash());
    log_policy(policy, None, "reloaded the policy");
}

/// Logs that a policy was refused (M2).
#[cfg(feature = "policy-file")]
pub(crate) fn log_policy_refused(path: &Path, error: &PolicyError) {
    count::record_reload("refused");
    tracing::error!(
        target: "tower_error_envelope",
        policy = %path.display(),
        error = %error,
        "rejected the new policy; the old one stays active"
    );
}

/// Logs that a folder of the policy cannot be watched, so that changes in it will not be noticed.
#[cfg(feature = "policy-file")]
pub(crate) fn log_unwatched(path: &Path, error: &(dyn Error + 'static)) {
    tracing::error!(
        target: "tower_error_envelope",
        policy = %path.display(),
        error,
        "cannot watch a folder of the policy; changes in it take effect at the next explicit reload"
    );
}

/// The target of the span around a request.
const REQUEST: &str = "tower_error_envelope::request";

/// Returns true if a log subscriber may want the spans of requests. [`request_span`] then checks this for each request.
#[inline]
#[must_use]
pub fn may_want_span() -> bool {
    Level::INFO <= LevelFilter::current()
}

/// Returns the span of a request (L1). Log lines of the service inside this span show the request id. Returns `None` if
/// no subscriber wants the span, because even a disabled span has a cost.
#[inline(never)]
pub fn request_span(id: RequestId) -> Option<Span> {
    let wanted = tracing::span_enabled!(target: REQUEST, Level::INFO, "envelope");
    wanted.then(|| {
        tracing::info_span!(
            target: REQUEST,
            "envelope",
            request_id = %id,
            error.type = Empty,
            http.response.status_code = Empty
        )
    })
}

/// Returns true if a subscriber wants the outcome of a request in the request's span. The outcome is recorded only at
/// TRACE, because a formatter writes all fields of a span again for each recorded value.
#[inline]
fn records_outcome() -> bool {
    Level::TRACE <= LevelFilter::current() && tracing::enabled!(target: REQUEST, Level::TRACE)
}

/// Records a response's status in the span of its request, under OpenTelemetry's name.
#[inline]
pub fn record_status(span: &Span, status: StatusCode) {
    if records_outcome() {
        span.record("http.response.status_code", status.as_u16());
    }
}

/// Records the status and code of an error in the span of its request. Call it after the error's log line is written,
/// because that line already contains these values.
fn record_error(span: Option<&Span>, record: &ClosedRecord) {
    if !records_outcome() || record.would_be().is_some() {
        return;
    }
    let span = span.cloned().unwrap_or_else(Span::current);
    if let Some(status) = record.status() {
        record_status(&span, status);
    }
    if let Some(code) = record.code() {
        span.record("error.type", code.as_str());
    }
}

/// Returns true if the current span is the span of a request.
fn is_inside_span() -> bool {
    // `Span::current` is not used, because it increments the reference count of the span.
    let target = |dispatch: &Dispatch| dispatch.current_span().metadata().map(Metadata::target);
    dispatcher::get_default(target) == Some(REQUEST)
}

/// Writes the log line of a record.
#[inline(never)]
fn write_line(level: Level, record: &ClosedRecord) {
    macro_rules! line {
        ($level:expr) => {
            if tracing::enabled!(target: "tower_error_envelope", $level) {
                let notes = record.notes();
                let cause = record.cause().and_then(remaining_cause).or_else(|| undeclared_code(notes));
                let code_of = |sent: Option<&SentStatus>| Some(sent?.code.as_ref()?.as_str().to_owned());
                let end = record.delivery().end;
                // If the code runs outside the span of the request, the line gets its own span. This happens for
                // example after a guard's refusal, or when a future is dropped.
                let span = if is_inside_span() { None } else { request_span(record.request_id()) };
                let _entered = span.as_ref().map(Span::enter);
                tracing::event!(
                    target: "tower_error_envelope",
                    $level,
                    request_id = %record.request_id(),
                    code = record.code().map(|code| code.as_str()),
                    status = record.status().map(|status| status.as_u16()),
                    grpc_status = record.grpc_status(),
                    also = also(&notes.also).as_deref(),
                    unread = record.unread().map(UnreadReason::as_str),
                    would_be_code = code_of(record.would_be()),
                    would_be_status = record.would_be().map(|sent| sent.status.as_u16()),
                    would_be_grpc_status = record.would_be().and_then(|sent| sent.grpc),
                    service_code = notes.service_code.as_ref().map(|code| code.as_str()),
                    origin = record.origin().map(|origin| origin.as_str()),
                    end = (end != End::Complete).then(|| end.as_str()),
                    dialect = record.dialect().map(|dialect| dialect.as_str()),
                    route = record.route(),
                    scope = record.scope(),
                    upstream = record.upstream().map(tracing::field::display),
                    method = record.method().as_str(),
                    path = record.shown_path().map(message::on_one_line).as_deref(),
                    mode = record.own_mode().as_str(),
                    kill_switch = record.kill_switch().then_some(true),
                    decided_by = record.decided_by().map(|by| by.as_str()),
                    unknown_code = notes.unknown_code.as_deref(),
                    readings = record.readings(),
                    policy_status = notes.policy_status.map(|status| status.as_u16()),
                    cause,
                    client_request_id = notes.client_request_id.as_deref(),
                    upstream_request_id = notes.upstream_request_id.as_deref(),
                    removed_headers = notes.removed_headers.as_deref(),
                    dropped_fields = notes.dropped_fields.as_deref(),
                    trace_id = notes.trace_id(),
                    caller = notes.caller(),
                    body_limit_per = notes.body_limit_per().map(|per| per.as_str()),
                    "{}",
                    message(record)
                );
                record_error(span.as_ref(), record);
            }
        };
    }

    match level {
        Level::ERROR => line!(Level::ERROR),
        Level::WARN => line!(Level::WARN),
        _ => line!(Level::INFO),
    }
}

/// Returns the codes of further refusals as one text, or `None` if there are none.
fn also(codes: &[ErrorCode]) -> Option<String> {
    let codes: Vec<&str> = codes.iter().map(ErrorCode::as_str).collect();
    (!codes.is_empty()).then(|| codes.join(", "))
}

fn message(record: &ClosedRecord) -> &'static str {
    match (record.origin(), record.outcome()) {
        (Some(Origin::Abandoned), _) => "request abandoned before the response ended",
        (_, Outcome::Unknown) => "the end of the request was not observed",
        (_, Outcome::Broken) => "response body broke off",
        (Some(Origin::Inner), _) if record.would_keep() => {
            "observed only: the error would keep its shape, and its head would have the code"
        }
        _ if record.would_be().is_some() && record.code().is_none() => {
            "observed only: the layer would have returned an error"
        }
        (Some(Origin::Guard), _) => "request refused",
        (Some(Origin::Fault), Outcome::Ok) => "the service sent an error with a success status",
        _ => "request failed",
    }
}

/// Returns the part of an error that the log line does not contain yet. For a [`Fault`], the line already contains the
/// code, so this function returns the fault's causes. If the fault has no cause, returns its text and the paths of its
/// issues.
fn remaining_cause(error: &(dyn Error + Send + Sync + 'static)) -> Option<String> {
    let Some(fault) = error.downcast_ref::<Fault>() else { return Some(cause_text(error)) };
    if fault.source().is_some() {
        let text = cause_text(error);
        let hint = catch(|| cause::find::<Unrecognised>(error).map(|it| it.hint)).ok().flatten();
        return Some(match hint {
            Some(hint) => format!("{text} ({hint})"),
            None => text,
        });
    }
    fault_cause(fault).map(|text| message::cut(text, MAX_CAUSE))
}

/// Returns a text that explains why the layer did not keep the code in an envelope that the service wrote itself (E9).
fn undeclared_code(notes: &RecordFields) -> Option<String> {
    let code = notes.unknown_code.as_deref().filter(|code| code::is_well_formed(code.as_bytes()))?;
    Some(format!("unknown code {code}: declare it with [[code]] or return a Fault"))
}

/// Returns the [texts](cause_texts) of an error and its causes on one line.
pub fn cause_text(error: &(dyn Error + 'static)) -> String {
    let mut texts = cause_texts(error);
    // Most errors have no cause.
    if texts.len() > 1 { message::cut(texts.join(": "), MAX_CAUSE) } else { texts.pop().unwrap_or_default() }
}

/// Returns the texts of an error and its causes. If the error is a [`Fault`] with a cause, or a wrapper with the text of
/// such a fault, this text is left out, because its parts are logged in other fields. If `Display` of an error panics,
/// returns the panic's text instead (F2).
pub fn cause_texts(error: &(dyn Error + 'static)) -> Vec<String> {
    let texts = catch(|| {
        let mut texts: Vec<String> = Vec::new();
        let mut is_left_out = false;
        for error in cause::chain(error) {
            let has_cause = error.downcast_ref::<Fault>().is_some_and(|fault| fault.source().is_some());
            let may_go = has_cause && !std::mem::replace(&mut is_left_out, true);
            let cause = || message::cut(error.to_string(), MAX_CAUSE);
            if may_go && texts.iter().all(|text| *text == cause()) {
                texts.clear();
                continue;
            }
            let cause = cause();
            // A cause whose text the previous text already ends with is left out. For example, an `io::Error` has the
            // same text as its source.
            if !texts.last().is_some_and(|last| last.ends_with(&cause)) {
                texts.push(cause);
            }
        }
        texts
    });
    texts.unwrap_or_else(|panic| vec![format!("an error whose Display implementation panicked: {panic}")])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use error_envelope_core::session::{BodyFacts, Delivery, Session, SessionConfig};
    use http::Request;

    use super::*;

    /// The client sent a body that contradicts its length, so the stream was reset, and no response has a status.
    #[test]
    fn l1_a_malformed_request_is_no_error_of_the_server() {
        let config = Arc::new(SessionConfig::new(Policy::default(), || SystemTime::UNIX_EPOCH));
        let head = Request::new(()).into_parts().0;
        let mut session = Session::unread(config, &head, BodyFacts::default(), || RequestId::from_parts(1, 2));
        let delivery = Delivery { head_sent: false, request_bytes: None, response_bytes: None, end: End::Malformed };
        assert_eq!(level(&session.abandon().unwrap().close(delivery)), Level::INFO);
    }

    #[test]
    fn l1_a_cause_says_what_the_line_does_not_say_yet() {
        let fault = || Fault::new(ErrorCode::CONFLICT);
        for (error, cause) in [
            (fault(), None),
            (fault().with_message("Only 3 left."), Some("Only 3 left.")),
            (fault().with_message("Only 3 left.").with_source("4 wanted, 3 left"), Some("4 wanted, 3 left")),
        ] {
            assert_eq!(remaining_cause(&error).as_deref(), cause);
        }
        assert_eq!(
            remaining_cause(&*Box::<dyn Error + Send + Sync>::from("no route to host")).as_deref(),
            Some("no route to host")
        );
        let nested = fault().with_source(fault().with_message("Seat 7 is taken.").with_source("the disk failed"));
        assert_eq!(remaining_cause(&nested).as_deref(), Some("conflict: Seat 7 is taken.: the disk failed"));
        // As axum's error of a body wraps it.
        let wrapped = std::io::Error::other(fault().with_source("the disk failed"));
        assert_eq!(remaining_cause(&wrapped).as_deref(), Some("the disk failed"));
    }
}
