//! `/errors.json?search=TEXT`: the last errors, each with the bodies before and after the layer. A search also finds
//! requests whose client left.
//!
//! Path, client and caller may identify people. They are only returned for the request id that was searched.

use std::cmp::Reverse;

use error_envelope_core::code::ErrorCode;
use error_envelope_core::policy::UpstreamUrl;
use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{KnownMethod, Origin};
use serde_json::{Value, json};

use crate::admin_request::{AdminRequest, value};
use crate::answer::{self, Answer};
use crate::error_store::error_record::{Entry, Kind, ShownStatus, Side, rfc3339};
use crate::error_store::place::Place;
use crate::error_store::recent_errors::{Id, RecentErrors};
use crate::error_store::store;
use crate::error_store::timeline::MINUTE_MS;

pub(crate) fn show(request: &AdminRequest<'_>) -> Answer {
    let shared = &request.admin.shared;
    let text = value(request.query, "search").unwrap_or_default();
    let id = id_in(&text);
    let recent = shared.store.recent();
    // If the text contains a trace id, it was parsed as a request id.
    let is_of = |entry: &Entry, id| entry.seen.id == id || entry.seen.trace_id.as_deref() == Some(&trace_id(id));
    let fits = |entry: &Entry| id.map_or_else(|| fits(entry, &text), |id| is_of(entry, id));
    // A search also finds requests whose client left, although they are not errors.
    let left = recent.left().filter(|_| !text.trim().is_empty());
    let mut entries: Vec<_> = recent.errors().chain(left).filter(|entry| fits(entry)).cloned().collect();
    entries.sort_by_key(|entry| Reverse(entry.number));
    let searched = id.map(|id| of_id(id, &recent, entries.len()));
    drop(recent);
    let errors: Vec<_> = entries.iter().map(|entry| describe(entry, id.is_some())).collect();
    answer::json(&json!({"errors": errors, "searched_id": searched}))
}

/// Returns what is stored about an id, even if the errors with this id are no longer among the last errors.
fn of_id(id: RequestId, recent: &RecentErrors, shown: usize) -> Value {
    /// The largest time by which the time in an id may be in the future, in milliseconds. A layer does not make an id
    /// with a later time. Such an id may be a trace id, whose first bytes are not a time.
    const CLOCK_SKEW_MS: u64 = 5 * MINUTE_MS;

    let (known, count) = recent.find(id);
    let began = Some(id.timestamp_ms()).filter(|began| *began <= store::now() + CLOCK_SKEW_MS);
    json!({
        "id": id.to_string(),
        "trace_id": trace_id(id),
        "began_at": began.map(rfc3339),
        "count": count.max(shown),
        "known": known.iter().map(remembered).collect::<Vec<_>>(),
    })
}

/// Returns the trace id that the layer derives from this request id.
fn trace_id(id: RequestId) -> String {
    format!("{:032x}", u128::from(id))
}

fn remembered(known: &Id) -> Value {
    let mut json = describe_kind(&known.kind, &known.place, known.service.as_ref());
    json["at"] = rfc3339(known.at).into();
    json
}

/// Returns the fields that are kept even if the whole record is no longer stored.
fn describe_kind(kind: &Kind, place: &Place, service: Option<&UpstreamUrl>) -> Value {
    let (sent, would_be) = (kind.sent.as_ref(), kind.would_be.as_ref());
    json!({
        "route": place.route.as_deref(),
        "scope": place.scope.as_deref(),
        "service": service.map(ToString::to_string),
        "origin": kind.origin.map(Origin::as_str),
        "outcome": kind.outcome.as_str(),
        "end": kind.end.as_str(),
        "code": ShownStatus::code_of(sent),
        "status": sent.map(|sent| sent.status),
        "grpc_status": sent.and_then(|sent| sent.grpc),
        "would_be_code": would_be.map(|_| ShownStatus::code_of(would_be)),
        "would_be_status": would_be.map(|sent| sent.status),
        "would_be_grpc_status": would_be.and_then(|sent| sent.grpc),
        "inner_status": kind.service.map(|service| service.status.as_u16()),
        "inner_grpc_status": kind.service.and_then(|service| service.grpc),
    })
}

fn describe(entry: &Entry, is_searched: bool) -> Value {
    let (seen, kind, request) = (&entry.seen, &entry.seen.kind, &entry.seen.request);
    let bodies = entry.bodies.get();
    let side = |side: &Option<Side>| side.as_ref().map(describe_side);
    let state = match bodies {
        Some(bodies) if bodies.before.is_none() && bodies.after.is_none() => "too_many_at_once",
        Some(_) => "stored",
        None if seen.has_bodies => "waiting",
        None => "not_stored",
    };
    let more = json!({
        "number": entry.number,
        "id": seen.id.to_string(),
        "at": rfc3339(seen.at),
        "mode": seen.mode.as_str(),
        "kill_switch": seen.kill_switch,
        "unknown_code": kind.unknown,
        "decided_by": kind.by.map(|by| by.as_str()),
        "dialect": kind.dialect.map(|dialect| dialect.as_str()),
        "method": request.method.map(KnownMethod::as_str),
        "duration_ms": request.duration_ms,
        "path": request.path.as_ref().filter(|_| is_searched),
        "client": request.client.as_ref().filter(|_| is_searched),
        "caller": request.caller.as_ref().filter(|_| is_searched),
        "would_refuse": kind.would_refuse.iter().map(ErrorCode::as_str).collect::<Vec<_>>(),
        "trace_id": seen.trace_id.as_deref().map_or_else(|| trace_id(seen.id), str::to_owned),
        "dropped_fields": seen.dropped,
        "cause": seen.cause,
        "bodies": state,
        "before": bodies.and_then(|it| side(&it.before)),
        "after": bodies.and_then(|it| side(&it.after)),
    });
    let mut json = describe_kind(kind, &seen.place, request.service.as_ref());
    if let (Some(json), Value::Object(more)) = (json.as_object_mut(), more) {
        json.extend(more);
    }
    json
}

fn describe_side(side: &Side) -> Value {
    json!({
        "status": side.status,
        "content_type": side.content_type,
        "text": side.text,
        "length": side.length,
        "whole": side.whole,
    })
}

/// The longest text in which to search for an id, in characters. A client's report of an error is shorter.
const LONGEST: usize = 4096;

/// Returns the first id in a text, which may contain other words. An id is `req_…` or a bare ULID in any letter case,
/// or a UUID.
pub(crate) fn id_in(text: &str) -> Option<RequestId> {
    let text = text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end]);
    let words = text.split(|it: char| !it.is_ascii_alphanumeric() && it != '_' && it != '-');
    words.filter(|word| !word.is_empty()).find_map(id)
}

/// Returns true if each word of the text occurs in the error's codes, outcome, route, scope or service. Letter case is
/// ignored.
pub(crate) fn fits(entry: &Entry, text: &str) -> bool {
    let (seen, kind) = (&entry.seen, &entry.seen.kind);
    let service = seen.request.service.as_ref().map(ToString::to_string).unwrap_or_default();
    let texts = [
        ShownStatus::code_of(kind.sent.as_ref()),
        ShownStatus::code_of(kind.would_be.as_ref()),
        kind.unknown.as_deref().unwrap_or_default(),
        kind.outcome.as_str(),
        seen.place.route.as_deref().unwrap_or("no route"),
        seen.place.scope.as_deref().unwrap_or_default(),
        &service,
    ];
    let texts = texts.join("\n").to_lowercase();
    text.to_lowercase().split_whitespace().all(|word| texts.contains(word))
}

fn id(word: &str) -> Option<RequestId> {
    const PREFIX: usize = "req_".len();

    let has_prefix = word.get(..PREFIX).is_some_and(|prefix| prefix.eq_ignore_ascii_case("req_"));
    if has_prefix { &word[PREFIX..] } else { word }.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::id_in;

    #[test]
    fn an_id_is_found_however_it_was_copied() {
        let id = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";
        for text in [
            id,
            "  req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D\n",
            "REQ_01jd2v5w8z3q4r6t8y0a1b2c3d",
            "01JD2V5W8Z3Q4R6T8Y0A1B2C3D",
            "01jd2v5w8z3q4r6t8y0a1b2c3d",
            r#"{"request_id":"req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D"}"#,
            "x-request-id: req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D, please help",
        ] {
            assert_eq!(id_in(text).map(|id| id.to_string()).as_deref(), Some(id), "{text}");
        }
        assert!(id_in("0193b03e-7a20-7cc5-8a4b-9f1c2d3e4f50").is_some());
        for text in ["", "req_", "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3", "hello", "é\0\u{202e}"] {
            assert_eq!(id_in(text), None, "{text}");
        }
    }
}
