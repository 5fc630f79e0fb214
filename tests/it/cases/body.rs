//! Checks `expect.body` and the fields that depend on it: code, message, details and members.

use serde_json::Value;

use super::check::{Problems, allowed};
use super::envelope;
use super::format::{Case, Expect, RawText};
use super::kept::of_connection;
use super::members;
use super::rpc;
use super::seen::{Call, End, Facts, Response};
use super::value::{self, missing, with_id};

pub(super) fn check(
    case: &Case,
    expect: &Expect,
    facts: Facts,
    response: &Response,
    call: Option<&Call>,
    problems: &mut Problems,
) {
    let kind = expect.body.as_deref().unwrap_or("");
    // A body that the service never ends is passed on, and never ends either.
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
        "connect" => connect(response, problems),
        "problem" | "success_flag" | "status_in_error" | "error_with_meta" | "json" => {
            dialect(kind, response, problems)
        }
        text => same_text(text, response, problems),
    }
    members::code(expect, response, problems);
    members::message(case, expect, kind, response, problems);
    members::members(expect, response, problems);
    rpc::check(case, expect, response, problems);
    let body = String::from_utf8_lossy(&response.body);
    for text in expect.lacks.iter().filter(|text| body.contains(text.as_str())) {
        problems.push(("R3", format!("the body has {text:?}")));
    }
    let id = response.header("x-request-id").unwrap_or_default();
    for text in expect.has.iter().map(|text| with_id(text, &id)).filter(|text| !body.contains(text)) {
        problems.push(("E3", format!("the body has no {text:?}")));
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
    for (field, have, wanted) in [("retry", envelope.retry, &expect.retry), ("docs", envelope.docs, &expect.docs)] {
        if have != *wanted {
            problems.push(("E10", format!("{field} {have:?} instead of {wanted:?}")));
        }
    }
}

/// P3: the body is one frame that ends the stream, and the status is 200.
fn connect(response: &Response, problems: &mut Problems) {
    if response.status != 200 {
        problems.push(("P3", format!("status {} instead of 200", response.status)));
    }
    let is_end_stream = match response.body.as_slice() {
        [2, a, b, c, d, rest @ ..] => u32::from_be_bytes([*a, *b, *c, *d]) as usize == rest.len(),
        _ => false,
    };
    if !is_end_stream {
        problems.push(("P3", "the body is not an end-stream frame alone".into()));
    }
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

/// F4: the body breaks off, and the bytes before that are the beginning of the sent body.
fn aborted(response: &Response, call: Option<&Call>, problems: &mut Problems) {
    let sent = call.and_then(|call| call.sent.as_ref());
    let Some(sent) = sent else { return problems.push(("F4", "the inner service did not answer".into())) };
    let framed = ["content-length", "transfer-encoding"].iter().any(|name| !response.lines(name).is_empty());
    // Without a framing (HTTP/1.0), only a short body shows this.
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
            format!(r#"{{"status":{status},"request_id":"$id"}}"#)
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
        "problem" => &["/type", "/title", "/detail", "/code"],
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

/// Checks that status, headers and body are as the service sent them, except the connection's own fields and the id.
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
    // HTTP/1 has trailers only if the client requests them. A raw response has its own.
    let trailers = (!facts.over_socket || facts.http2) && case.inner.raw().is_none();
    if trailers && response.trailers != case.inner.trailers() {
        problems.push(("E5", format!("trailers {:?} are not the inner ones", response.trailers)));
    }
    let bodiless = case.request.method() == "HEAD" || matches!(sent.status, 101 | 204 | 205 | 304);
    let wanted: &[u8] = if bodiless { &[] } else { &sent.body };
    if response.body != wanted {
        problems
            .push(("E5", format!("a body of {} bytes is not the inner one of {}", response.body.len(), wanted.len())));
    }
    let exposed = |name: &str| name == "access-control-expose-headers" && expect.exposed != Some(false);
    // I3: this header appears where the case expects it.
    let handed_on = |name: &str| name == "x-upstream-request-id" && expect.headers.contains_key(name);
    let marks = |name: &str| is_mark(name, response);
    let names = response.headers.iter().chain(&sent.headers).map(|(name, _)| name.as_str());
    let mut names: Vec<&str> = names.filter(|name| !of_connection(name, &sent.headers, sent.status)).collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().filter(|name| !exposed(name) && !handed_on(name) && !marks(name)) {
        let (have, want) = (response.lines(name), super::seen::lines(&sent.headers, name));
        let own = want.is_empty() && facts.over_socket && name == "date"
            || name == "content-length" && (want.is_empty() || have.is_empty());
        if have != want && !own {
            problems.push(("E5", format!("lines of {name}: {have:?} instead of the inner {want:?}")));
        }
    }
}

/// Returns true if the line is one that is added to an error that keeps its protocol's shape (R10). Such an error has a
/// code.
fn is_mark(name: &str, response: &Response) -> bool {
    let lines = response.lines(name);
    let is = match name {
        "x-error-code" => lines.len() == 1,
        "x-content-type-options" => lines == ["nosniff"],
        "cache-control" => lines == ["no-store"],
        "expires" | "pragma" | "cdn-cache-control" | "surrogate-control" => lines.is_empty(),
        _ => false,
    };
    is && response.lines("x-error-code").len() == 1
}

fn short(text: &str) -> String {
    if text.len() <= 300 {
        text.to_owned()
    } else {
        format!("{}… ({} bytes)", text.chars().take(300).collect::<String>(), text.len())
    }
}
