//! Tests that the checker fails where it should: a right response passes, and each fault is reported by its rule.

use std::path::Path;

use super::check::problems;
use super::format::Case;
use super::load::parse;
use super::seen::{Call, End, Exchanged, Response, Run, Sent};
use super::wire::{Framing, Headers, Wire};

const ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

const CASE: &str = r#"
[[case]]
name = "self"
[case.inner]
called = true
status = 409
headers = [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["etag", '"v"'], ["content-language", "de"], ["vary", "origin"], ["retry-after", "7"]]
body = '{"a":1}'
[case.expect]
status = 409
body = "envelope"
code = "conflict"
message = "Busy."
details = '{"n":1.0}'
details_raw = '{"n":1.0}'
headers = { "retry-after" = "re:[0-9]" }
header_lines = { "set-cookie" = ["a=1", "re:b=."] }
inner_headers = { traceparent = "absent" }
log_has = ["$id"]
log_lacks = ["secret"]
has = ["Busy", "$id"]
within_ms = 100
calls = 1
"#;

/// The rule that must be reported, and the fault that breaks it.
type Spoil<T> = (&'static str, fn(&mut T));

#[test]
fn a_right_response_holds() {
    assert_eq!(problems(&case(), &right()), []);
}

#[test]
fn each_way_of_spoiling_it_is_reported_by_its_rule() {
    let spoils: &[Spoil<Run>] = &[
        ("R1", |run| response(run).status = 404),
        ("R1", |run| {
            body(run, r#"{"error":{"code":"no_op","message":"Busy.","details":{"n":1.0}},"request_id":"ID"}"#)
        }),
        ("R3", |run| {
            body(run, r#"{"error":{"code":"conflict","message":"Free.","details":{"n":1.0}},"request_id":"ID"}"#)
        }),
        ("E1", |run| {
            body(run, r#"{"error":{"message":"Busy.","code":"conflict","details":{"n":1.0}},"request_id":"ID"}"#)
        }),
        ("E1", |run| {
            body(run, r#"{"error": {"code":"conflict","message":"Busy.","details":{"n":1.0}},"request_id":"ID"}"#)
        }),
        ("E1", |run| {
            body(run, r#"{"error":{"code":"conflict","message":"Busy.","details":{"n":1.0},"x":1},"request_id":"ID"}"#)
        }),
        ("E1", |run| {
            body(run, r#"{"error":{"code":"conflict","message":"Busy.","details":{"n":1.00}},"request_id":"ID"}"#)
        }),
        ("E1", |run| body(run, r#"{"error":{"code":"conflict","message":"Busy."},"request_id":"ID"}"#)),
        ("E2", |run| {
            body(run, r#"{"error":{"code":"conflict","message":"a\nb","details":{"n":1.0}},"request_id":"ID"}"#)
        }),
        ("E2", |run| {
            body(run, r#"{"error":{"code":"Conflict","message":"Busy.","details":{"n":1.0}},"request_id":"ID"}"#)
        }),
        ("E3", |run| {
            body(run, r#"{"error":{"code":"conflict","message":"Busy.","details":{"n":1.0}},"request_id":"req_"}"#)
        }),
        ("E3", |run| set(&mut run.calls[0].headers, "x-request-id", "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3E")),
        ("E8", |run| {
            body(run, r#"{"error":{"code":"invalid_request","message":"Busy.","details":{"n":1.0}},"request_id":"ID"}"#)
        }),
        ("I1", |run| set(&mut response(run).headers, "x-request-id", "req_81JD2V5W8Z3Q4R6T8Y0A1B2C3D")),
        ("I1", |run| response(run).headers.push(("x-request-id".into(), ID.into()))),
        ("E1", |run| set(&mut response(run).headers, "content-length", "3")),
        ("E1", |run| response(run).headers.retain(|(name, _)| name != "content-length")),
        ("E1", |run| set(&mut response(run).headers, "content-type", "application/json; charset=utf-8")),
        ("E4", |run| set(&mut response(run).headers, "x-error-code", "no_op")),
        ("E4", |run| set(&mut response(run).headers, "x-content-type-options", "sniff")),
        ("E4", |run| response(run).headers.push(("access-control-allow-origin".into(), b"*".into()))),
        ("R6", |run| response(run).headers.push(("content-language".into(), b"de".into()))),
        ("R6", |run| response(run).headers.reverse()),
        ("R6", |run| response(run).headers.retain(|(name, _)| name != "etag")),
        ("R6", |run| response(run).headers.retain(|(name, _)| name != "vary")),
        ("R11", |run| set(&mut response(run).headers, "vary", "origin, accept-encoding")),
        ("R7", |run| set(&mut response(run).headers, "cache-control", "public")),
        ("R7", |run| response(run).headers.push(("pragma".into(), b"cache".into()))),
        ("R8", |run| set(&mut response(run).headers, "retry-after", "8")),
        ("F4", |run| response(run).end = End::Aborted("short".into())),
        ("F1", |run| run.exchanges[0].response = Err("closed".into())),
        ("R4", |run| response(run).whole_at = std::time::Duration::from_millis(101)),
        ("G", |run| run.calls.push(run.calls[0].clone())),
        ("L1", |run| run.log.clear()),
        ("L3", |run| run.log.push_str("secret")),
        ("M2", |run| run.refused = Some("no".into())),
    ];
    for (index, (rule, spoil)) in spoils.iter().enumerate() {
        let mut run = right();
        spoil(&mut run);
        let found = problems(&case(), &run);
        assert!(found.iter().any(|(have, _)| have == rule), "spoil {index} is to break {rule}, found {found:?}");
    }
}

#[test]
fn a_text_that_the_body_lacks_is_reported() {
    let absent = one(&CASE.replace(r#"has = ["Busy", "$id"]"#, r#"has = ["Busy", "$id!"]"#));
    assert_eq!(problems(&absent, &right()).iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), ["E3"]);
}

#[test]
fn an_alternative_is_enough_and_none_is_not() {
    let with = |or: &str| one(&CASE.replace("calls = 1", &format!("calls = 1\nor = [{or}]")));
    let mut other = right();
    body(&mut other, r#"{"error":{"code":"no_op","message":"Busy.","details":{"n":1.0}},"request_id":"ID"}"#);
    set(&mut response(&mut other).headers, "x-error-code", "no_op");
    assert_eq!(problems(&with(r#"{ code = "no_op" }"#), &other), []);
    assert_eq!(problems(&with(r#"{ code = "no_op" }"#), &right()), []);
    assert_ne!(problems(&with(r#"{ code = "gone" }"#), &other), []);
}

#[test]
fn what_the_service_sent_is_compared_whole() {
    let text = "[[case]]\nname = \"x\"\ninner = { status = 200 }\nexpect = { body = \"inner\", status = 200 }";
    let mut run = right();
    let sent = Sent { status: 200, headers: vec![("x-a".into(), b"1".into())], body: b"ok".into() };
    *response(&mut run) = Response {
        status: 200,
        headers: vec![("x-a".into(), b"1".into()), ("x-request-id".into(), ID.into())],
        body: b"ok".into(),
        ..Response::default()
    };
    run.calls[0].sent = Some(sent);
    assert_eq!(problems(&one(text), &run), []);
    let spoils: &[Spoil<Response>] = &[
        ("E5", |response| response.body.push(b'!')),
        ("E5", |response| response.headers.retain(|(name, _)| name != "x-a")),
        ("E4", |response| response.headers.push(("x-error-code".into(), b"other".into()))),
        ("R11", |response| response.headers.push(("vary".into(), b"accept".into()))),
        ("R8", |response| response.headers.push(("retry-after".into(), b"1".into()))),
    ];
    for (rule, spoil) in spoils {
        let mut run = Run { calls: run.calls.clone(), exchanges: vec![again(&run)], ..Run::default() };
        spoil(response(&mut run));
        let found = problems(&one(text), &run);
        assert!(found.iter().any(|(have, _)| have == rule), "{rule}: {found:?}");
    }
}

/// Shapes that this build does not write yet are checked as well. Otherwise, the first build that writes them would
/// pass unchecked.
#[test]
fn a_wrong_shape_is_found() {
    let shapes: &[(&str, &str, &str)] = &[
        (
            "problem",
            r#"{"type":"about:blank","title":"T","status":409,"detail":"Busy.","code":"conflict","request_id":"ID"}"#,
            r#"{"type":"about:blank","title":"T","status":404,"detail":"Busy.","code":"conflict","request_id":"ID"}"#,
        ),
        ("success_flag", r#"{"success":false,"error":"Busy."}"#, r#"{"success":true,"error":"Busy."}"#),
        (
            "status_in_error",
            r#"{"error":{"code":"CONFLICT","message":"Busy.","status":409}}"#,
            r#"{"error":{"code":"CONFLICT","message":"Busy.","status":404}}"#,
        ),
        ("status_in_error", r#"{"message":"Busy.","errors":{}}"#, r#"{"message":"Free.","errors":{}}"#),
        (
            "error_with_meta",
            r#"{"error":{"code":"x","message":"Busy."},"meta":{"request_id":"ID","ts":"2026-01-01T00:00:00Z"}}"#,
            r#"{"error":{"code":"x","message":"Busy."},"meta":{"request_id":"ID","ts":"yesterday"}}"#,
        ),
        ("json", r#"{"error":{"message":"Busy."}}"#, r#"{"error":{"message":"Busy."}"#),
        ("text:Busy.", "Busy.", "Busy"),
        ("empty", "", "x"),
    ];
    for (kind, good, bad) in shapes {
        let has_message = !matches!(*kind, "text:Busy." | "empty");
        let message = if has_message { "message = \"Busy.\"" } else { "" };
        let case = one(&format!("[[case]]\nname = \"x\"\n[case.expect]\nbody = \"{kind}\"\n{message}"));
        let mut run = right();
        let content_type = if *kind == "problem" { "application/problem+json" } else { "application/json" };
        set(&mut response(&mut run).headers, "content-type", content_type);
        body(&mut run, good);
        assert_eq!(problems(&case, &run), [], "{kind}");
        body(&mut run, bad);
        assert_ne!(problems(&case, &run), [], "{kind}: {bad}");
    }
}

#[test]
fn an_id_is_in_every_call_and_differs_between_requests() {
    let twice = one(&CASE.replace("[case.inner]", "request = { times = 2 }\n[case.inner]").replace("calls = 1", ""));
    let mut run = right();
    run.exchanges.push(again(&run));
    assert!(problems(&twice, &run).iter().any(|(rule, _)| *rule == "I1"));
}

#[test]
fn deep_json_costs_no_stack() {
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let text = format!(r#"{{"error":{{"code":"conflict","message":"Busy.","details":{deep}}},"request_id":"{ID}"}}"#);
    let envelope = super::envelope::read(text.as_bytes()).expect("an envelope");
    assert_eq!(envelope.details.as_deref(), Some(deep.as_str()));
}

#[test]
fn an_unknown_key_is_refused_and_rows_are_merged() {
    let refused = ["nome = 1", "[case.request]\nverb = 1", "[case.inner]\nfails = \"x\"", "[case.expect]\ncod = 1"];
    for line in refused {
        assert!(parse(&format!("[[case]]\nname = \"x\"\n{line}"), Path::new(".")).is_err(), "{line}");
    }
    let text = "[[case]]\nname = \"x\"\neach = [{ name = \"r\", inner = { gzip = \"y\" }, expect = { headers = { b = \"2\" } } }]\n\
                [case.inner]\nstatus = 404\nbody = \"z\"\n[case.expect.headers]\na = \"1\"";
    let case = one(text);
    assert_eq!((case.name.as_str(), case.inner.status(), case.request.times), ("x/r", 404, 1));
    assert_ne!(case.inner.body(), Some(b"z".to_vec()));
    assert_eq!(case.expect.headers.len(), 2);
}

#[test]
fn a_broken_framing_is_no_whole_body() {
    let read = |bytes: &[u8], framing| Wire::new(bytes).body(framing, |_| {}).is_ok();
    assert!(read(b"abc", Framing::Length(3)) && read(b"3\r\nabc\r\n0\r\n\r\n", Framing::Chunked));
    assert!(!read(b"ab", Framing::Length(3)));
    assert!(!read(b"3\r\nabc\r\n", Framing::Chunked));
    assert!(!read(b"3\r\nabcd\r\n0\r\n\r\n", Framing::Chunked));
}

fn one(text: &str) -> Case {
    parse(text, Path::new(".")).expect("a case").remove(0)
}

fn case() -> Case {
    one(CASE)
}

fn right() -> Run {
    let case = case();
    let request: Headers = vec![("x-request-id".into(), ID.into())];
    let sent = super::script::sent(&case.inner, 409, &request);
    let call = Call { headers: request, sent: Some(sent), ..Call::default() };
    let lines = [
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("etag", "\"v\""),
        ("vary", "origin, accept"),
        ("retry-after", "7"),
        ("content-type", "application/json"),
        ("content-length", "0"),
        ("x-request-id", ID),
        ("x-error-code", "conflict"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ];
    let headers = lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    let response = Response { status: 409, headers, ..Response::default() };
    let exchanges = vec![Exchanged { response: Ok(response), reset: false }];
    let mut run = Run { exchanges, calls: vec![call], log: format!("id={ID}"), ..Run::default() };
    body(&mut run, r#"{"error":{"code":"conflict","message":"Busy.","details":{"n":1.0}},"request_id":"ID"}"#);
    run
}

fn again(run: &Run) -> Exchanged {
    Exchanged { response: run.exchanges[0].response.clone(), reset: false }
}

fn response(run: &mut Run) -> &mut Response {
    run.exchanges[0].response.as_mut().expect("a response")
}

fn body(run: &mut Run, text: &str) {
    let text = text.replace("ID", ID);
    set(&mut response(run).headers, "content-length", &text.len().to_string());
    response(run).body = text.into_bytes();
}

fn set(headers: &mut Headers, name: &str, value: &str) {
    let line = headers.iter_mut().find(|(have, _)| have == name).expect("the header");
    line.1 = value.as_bytes().to_vec();
}
