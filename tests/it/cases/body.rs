//! `expect.body` and what depends on it: code, message, details, members.

use serde_json::Value;

use super::check::{Problems, allowed};
use super::envelope;
use super::format::{Case, Expect, RawText};
use super::rpc;
use super::seen::{Call, End, Facts, Response};
use super::value::{self, missing, with_id};
use super::wire::Headers;

pub(super) fn check(
    case: &Case,
    expect: &Expect,
    facts: Facts,
    response: &Response,
    call: Option<&Call>,
    problems: &mut Problems,
) {
    let kind = expect.body.as_deref().unwrap_or("");
    // A body that the service never ends is passed on as it comes, and never ends.
    let endless = kind == "inner" && case.inner.stalls && response.end == End::Unfinished;
    if kind != "aborted" && !endless && response.end != End::Whole {
        problems.push(("F4", format!("the response did not end well: {:?}", response.end)));
    }
    match kind {
        "" => {}
        "envelope" => canonical(expect, response, problems),
        "inner" => as_sent(case, expect, facts, response, call, problems),
        "empty" => empty(response, problems),
        "aborted" => aborted(response, call, problems),
        "problem" | "success_flag" | "status_in_error" | "error_with_meta" | "json" => {
            dialect(kind, response, problems)
        }
        text => same_text(text, response, problems),
    }
    code(expect, response, problems);
    message(case, expect, kind, response, problems);
    members(expect, response, problems);
    details_bin(expect, response, problems);
    let body = String::from_utf8_lossy(&response.body);
    for text in expect.lacks.iter().filter(|text| body.contains(text.as_str())) {
        problems.push(("R3", format!("the body has {text:?}")));
    }
}

fn canonical(expect: &Expect, response: &Response, problems: &mut Problems) {
    content_type("application/json", response, problems);
    if response.lines("content-length").is_empty() {
        problems.push(("E1", "no content-length".into()));
    }
    let envelope = match envelope::read(&response.body) {
        Ok(envelope) => envelope,
        Err(why) => return problems.push(("E1", why)),
    };
    if expect.code.as_ref().is_some_and(|wanted| !allowed(wanted, &envelope.code)) {
        problems.push(("R1", format!("code {:?} instead of {:?}", envelope.code, expect.code)));
    }
    details(expect, envelope.details.as_deref(), problems);
}

fn details(expect: &Expect, have: Option<&str>, problems: &mut Problems) {
    if let Some(wanted) = expect.details_raw.as_ref().map(RawText::text)
        && have != Some(wanted.as_str())
    {
        problems.push(("E1", format!("details are not the same bytes: {}", short(have.unwrap_or("none")))));
    }
    match (expect.details.as_deref(), have) {
        (Some("*"), _) | (None, None) => {}
        (None, Some(_)) if expect.details_raw.is_some() => {}
        (None, Some(have)) => problems.push(("E1", format!("details where none belong: {}", short(have)))),
        (Some(wanted), None) => problems.push(("E1", format!("no details instead of {}", short(wanted)))),
        (Some(wanted), Some(have)) => {
            if value::json(wanted).expect("the case's details are JSON") != value::json(have).unwrap_or(Value::Null) {
                problems.push(("E1", format!("details {} instead of {}", short(have), short(wanted))));
            }
        }
    }
}

fn code(expect: &Expect, response: &Response, problems: &mut Problems) {
    let Some(wanted) = &expect.code else { return };
    let have = response.lines("x-error-code");
    if have.len() != 1 || !allowed(wanted, &have[0]) {
        problems.push(("E4", format!("x-error-code {have:?} instead of {wanted:?}")));
    }
}

fn message(case: &Case, expect: &Expect, kind: &str, response: &Response, problems: &mut Problems) {
    let silent = expect.message.is_none() && expect.message_has.is_empty() && expect.message_lacks.is_empty();
    if silent || case.request.method() == "HEAD" {
        return;
    }
    let Some(have) = message_of(kind, response) else {
        return problems.push(("R3", "no message where one is wanted".into()));
    };
    if expect.message.as_ref().is_some_and(|wanted| !allowed(wanted, &have)) {
        problems.push(("R3", format!("message {have:?} instead of {:?}", expect.message)));
    }
    for text in expect.message_has.iter().filter(|text| !have.contains(text.as_str())) {
        problems.push(("R3", format!("the message {have:?} has no {text:?}")));
    }
    for text in expect.message_lacks.iter().filter(|text| have.contains(text.as_str())) {
        problems.push(("R3", format!("the message {have:?} has {text:?}")));
    }
}

/// Where each shape keeps its text; a gRPC status has it in a header.
fn message_of(kind: &str, response: &Response) -> Option<String> {
    if kind == "envelope" {
        return envelope::read(&response.body).ok().map(|envelope| envelope.message);
    }
    if let Some(message) = response.header("grpc-message") {
        return Some(percent_decoded(&message));
    }
    let body = value::json(std::str::from_utf8(&response.body).ok()?).ok()?;
    let places: &[&str] = match kind {
        "problem" => &["/detail"],
        "success_flag" => &["/error"],
        _ => &["/error/message", "/message", "/detail", "/error"],
    };
    places.iter().find_map(|place| body.pointer(place)?.as_str().map(str::to_owned))
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => (bytes.push(byte), rest = &after[2..]).1,
            _ => (bytes.push(*first), rest = after).1,
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn members(expect: &Expect, response: &Response, problems: &mut Problems) {
    if expect.json.is_none() && expect.wire_code.is_none() {
        return;
    }
    let body = std::str::from_utf8(&response.body).ok().and_then(|text| value::json(text).ok());
    let Some(body) = body else { return problems.push(("R2", "the body is not JSON".into())) };
    if let Some(wanted) = &expect.json {
        let wanted = value::json(wanted).expect("the case's json is JSON");
        let id = response.header("x-request-id").unwrap_or_default();
        problems.extend(missing(&wanted, &body, &id, "").map(|what| ("R2", format!("in the body {what}"))));
    }
    if let Some(wanted) = &expect.wire_code {
        let places = ["/error/code", "/error/type", "/code"];
        let have = places.iter().find_map(|place| body.pointer(place)?.as_str());
        if have != Some(wanted.as_str()) {
            problems.push(("R12", format!("the dialect's code is {have:?} instead of {wanted:?}")));
        }
    }
}

fn details_bin(expect: &Expect, response: &Response, problems: &mut Problems) {
    if expect.details_bin_has.is_empty() {
        return;
    }
    let value = response.header("grpc-status-details-bin").unwrap_or_default();
    let raw = rpc::read(&value).map(|details| details.raw).unwrap_or_default();
    let text = String::from_utf8_lossy(&raw);
    let id = response.header("x-request-id").unwrap_or_default();
    for wanted in expect.details_bin_has.iter().filter(|wanted| !text.contains(&with_id(wanted, &id))) {
        problems.push(("P1", format!("grpc-status-details-bin has no {wanted:?}: {text:?}")));
    }
}

fn empty(response: &Response, problems: &mut Problems) {
    if !response.body.is_empty() {
        problems.push(("E5", format!("a body of {} bytes where none belongs", response.body.len())));
    }
}

fn same_text(kind: &str, response: &Response, problems: &mut Problems) {
    let wanted = kind.strip_prefix("text:").unwrap_or_else(|| panic!("expect.body = {kind:?} is no kind of body"));
    if response.body != wanted.as_bytes() {
        problems.push(("E5", format!("the body is not {wanted:?}")));
    }
}

/// F4: broken off, and what came is the beginning of what was sent.
fn aborted(response: &Response, call: Option<&Call>, problems: &mut Problems) {
    let sent = call.and_then(|call| call.sent.as_ref());
    let Some(sent) = sent else { return problems.push(("F4", "the inner service did not answer".into())) };
    let framed = ["content-length", "transfer-encoding"].iter().any(|name| !response.lines(name).is_empty());
    // Without a framing (HTTP/1.0) a short body is the only sign.
    let short_of = !framed && response.body.len() < sent.body.len();
    if !matches!(response.end, End::Aborted(_)) && !short_of {
        problems.push(("F4", "the body ended as if it were whole".into()));
    }
    if !sent.body.starts_with(&response.body) {
        problems.push(("F4", "what came is not the beginning of what was sent".into()));
    }
}

fn dialect(kind: &str, response: &Response, problems: &mut Problems) {
    let wanted = if kind == "problem" { "application/problem+json" } else { "application/json" };
    content_type(wanted, response, problems);
    let body = std::str::from_utf8(&response.body).ok().and_then(|text| value::json(text).ok());
    let Some(body) = body else { return problems.push(("R2", "the body is not JSON".into())) };
    let status = response.status;
    let shape = match kind {
        "problem" => {
            format!(r#"{{"type":"about:blank","status":{status},"request_id":"$id"}}"#)
        }
        "success_flag" => r#"{"success":false}"#.to_owned(),
        "status_in_error" if body.get("errors").is_none() => format!(r#"{{"error":{{"status":{status}}}}}"#),
        "error_with_meta" => r#"{"meta":{"request_id":"$id","ts":"$ts"}}"#.to_owned(),
        _ => "{}".to_owned(),
    };
    let id = response.header("x-request-id").unwrap_or_default();
    let shape = value::json(&shape).expect("JSON by construction");
    problems.extend(missing(&shape, &body, &id, "").map(|what| ("R2", format!("in the body {what}"))));
    let texts: &[&str] = match kind {
        "problem" => &["/title", "/detail", "/code"],
        "success_flag" => &["/error"],
        "status_in_error" if body.get("errors").is_some() => &["/message"],
        "status_in_error" | "error_with_meta" => &["/error/code", "/error/message"],
        _ => &[],
    };
    for place in texts.iter().filter(|place| !body.pointer(place).is_some_and(Value::is_string)) {
        problems.push(("R2", format!("no text at {place} of the body")));
    }
}

fn content_type(wanted: &str, response: &Response, problems: &mut Problems) {
    let have = response.lines("content-type");
    if have != [wanted] {
        problems.push(("E1", format!("content-type {have:?} instead of {wanted:?}")));
    }
}

/// Status, headers and body as the service sent them, the connection's own fields and the id aside.
fn as_sent(
    case: &Case,
    expect: &Expect,
    facts: Facts,
    response: &Response,
    call: Option<&Call>,
    problems: &mut Problems,
) {
    let sent = call.and_then(|call| call.sent.as_ref());
    let Some(sent) = sent else { return problems.push(("E5", "the inner service did not answer".into())) };
    if response.status != sent.status {
        problems.push(("E5", format!("status {} instead of the inner {}", response.status, sent.status)));
    }
    let bodiless = case.request.method() == "HEAD" || matches!(sent.status, 101 | 204 | 205 | 304);
    let wanted: &[u8] = if bodiless { &[] } else { &sent.body };
    if response.body != wanted {
        problems
            .push(("E5", format!("a body of {} bytes is not the inner one of {}", response.body.len(), wanted.len())));
    }
    let exposed = |name: &str| name == "access-control-expose-headers" && expect.exposed != Some(false);
    let names = response.headers.iter().chain(&sent.headers).map(|(name, _)| name.as_str());
    let mut names: Vec<&str> = names.filter(|name| !of_connection(name, &sent.headers, sent.status)).collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().filter(|name| !exposed(name)) {
        let (have, want) = (response.lines(name), super::seen::lines(&sent.headers, name));
        let own = want.is_empty() && facts.over_socket && name == "date"
            || name == "content-length" && (want.is_empty() || have.is_empty());
        if have != want && !own {
            problems.push(("E5", format!("lines of {name}: {have:?} instead of the inner {want:?}")));
        }
    }
}

/// The fields that belong to one connection (RFC 9110 §7.6.1), and the id, which `always` looks at.
pub(super) fn of_connection(name: &str, sent: &Headers, status: u16) -> bool {
    let fixed = ["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "x-request-id"];
    let upgrade = name == "upgrade" && status != 101 && status != 426;
    fixed.contains(&name) || upgrade || nominated(sent).iter().any(|token| token == name)
}

/// What the `connection` lines name.
pub(super) fn nominated(headers: &Headers) -> Vec<String> {
    let lines = super::seen::lines(headers, "connection");
    let tokens = lines.iter().flat_map(|line| line.split(',')).map(|token| token.trim().to_ascii_lowercase());
    tokens.filter(|token| !matches!(token.as_str(), "close" | "keep-alive" | "upgrade" | "")).collect()
}

fn short(text: &str) -> String {
    if text.len() <= 300 {
        text.to_owned()
    } else {
        format!("{}… ({} bytes)", text.chars().take(300).collect::<String>(), text.len())
    }
}
