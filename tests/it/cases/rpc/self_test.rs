//! Tests that the checks of statuses fail where they should: a right response of each protocol holds, and each fault in
//! it is reported.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::super::check::problems;
use super::super::format::Case;
use super::super::framed;
use super::super::load::parse;
use super::super::seen::{Call, Exchanged, Facts, Response, Run, Sent};

const ID: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

const EXPECTED: &str = r#"
rpc_code = "not_found"
message = "No 100 % größe."
rpc_details = { "google.rpc.ErrorInfo" = { reason = "NOT_FOUND" }, "google.rpc.RequestInfo" = { request_id = "$id" }, "google.rpc.RetryInfo" = { retry_delay = "7s" }, "google.rpc.BadRequest" = "absent" }
"#;

type Spoil = fn(&mut Response);

fn spoiled(case: &Case, right: &Run, spoils: &[(&str, Spoil)]) {
    assert_eq!(problems(case, right), []);
    for (index, (rule, spoil)) in spoils.iter().enumerate() {
        let mut response = right.exchanges[0].response.clone().expect("a response");
        spoil(&mut response);
        let found = problems(case, &run(response, right.calls[0].sent.clone(), right.facts));
        assert!(found.iter().any(|(have, _)| have == rule), "spoil {index} is to break {rule}, found {found:?}");
    }
}

#[test]
fn a_wrong_answer_to_grpc_is_found() {
    let case = case("application/grpc", "rpc_at = \"head\"\ndetails_bin_has = [\"NOT_FOUND\", \"$id\"]");
    let spoils: &[(&str, Spoil)] = &[
        ("P", |r| set(r, "grpc-status", "14")),
        ("P", |r| set(r, "grpc-status", "05")),
        ("P", |r| set(r, "grpc-status", "0")),
        ("P", |r| r.status = 404),
        ("P", |r| set(r, "content-type", "application/json")),
        ("P1", |r| r.body = b"{}".to_vec()),
        ("P1", |r| r.headers.push(("content-length".into(), b"0".into()))),
        ("P1", |r| r.trailers = vec![("grpc-status".into(), b"5".into())]),
        ("P1", |r| set(r, "grpc-message", "No 100 %25 größe.")),
        ("P", |r| set(r, "grpc-message", "No 100 % gr%C3%B6%C3%9Fe.")),
        ("R3", |r| set(r, "grpc-message", "No 50%25 gr%C3%B6%C3%9Fe.")),
        ("P1", |r| set(r, "grpc-message", &"a".repeat(9000))),
        ("P1", |r| r.headers.retain(|(name, _)| name != "grpc-status-details-bin")),
        ("P1", |r| set(r, "grpc-status-details-bin", &bin(14, TEXT, ["NOT_FOUND", ID]))),
        ("P1", |r| set(r, "grpc-status-details-bin", &bin(5, "Another", ["NOT_FOUND", ID]))),
        ("P1", |r| set(r, "grpc-status-details-bin", &bin(5, TEXT, ["not-found", ID]))),
        ("P1", |r| set(r, "grpc-status-details-bin", &bin(5, TEXT, ["GONE", ID]))),
        ("P1", |r| set(r, "grpc-status-details-bin", &bin(5, TEXT, ["NOT_FOUND", "req_"]))),
        ("P", |r| set(r, "grpc-status-details-bin", "!")),
        ("P1", |r| set(r, "retry-after", "8")),
        ("E4", |r| set(r, "x-content-type-options", "sniff")),
        ("P1", |r| r.headers.retain(|(name, _)| name != "retry-after")),
        ("F1", |r| set(r, "grpc-message", super::super::always::SECRET)),
        ("F1", |r| set(r, "grpc-status-details-bin", &bin(5, TEXT, ["NOT_FOUND", super::super::always::SECRET]))),
    ];
    spoiled(&case, &right("application/grpc", Vec::new()), spoils);
}

#[test]
fn a_wrong_status_in_trailers_is_found() {
    let expected = "rpc_at = \"trailers\"\nmessages = [\"hello\"]\ntrailers = { x-request-id = \"absent\" }";
    let case = broken_off("application/grpc", expected);
    let mut right = right("application/grpc", frame(0, b"hello"));
    response(&mut right).trailers = split_off(response(&mut right));
    response(&mut right).headers.retain(|(name, _)| name != "x-error-code");
    let spoils: &[(&str, Spoil)] = &[
        ("P", |r| r.trailers.clear()),
        ("P", |r| r.trailers.push(("grpc-status".into(), b"5".into()))),
        ("P1", |r| r.trailers.retain(|(name, _)| name != "grpc-status-details-bin")),
        ("P1", |r| r.headers.push(("grpc-status".into(), b"5".into()))),
        ("F4", |r| r.body = frame(0, b"hell")),
        ("R6", |r| r.trailers.push(("x-request-id".into(), ID.into()))),
    ];
    spoiled(&case, &right, spoils);
}

#[test]
fn a_wrong_answer_to_grpc_web_is_found() {
    let case = case("application/grpc-web-text+proto", "rpc_at = \"head\"");
    let mut right = right("application/grpc-web-text+proto", Vec::new());
    let exposed = "x-request-id, x-error-code, retry-after, grpc-status, grpc-message, grpc-status-details-bin";
    for (name, value) in [("access-control-allow-origin", "*"), ("access-control-expose-headers", exposed)] {
        response(&mut right).headers.push((name.into(), value.into()));
    }
    let spoils: &[(&str, Spoil)] = &[
        ("P2", |r| set(r, "access-control-expose-headers", "x-request-id, x-error-code, retry-after, grpc-status")),
        ("P", |r| set(r, "content-type", "application/grpc")),
        ("P1", |r| r.body = frame(0x80, b"grpc-status:5\r\n")),
    ];
    spoiled(&case, &right, spoils);
}

#[test]
fn a_wrong_trailer_frame_is_found() {
    for text in [false, true] {
        let media_type = if text { "application/grpc-web-text" } else { "application/grpc-web" };
        let expected = "rpc_at = \"trailer_frame\"\nmessages = [\"hello\"]\ntrailer_frame = { grpc-status = \"5\" }";
        let case = broken_off(media_type, expected);
        let mut right = right(media_type, Vec::new());
        response(&mut right).headers.retain(|(name, _)| name != "x-error-code");
        let fields = split_off(response(&mut right));
        let lines = fields.iter().map(|(name, value)| [name.as_bytes(), b": ", value, b"\r\n"].concat());
        let block = lines.collect::<Vec<_>>().concat();
        let bodies = [
            [frame(0, b"hello"), frame(0x80, &block)],
            [frame(0, b"hello"), Vec::new()],
            [frame(0, b"hell"), frame(0x80, &block)],
            [frame(0x80, &block), frame(0, b"hello")],
            [frame(0, b"hello"), frame(0x80, &[&block[..], b"\0"].concat())],
            [frame(0, b"hello"), frame(0x80, &block.to_ascii_uppercase())],
        ];
        let coded = |body: &[Vec<u8>; 2]| if text { encoded(body).into_bytes() } else { body.concat() };
        response(&mut right).body = coded(&bodies[0]);
        assert_eq!(problems(&case, &right), [], "{media_type}");
        for (index, body) in bodies.iter().enumerate().skip(1) {
            response(&mut right).body = coded(body);
            assert_ne!(problems(&case, &right), [], "{media_type}, body {index}");
        }
    }
}

/// Encodes each message separately, with padding, as a stream sends them.
fn encoded(messages: &[Vec<u8>]) -> String {
    messages.iter().map(|message| STANDARD.encode(message)).collect()
}

#[test]
fn a_wrong_answer_to_connect_is_found() {
    let case = case("application/proto\"], [\"connect-protocol-version\", \"1", "rpc_at = \"body\"\nstatus = 404");
    let mut right = right("application/json", connect("not_found", "NOT_FOUND", ID).into_bytes());
    split_off(response(&mut right));
    response(&mut right).headers.push(("cache-control".into(), b"no-store".into()));
    response(&mut right).status = 404;
    let spoils: &[(&str, Spoil)] = &[
        ("P", |r| r.body = connect("unavailable", "NOT_FOUND", ID).into_bytes()),
        ("P3", |r| r.body = connect("missing", "NOT_FOUND", ID).into_bytes()),
        ("P3", |r| r.status = 400),
        ("P1", |r| r.body = connect("not_found", "GONE", ID).into_bytes()),
        ("P1", |r| r.body = connect("not_found", "NOT_FOUND", "req_").into_bytes()),
        ("P", |r| r.body = br#"{"error":{"code":"not_found","message":"x"},"request_id":"x"}"#.into()),
        ("P", |r| r.body = connect("not_found", "NOT_FOUND", ID).replace("\"type\"", "\"@type\"").into_bytes()),
        ("P", |r| set(r, "content-type", "application/connect+json")),
    ];
    spoiled(&case, &right, spoils);
}

#[test]
fn a_wrong_end_of_a_connect_stream_is_found() {
    let expected =
        "status = 200\nrpc_at = \"end_stream\"\nmessages = []\nend_stream = '{\"error\":{\"code\":\"not_found\"}}'";
    let case = case("application/connect+proto", expected);
    let end = |reason: &str| format!("{{\"error\":{}}}", connect("not_found", reason, ID));
    let mut right = right("application/connect+proto", frame(2, end("NOT_FOUND").as_bytes()));
    split_off(response(&mut right));
    let bodies = [
        Vec::new(),
        frame(0, end("NOT_FOUND").as_bytes()),
        frame(2, end("GONE").as_bytes()),
        frame(2, b"{}"),
        frame(2, connect("not_found", "NOT_FOUND", ID).as_bytes()),
        [frame(2, end("NOT_FOUND").as_bytes()), b"x".to_vec()].concat(),
        [frame(0, b"hello"), frame(2, end("NOT_FOUND").as_bytes())].concat(),
    ];
    assert_eq!(problems(&case, &right), []);
    for (index, body) in bodies.into_iter().enumerate() {
        response(&mut right).body = body;
        assert_ne!(problems(&case, &right), [], "body {index}");
    }
}

#[test]
fn a_body_is_written_and_read_as_messages() {
    let text = "[[case]]\nname = \"x\"\n[case.request]\nbody_cuts = [1, 6]\nmessages = [{ text = \"ab\", count = 2 }, { flags = 1, length = 9 }]";
    let case = parse(text, Path::new(".")).expect("a case").remove(0);
    let body = case.request.body().expect("a body");
    assert_eq!(body, b"\0\0\0\0\x04abab\x01\0\0\0\x09");
    assert_eq!(case.request.pieces(3), [&body[..1], &body[1..6], &body[6..]]);
    assert_eq!(framed::read(&body), framed::Read { whole: vec![(0, b"abab".into())], rest: 5 });
    assert_eq!(framed::untexted(b"YQ==Yg=="), Some(b"ab".into()));
    assert_eq!(framed::untexted(b"YQ="), None);
}

/// A client that leaves must have had no response. The log is searched for the id that the service saw.
#[test]
fn a_client_that_left_has_no_answer() {
    let text = "[[case]]\nname = \"x\"\n[case.request]\nleaves_after_ms = 5\n[case.expect]\nlog_has = [\"$id\"]";
    let case = parse(text, Path::new(".")).expect("a case").remove(0);
    let mut run = run(Response::default(), None, Facts::default());
    assert_ne!(problems(&case, &run), []);
    run.exchanges[0].response = Err("left".into());
    assert_ne!(problems(&case, &run), []);
    run.log = ID.into();
    assert_eq!(problems(&case, &run), []);
}

const TEXT: &str = "No 100 % größe.";

fn case(media_type: &str, expected: &str) -> Case {
    let text = format!(
        "[[case]]\nname = \"x\"\n[case.request]\nversion = \"2\"\nheaders = [[\"content-type\", \"{media_type}\"]]\n\
         [case.expect]\n{expected}\n{EXPECTED}"
    );
    parse(&text, Path::new(".")).expect("a case").remove(0)
}

fn broken_off(media_type: &str, expected: &str) -> Case {
    let mut case = case(media_type, expected);
    case.inner.cut_after = Some(10);
    case
}

/// Returns a response whose head has the status. Other places take the status from there.
fn right(media_type: &str, body: Vec<u8>) -> Run {
    let bin = bin(5, TEXT, ["NOT_FOUND", ID]);
    let lines = [
        ("content-type", media_type),
        ("x-request-id", ID),
        ("x-error-code", "not_found"),
        ("x-content-type-options", "nosniff"),
        ("retry-after", "7"),
        ("grpc-status", "5"),
        ("grpc-message", "No 100 %25 gr%C3%B6%C3%9Fe."),
        ("grpc-status-details-bin", &bin),
    ];
    let headers = lines.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    let sent = Sent { status: 429, headers: vec![("retry-after".into(), b"7".into())], body: Vec::new() };
    run(Response { status: 200, headers, body, ..Response::default() }, Some(sent), Facts::default())
}

fn run(response: Response, sent: Option<Sent>, facts: Facts) -> Run {
    let call = Call { headers: vec![("x-request-id".into(), ID.into())], sent, ..Call::default() };
    let exchanges = vec![Exchanged { response: Ok(response), reset: false }];
    Run { exchanges, calls: vec![call], facts, ..Run::default() }
}

/// Removes the status from the head.
fn split_off(response: &mut Response) -> Vec<(String, Vec<u8>)> {
    let (fields, rest) = response.headers.drain(..).partition(|(name, _)| name.starts_with("grpc-"));
    response.headers = rest;
    fields
}

fn response(run: &mut Run) -> &mut Response {
    run.exchanges[0].response.as_mut().expect("a response")
}

fn set(response: &mut Response, name: &str, value: &str) {
    let line = response.headers.iter_mut().find(|(have, _)| have == name).expect("the header");
    line.1 = value.as_bytes().to_vec();
}

fn frame(flags: u8, data: &[u8]) -> Vec<u8> {
    [&[flags][..], &u32::try_from(data.len()).expect("short").to_be_bytes(), data].concat()
}

fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).expect("short")], bytes].concat()
}

/// Returns the details with their types: a reason and a domain, an id, and seven seconds.
fn details([reason, id]: [&str; 2]) -> [(&'static str, Vec<u8>); 3] {
    let info = [field(1, reason.as_bytes()), field(2, b"x")].concat();
    let retry = field(1, &[8, 7]);
    [
        ("google.rpc.ErrorInfo", info),
        ("google.rpc.RequestInfo", field(1, id.as_bytes())),
        ("google.rpc.RetryInfo", retry),
    ]
}

fn bin(code: u8, message: &str, texts: [&str; 2]) -> String {
    let any = |(name, value): (&str, Vec<u8>)| {
        field(3, &[field(1, format!("type.googleapis.com/{name}").as_bytes()), field(2, &value)].concat())
    };
    let details = details(texts).map(any).concat();
    STANDARD_NO_PAD.encode([vec![8, code], field(2, message.as_bytes()), details].concat())
}

fn connect(code: &str, reason: &str, id: &str) -> String {
    let detail =
        |(name, value): (&str, Vec<u8>)| serde_json::json!({ "type": name, "value": STANDARD_NO_PAD.encode(value) });
    let details = details([reason, id]).map(detail);
    serde_json::json!({ "code": code, "message": TEXT, "details": details }).to_string()
}
