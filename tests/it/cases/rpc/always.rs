//! Checks the rules that hold for every response to an RPC client.

use super::super::always::{SECRET, Seen};
use super::super::check::Problems;
use super::super::format::Fails;
use super::super::seen::{End, Response, lines};
use super::protocol::{self, Protocol};
use super::reported::{self, Place, ReportedStatus};

/// The limit of the client's HTTP library for all fields of a header block together (8 KiB in grpc-core).
const MAX_FIELDS: usize = 8 * 1024;

pub(in super::super) fn check(seen: &Seen<'_>, problems: &mut Problems) {
    let Some(protocol) = Protocol::from_case(seen.case) else { return };
    let ours = || seen.wrote() || broke_off(seen) && !inner_reported(protocol, seen);
    match reported::read(protocol, seen.response) {
        Ok(Some(reported)) => {
            secrets(&reported, problems);
            if ours() {
                fields(seen.response, problems);
                status(protocol, seen, &reported, problems);
            }
        }
        Ok(None) if seen.wrote() && !is_head(seen) => problems.push(("P", "an answer without a status".into())),
        Ok(None) => {}
        Err(why) if ours() && !is_head(seen) && seen.response.end == End::Whole => problems.push(("P", why)),
        Err(_) => {}
    }
    if seen.wrote() {
        answer(protocol, seen, problems);
    }
}

fn is_head(seen: &Seen<'_>) -> bool {
    seen.case.request.method() == "HEAD"
}

/// Returns true if the service's body failed, so that a status of the layer may end it.
fn broke_off(seen: &Seen<'_>) -> bool {
    let inner = &seen.case.inner;
    inner.cut_after.is_some() || matches!(inner.fails, Some(Fails::PanicInBody | Fails::ErrorInBody))
}

fn inner_reported(protocol: Protocol, seen: &Seen<'_>) -> bool {
    let Some(sent) = seen.sent else { return false };
    let (status, headers, body) = (sent.status, sent.headers.clone(), sent.body.clone());
    let trailers = seen.case.inner.trailers();
    let response = Response { status, headers, body, trailers, ..Response::default() };
    matches!(reported::read(protocol, &response), Ok(Some(_)))
}

/// Checks the head of a response that the layer wrote completely.
fn answer(protocol: Protocol, seen: &Seen<'_>, problems: &mut Problems) {
    let response = seen.response;
    let media_type = response.lines("content-type").concat();
    let wanted = match protocol {
        Protocol::Grpc => r"application/grpc(\+[a-z]+)?",
        Protocol::Web => r"application/grpc-web(-text)?(\+[a-z]+)?",
        Protocol::Unary => "application/json",
        Protocol::Stream => r"application/connect\+[a-z]+",
    };
    if !super::super::value::matches(wanted, &media_type) {
        problems.push(("P", format!("content-type {media_type:?} for a client of {protocol:?}")));
    }
    if protocol != Protocol::Unary && response.status != 200 {
        problems.push(("P", format!("status {} for a client of {protocol:?}", response.status)));
    }
    if matches!(protocol, Protocol::Grpc | Protocol::Web) {
        headers_only(protocol, seen, problems);
    }
}

fn headers_only(protocol: Protocol, seen: &Seen<'_>, problems: &mut Problems) {
    let response = seen.response;
    if !response.body.is_empty() || !response.trailers.is_empty() {
        problems.push(("P1", "an answer is its head alone".into()));
    }
    // A response that came through a hop of HTTP/1 may have the length that this hop needed.
    let first_hop = seen.facts.processes < 2;
    if first_hop && protocol::is_http2(seen.case, seen.facts.http2) && !response.lines("content-length").is_empty() {
        problems.push(("P1", "content-length on an answer that is its head alone".into()));
    }
    if response.lines("grpc-status-details-bin").is_empty() {
        problems.push(("P1", "an answer without details".into()));
    }
    // A service may itself expose headers.
    let silent = seen.expect.exposed == Some(false) || seen.policy().contains("expose_headers");
    if protocol == Protocol::Web && !silent && !response.lines("access-control-allow-origin").is_empty() {
        exposed(response, problems);
    }
}

fn exposed(response: &Response, problems: &mut Problems) {
    let have = response.lines("access-control-expose-headers").join(",").to_ascii_lowercase();
    let have: Vec<&str> = have.split(',').map(str::trim).collect();
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin"].iter().filter(|name| !have.contains(name)) {
        problems.push(("P2", format!("access-control-expose-headers {have:?} does not name {name}")));
    }
}

fn fields(response: &Response, problems: &mut Problems) {
    let all = || response.headers.iter().chain(&response.trailers).filter(|(name, _)| name.starts_with("grpc-"));
    let length: usize = all().map(|(name, value)| name.len() + value.len() + 4).sum();
    if length >= MAX_FIELDS {
        problems.push(("P1", format!("the grpc-* fields are {length} bytes long")));
    }
    let twice = |name: &str| !response.lines(name).is_empty() && !lines(&response.trailers, name).is_empty();
    if twice("grpc-status") {
        problems.push(("P1", "grpc-status in the head and in the trailers".into()));
    }
}

fn secrets(reported: &ReportedStatus, problems: &mut Problems) {
    let raw = reported.status.as_ref().map(|status| String::from_utf8_lossy(&status.raw).into_owned());
    let texts = [raw, reported.message.clone(), Some(format!("{:?} {}", reported.details, reported.json))];
    if texts.iter().flatten().any(|text| text.contains(SECRET)) {
        problems.push(("F1", "the text of the error reached the client in its status".into()));
    }
}

/// Checks a status that the layer made.
fn status(protocol: Protocol, seen: &Seen<'_>, reported: &ReportedStatus, problems: &mut Problems) {
    if reported.name == "ok" {
        problems.push(("P", "an error with the code `ok`".into()));
    }
    if reported.message.as_deref().is_none_or(|message| message.trim().is_empty()) {
        problems.push(("E2", "a status without a message".into()));
    }
    for (_, value) in reported.fields.iter().filter(|(name, _)| name == "grpc-message") {
        if value.iter().any(|byte| !(b' '..=b'~').contains(byte)) {
            problems.push(("P1", "grpc-message has bytes that are to be percent-encoded".into()));
        }
    }
    match protocol {
        Protocol::Grpc | Protocol::Web => same_twice(reported, problems),
        Protocol::Unary | Protocol::Stream => connect(seen, reported, problems),
    }
    details(seen, reported, problems);
}

/// Checks that the details repeat the same values.
fn same_twice(reported: &ReportedStatus, problems: &mut Problems) {
    let Some(status) = &reported.status else { return };
    if protocol::name_of(&status.code.to_string()) != Some(&reported.name) {
        problems.push(("P1", format!("grpc-status is {:?}, in the details {}", reported.name, status.code)));
    }
    if reported.message.as_ref() != Some(&status.message) {
        problems.push(("P1", format!("grpc-message is {:?}, in the details {:?}", reported.message, status.message)));
    }
}

fn connect(seen: &Seen<'_>, reported: &ReportedStatus, problems: &mut Problems) {
    let wanted = protocol::http_status_of(&reported.name);
    if wanted.is_none() {
        problems.push(("P3", format!("{:?} is no code of Connect's", reported.name)));
    }
    if reported.place == Place::Body && wanted != Some(seen.response.status) {
        problems.push(("P3", format!("HTTP status {} for {:?}", seen.response.status, reported.name)));
    }
}

fn details(seen: &Seen<'_>, reported: &ReportedStatus, problems: &mut Problems) {
    let one = |name: &str| {
        let mut all = reported.details.iter().filter(|(have, _)| have == name).map(|(_, value)| value);
        (all.next(), all.next())
    };
    let text = |value: &serde_json::Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let reason = match one("google.rpc.ErrorInfo") {
        (Some(info), None) if !text(info, "domain").is_empty() => text(info, "reason"),
        other => return problems.push(("P1", format!("ErrorInfo: {other:?}"))),
    };
    // The code of an error after the head may come with the status.
    let late = lines(&reported.fields, "x-error-code").pop();
    let in_end = reported.json.pointer("/metadata/x-error-code/0").and_then(serde_json::Value::as_str);
    let code = seen.response.header("x-error-code").or(late).or(in_end.map(str::to_owned));
    let same = code.is_none_or(|code| code.to_ascii_uppercase() == reason);
    if !same || !super::super::value::matches("[A-Z][A-Z0-9_]{0,62}", &reason) {
        problems.push(("P1", format!("ErrorInfo.reason is {reason:?}")));
    }
    let id = match one("google.rpc.RequestInfo") {
        (Some(info), None) => text(info, "request_id"),
        other => return problems.push(("P1", format!("RequestInfo: {other:?}"))),
    };
    let in_end = reported.json.pointer("/metadata/x-request-id/0").and_then(serde_json::Value::as_str);
    if seen.response.header("x-request-id") != Some(id.clone()) || in_end.is_some_and(|in_end| in_end != id) {
        problems.push(("P1", format!("RequestInfo has {id:?}")));
    }
    retry(seen, one("google.rpc.RetryInfo"), problems);
}

/// Checks that a retry-after in seconds has a RetryInfo of as many seconds, and that no retry-after means no RetryInfo
/// (R8).
fn retry(seen: &Seen<'_>, info: (Option<&serde_json::Value>, Option<&serde_json::Value>), problems: &mut Problems) {
    let after = seen.response.lines("retry-after");
    let (info, more) = (info.0.map(|info| info["retry_delay"].as_str().unwrap_or_default()), info.1);
    let good = match &after[..] {
        [] => info.is_none(),
        [after] => after.parse::<u32>().map_or(true, |seconds| info == Some(&*format!("{seconds}s"))),
        _ => true,
    };
    if !good || more.is_some() {
        problems.push(("P1", format!("retry-after {after:?}, and RetryInfo {info:?}")));
    }
}
