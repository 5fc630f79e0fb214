//! Tests `clients/cases/parse.json`: the content of a response.

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};
use tower_error_envelope::client::{BufferedResponse, ClientError, ErrorReader, Issue, Step};
use tower_error_envelope::{ErrorCode, Fault, Retry};

use super::{Answer, bytes, cases};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    only: Option<Vec<String>>,
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
    body: String,
    #[serde(default)]
    trailers: Vec<(String, String)>,
    #[serde(default)]
    now: Option<String>,
    expect: Value,
}

#[test]
fn each_shared_case_is_read() {
    let mut wrong = Vec::new();
    for case in cases::<Case>(include_str!("../../../clients/cases/parse.json")) {
        assert!(case.only.is_none_or(|only| only == ["rust"]), "{}", case.name);
        let Case { status, headers, body, .. } = case;
        let (head, _) = Answer { status, headers, body: String::new() }.response().into_parts();
        let mut trailers = http::HeaderMap::new();
        for (name, value) in &case.trailers {
            trailers.insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        let reader = ErrorReader::new().clock(match case.now.as_deref() {
            None => || SystemTime::UNIX_EPOCH,
            Some("Sun, 06 Nov 1994 00:00:00 GMT") => || at(784_080_000),
            Some("Sun, 06 Nov 1994 08:49:37 GMT") => || at(784_111_777),
            Some("Mon, 07 Nov 1994 08:49:37 GMT") => || at(784_198_177),
            Some(other) => panic!("{}: {other} has no clock here", case.name),
        });
        let whole = BufferedResponse { head: &head, body: &bytes(&body), trailers: Some(&trailers) };
        let read = reader.read_whole(whole).as_ref().map_or(Value::Null, facts);
        if read != case.expect {
            wrong.push(format!("{}:\n   {read}\n  not {}", case.name, case.expect));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn r15_a_shape_of_a_policys_own_is_read_before_the_built_in_ones() {
    let policy = r#"
        version = 1
        [[code]]
        code = "order_gone"
        status = 410
        retry = "refresh"
        [shape.acme]
        when = { "/error/fault" = "string" }
        codes = { "Gone" = "order_gone" }
        issues = { list = "/error/at/*", path = "/field", message = "/why" }
        write = '{"error":{"fault":{{name}},"message":{{message}},"at":{{issues?}}},"trace":{{request_id}}}'
    "#;
    let reader = ErrorReader::new().policy(&tower_error_envelope::Policy::from_toml("policy.toml", policy).unwrap());
    let read = |reader: &ErrorReader, status: u16, body: &str| {
        let response = http::Response::builder().status(status).body(body.to_owned()).unwrap();
        facts(&reader.read(&response).unwrap())
    };
    let gone = r#"{"error":{"fault":"Gone","message":"No more."},"trace":"t1"}"#;
    assert_eq!(
        read(&reader, 410, gone),
        json!({"status": 410, "code": "order_gone", "message": "No more.", "retry": "refresh", "raw_code": "Gone", "request_id": "t1"})
    );
    // A name in the form of a code is a code, for the client as for the layer.
    assert_eq!(read(&reader, 409, r#"{"error":{"fault":"seat_taken","message":"No."}}"#)["code"], "seat_taken");
    let wrong = r#"{"error":{"fault":"Bad","message":"Look.","at":[{"field":"items.1.qty","why":"is odd"}]}}"#;
    assert_eq!(read(&reader, 400, wrong)["issues"], json!([{"path": ["items", 1, "qty"], "message": "is odd"}]));
    assert_eq!(read(&reader, 400, wrong)["code"], "invalid_request");
    assert_eq!(read(&ErrorReader::new(), 410, gone)["code"], "gone", "without the policy the status decides");
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Returns the facts in the form of the cases, which name what is there.
fn facts(error: &ClientError) -> Value {
    let mut parsed = json!({
        "status": error.status().as_u16(),
        "code": error.code().as_str(),
        "message": error.message(),
        "retry": error.retry().as_str(),
    });
    if let Some(code) = error.raw_code() {
        parsed["raw_code"] = code.into();
    }
    if let Some(details) = error.details::<Value>().unwrap() {
        parsed["details"] = details;
    }
    if !error.issues().is_empty() {
        parsed["issues"] = error.issues().iter().map(issue).collect();
    }
    if let Some(id) = error.request_id() {
        parsed["request_id"] = id.into();
    }
    if let Some(wait) = error.retry_after() {
        parsed["retry_after_ms"] = u64::try_from(wait.as_millis()).unwrap().into();
    }
    if let Some(docs) = error.docs() {
        parsed["docs"] = docs.into();
    }
    if error.is_retryable() != (error.retry() == Retry::Backoff) {
        parsed["retryable"] = error.is_retryable().into();
    }
    parsed
}

fn issue(issue: &Issue) -> Value {
    let step = |step: &Step| match step {
        Step::Name(name) => Value::from(name.clone()),
        Step::Index(index) => Value::from(*index),
    };
    let mut parsed = json!({ "path": issue.path.iter().map(step).collect::<Vec<_>>(), "message": issue.message });
    if let Some(code) = &issue.code {
        parsed["code"] = code.clone().into();
    }
    parsed
}

fn error(answer: http::response::Builder, body: &str) -> ClientError {
    ErrorReader::new().read(&answer.body(body).unwrap()).unwrap()
}

#[test]
fn an_upstreams_error_is_no_error_of_the_client() {
    let upstream = error(http::Response::builder().status(403).header("x-error-code", "forbidden"), "");
    let fault = Fault::from(upstream);
    assert_eq!((fault.status().as_u16(), fault.code()), (502, &ErrorCode::OTHER));
    let cause = std::error::Error::source(&fault).unwrap().to_string();
    assert_eq!(cause, format!("403 forbidden: {}", ErrorCode::FORBIDDEN.message()));
}

#[test]
fn an_error_is_logged_without_its_details() {
    let body =
        r#"{"error":{"code":"conflict","message":"a\nb","details":{"token":"s3cr3t"}},"request_id":"r\u001b[31m"}"#;
    let error = error(http::Response::builder().status(409), body);
    assert_eq!(error.to_string(), "409 conflict: a b");
    assert!(!format!("{error:?}").contains("s3cr3t"), "{error:?}");
    assert_eq!(error.details::<Value>().unwrap(), Some(json!({ "token": "s3cr3t" })));
    assert!(error.details::<Vec<u8>>().is_err());
}

#[test]
fn an_own_code_has_its_own_advice() {
    let read = |reader: ErrorReader| {
        let response = http::Response::builder().status(409).header("x-error-code", "seat_taken").body("").unwrap();
        reader.read(&response).unwrap().retry()
    };
    assert_eq!(read(ErrorReader::new()), Retry::Backoff);
    let taken = || ErrorCode::custom("seat_taken", 409);
    assert_eq!(read(ErrorReader::new().codes([taken()])), Retry::No);
    for others in 1..9 {
        let before = ErrorReader::new().codes(vec![taken(); others]);
        assert_eq!(read(before.codes([taken().with_retry(Retry::Refresh)])), Retry::Refresh, "after {others}");
    }
}

#[test]
fn a_coded_body_is_decoded_within_the_limit() {
    let coded = |text: &str| {
        let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut coder, text.as_bytes()).unwrap();
        coder.finish().unwrap()
    };
    let read = |body: Vec<u8>| {
        let response = http::Response::builder().status(404).header("content-encoding", "gzip").body(body).unwrap();
        ErrorReader::new().read(&response).unwrap().message().to_owned()
    };
    let small = r#"{"error":{"code":"not_found","message":"Nowhere."},"request_id":"r"}"#;
    assert_eq!(read(coded(small)), "Nowhere.");
    let bomb = small.replace("Nowhere.", &"n".repeat(70_000));
    assert_eq!(read(coded(&bomb)), "Not found.");
    assert_eq!(read(small.into()), "Not found.");
}

proptest::proptest! {
    #[test]
    fn no_response_panics(
        status in 100_u16..1000,
        media in "application/(json|grpc|grpc-web|grpc-web-text|connect\\+json|problem\\+json)|text/plain",
        body: Vec<u8>,
        text in "\\{\"(error|code|detail|success)\":[\\PC]{0,60}\\}?",
        field in "[ -~]{0,20}",
    ) {
        for body in [&body[..], text.as_bytes()] {
            let mut response = http::Response::builder().status(status).header("content-type", &media);
            for name in ["x-error-code", "x-request-id", "retry-after", "date", "grpc-status", "grpc-retry-pushback-ms"] {
                response = response.header(name, &field);
            }
            if let Some(error) = ErrorReader::new().read(&response.body(body).unwrap()) {
                let line = error.to_string();
                proptest::prop_assert!(!line.chars().any(char::is_control) && line.len() < 1400, "{line:?}");
                let _ = (error.issues(), error.retry_after(), format!("{error:?}"));
            }
        }
    }
}
