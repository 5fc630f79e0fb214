//! One line per error (rules L1, L3), under the target `tower_error_envelope`.

use std::borrow::BorrowMut;
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
use error_envelope_core::policy::Policy;
#[cfg(feature = "policy-file")]
use error_envelope_core::policy::PolicyError;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{Event, EventFields, Observer, Origin, UnreadReason, fault_cause};

use crate::catch::catch;
use crate::count;

/// The longest text of a cause in the log, in bytes.
const MAX_CAUSE: usize = 4096;

/// Logs an event, and drops its cause. Both may call the user's own code, which may panic (F2).
pub fn log_event(mut event: impl BorrowMut<Event>) {
    log_and_count(event.borrow_mut());
}

fn log_and_count(event: &mut Event) {
    count::record_error(event);
    match error_status(event) {
        Some(StatusCode::SERVICE_UNAVAILABLE) => write(Level::WARN, event),
        // The client asked for what nobody implements, such as an unknown gRPC method: nothing of the service is broken.
        Some(StatusCode::NOT_IMPLEMENTED) => write(Level::INFO, event),
        Some(status) if !status.is_server_error() => write(Level::INFO, event),
        None if event.origin() == Origin::Abandoned => write(Level::INFO, event),
        _ => write(Level::ERROR, event),
    }
    warn_of_original_path(event.request_id(), event.notes());
    observe_event(event);
}

/// Passes an event to its observer, and drops its cause, as [`log_event`] does after it has logged and counted it. An
/// outer layer has nothing else to do with an error that an inner layer logged (L1).
pub fn observe_event(event: &mut Event) {
    if let Some(observer) = event.observer() {
        notify_observer(observer, event);
    }
    if let Some(cause) = event.take_cause() {
        let _ = catch(|| drop(cause));
    }
}

/// The status that decides the level. If a fault is the end of a stream, there is no status of an error: none at all,
/// or the head's success. Then the status of its code counts.
fn error_status(event: &Event) -> Option<StatusCode> {
    // A guard that only observes does not make a service's own 5xx the client's mistake.
    let sent = event.status().filter(|status| !is_success(*status));
    let status = sent.or(event.would_be()).or(event.status());
    if status.map_or(event.origin() != Origin::Fault, |status| !is_success(status)) {
        return status;
    }
    event.code().map(ErrorCode::status).or(status)
}

fn is_success(status: StatusCode) -> bool {
    !status.is_client_error() && !status.is_server_error()
}

#[cold]
fn notify_observer(observer: &dyn Observer, event: &Event) {
    let notify = || if event.is_late() { observer.on_late(event) } else { observer.on_event(event) };
    if let Err(panic) = catch(notify) {
        tracing::error!(target: "tower_error_envelope", request_id = %event.request_id(), panic, "the observer panicked");
    }
}

/// Warns once if the layer may be inside a nested router by mistake: then its policy names other paths than the layer
/// receives (G0).
#[inline]
fn warn_of_original_path(id: RequestId, notes: &EventFields) {
    if notes.only_original_path() {
        tracing::warn!(
            target: "tower_error_envelope",
            request_id = %id,
            "the policy's routes match only the path before a router stripped its prefix; the guards of both paths \
             apply"
        );
    }
}

/// Logs notes of requests without an error (I2, I3, G0, G1).
#[inline(always)]
pub fn log_notes(id: RequestId, notes: Option<Box<EventFields>>) {
    if let Some(notes) = notes {
        write_notes(id, &notes);
    }
}

fn write_notes(id: RequestId, notes: &EventFields) {
    warn_of_original_path(id, notes);
    if let Some(names) = notes.removed_headers() {
        tracing::info!(
            target: "tower_error_envelope",
            request_id = %id,
            removed_headers = names,
            "removed request headers that a service may confuse with others"
        );
    }
    if notes.client_request_id().or(notes.upstream_request_id()).is_none() {
        return;
    }
    // If a service sends its own ids, every success has this note.
    tracing::trace!(
        target: "tower_error_envelope",
        request_id = %id,
        client_request_id = notes.client_request_id(),
        upstream_request_id = notes.upstream_request_id(),
        "replaced a request id sent by the client or the service"
    );
}

/// Logs the active policy in figures, and whether the layer has a classifier, if that is known.
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

/// Logs that the kill switch is as it was before this process began.
pub(crate) fn log_switch_restored(on: bool) {
    count::record_switch_state(on);
    tracing::info!(target: "tower_error_envelope", on, "restored the kill switch from its journal");
}

/// Logs that a policy was read again, and applies from now on (M3).
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

/// Logs that changes of the policy will not be noticed.
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

/// Whether a subscriber may want the span of a request: [`request_span`] finds out whether it does.
#[inline]
#[must_use]
pub fn may_want_span() -> bool {
    Level::INFO <= LevelFilter::current()
}

/// The span of a request (L1): the service's log lines in it carry the id. `None` if no subscriber wants it: even a
/// disabled span has a cost.
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

/// Whether a subscriber wants the outcome of a request in its span. A formatter writes the fields of a span anew for each
/// value, so this is only on at TRACE.
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

/// Records an error in the span of its request. This is done after its line is written, which has both already.
fn record_error(span: Option<&Span>, event: &Event) {
    if !records_outcome() || event.would_be().is_some() {
        return;
    }
    let span = span.cloned().unwrap_or_else(Span::current);
    if let Some(status) = event.status() {
        record_status(&span, status);
    }
    if let Some(code) = event.code() {
        span.record("error.type", code.as_str());
    }
}

/// Whether this code runs inside the span of a request.
fn is_inside_span() -> bool {
    // Not `Span::current`, which counts another reference to the span.
    let target = |dispatch: &Dispatch| dispatch.current_span().metadata().map(Metadata::target);
    dispatcher::get_default(target) == Some(REQUEST)
}

/// This is inlined, so that without a subscriber the only cost is a comparison of two levels.
#[inline]
fn write(level: Level, event: &Event) {
    if level <= LevelFilter::current() {
        write_line(level, event);
    }
}

#[inline(never)]
fn write_line(level: Level, event: &Event) {
    macro_rules! line {
        ($level:expr) => {
            if tracing::enabled!(target: "tower_error_envelope", $level) {
                let notes = event.notes();
                let cause = event.cause().and_then(remaining_cause).or_else(|| undeclared_code(notes));
                // After a guard's refusal, after a response's head, and when a future is dropped, a line has its own span.
                let span = if is_inside_span() { None } else { request_span(event.request_id()) };
                let _entered = span.as_ref().map(Span::enter);
                tracing::event!(
                    target: "tower_error_envelope",
                    $level,
                    request_id = %event.request_id(),
                    code = event.code().map(|code| code.as_str()),
                    status = event.status().or(event.cut_off()).map(|status| status.as_u16()),
                    grpc_status = event.grpc_status(),
                    also = also(notes.also()).as_deref(),
                    unread = event.unread().map(UnreadReason::as_str),
                    would_be_status = event.would_be().map(|status| status.as_u16()),
                    origin = event.origin().as_str(),
                    dialect = event.dialect().map(|dialect| dialect.as_str()),
                    route = event.route(),
                    scope = event.scope(),
                    upstream = event.upstream().map(tracing::field::display),
                    method = event.method().map(|method| method.as_str()),
                    mode = event.mode().as_str(),
                    decided_by = event.decided_by().map(|by| by.as_str()),
                    unknown_code = notes.unknown_code(),
                    readings = event.readings(),
                    policy_status = notes.policy_status().map(|status| status.as_u16()),
                    cause,
                    client_request_id = notes.client_request_id(),
                    upstream_request_id = notes.upstream_request_id(),
                    removed_headers = notes.removed_headers(),
                    dropped_fields = notes.dropped_fields(),
                    trace_id = notes.trace_id(),
                    caller = notes.caller(),
                    body_limit_per = notes.body_limit_per().map(|per| per.as_str()),
                    "{}",
                    message(event)
                );
                record_error(span.as_ref(), event);
            }
        };
    }

    match level {
        Level::ERROR => line!(Level::ERROR),
        Level::WARN => line!(Level::WARN),
        _ => line!(Level::INFO),
    }
}

/// The codes of other refusals, in one text.
fn also(codes: &[ErrorCode]) -> Option<String> {
    let codes: Vec<&str> = codes.iter().map(ErrorCode::as_str).collect();
    (!codes.is_empty()).then(|| codes.join(", "))
}

fn message(event: &Event) -> &'static str {
    match (event.origin(), event.status()) {
        _ if event.is_late() => "response body broke off",
        _ if event.would_be().is_some() => "observed only: the layer would have returned an error",
        (Origin::Abandoned, _) => "request abandoned before the response ended",
        (_, None) => "response cut off",
        (Origin::Guard, _) => "request refused",
        (Origin::Fault, Some(status)) if is_success(status) => "the service sent an error with a status of success",
        _ => "request failed",
    }
}

/// The part of an error that the line does not have yet. For a [`Fault`] the line already has the code, so its causes
/// are left; if it has none, its text and the paths of its issues.
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
    fault_cause(fault).map(bounded)
}

/// Why a body that a service wrote in the form of the envelope did not keep its code (E9).
fn undeclared_code(notes: &EventFields) -> Option<String> {
    let code = notes.unknown_code().filter(|code| code::is_well_formed(code.as_bytes()))?;
    Some(format!("unknown code {code}: declare it with [[code]] or return a Fault"))
}

/// The [texts](cause_texts) on one line.
pub fn cause_text(error: &(dyn Error + 'static)) -> String {
    let mut texts = cause_texts(error);
    // Most errors have no cause.
    if texts.len() > 1 { bounded(texts.join(": ")) } else { texts.pop().unwrap_or_default() }
}

/// The texts of an error and its causes. A [`Fault`] in front of others is left out: its code and text stand beside
/// them. `Display` is
/// the user's own, and may panic (F2).
pub fn cause_texts(error: &(dyn Error + 'static)) -> Vec<String> {
    let texts = catch(|| {
        let mut texts: Vec<String> = Vec::new();
        let is_fault = error.downcast_ref::<Fault>().is_some_and(|fault| fault.source().is_some());
        for cause in cause::chain(error).skip(usize::from(is_fault)) {
            let cause = bounded(cause.to_string());
            // An `io::Error` has the same text as its payload, which is also its source.
            if !texts.last().is_some_and(|last| last.ends_with(&cause)) {
                texts.push(cause);
            }
        }
        texts
    });
    texts.unwrap_or_else(|panic| vec![format!("an error whose Display implementation panicked: {panic}")])
}

fn bounded(mut text: String) -> String {
    if text.len() > MAX_CAUSE {
        let end = (0..=MAX_CAUSE).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use error_envelope_core::code::ErrorCode;

    use super::*;

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
    }
}
