//! Tests the messaging service: each kind of error of a whole service, as its clients get it.

use std::process::Command;
use std::sync::LazyLock;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tower::ServiceExt;
use tower_error_envelope::PrometheusHandle;

use crate::examples::binary;
use crate::kit::{Answer, answer, logged};

#[allow(dead_code, reason = "an example has a main")]
#[path = "../../examples/messaging/main.rs"]
mod example;

const ADA: (&str, &str) = (
    "authorization",
    "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDAsImF1ZCI6Im1lc3NhZ2luZyJ9.Y7pEkl15lOf-rIRF3JqRKRpVciYAHJ6pR3i9MRFaUPw",
);
const ADMIN: (&str, &str) = (
    "authorization",
    "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IiLCJleHAiOjQxMDI0NDQ4MDAsImF1ZCI6Im1lc3NhZ2luZyIsInJvbGVzIjpbImFkbWluIl19.tUWpcOz6Bj_bUjFSWzk28K839Iv5a-4CFUjrRX4-4-8",
);
/// A token with a text as `roles`.
const ODD: (&str, &str) = (
    "authorization",
    "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDAsImF1ZCI6Im1lc3NhZ2luZyIsInJvbGVzIjoiYWRtaW4ifQ.bNQkcnnzRRECvqyx9dmbIrvOUYXr890j30QsS2o6U3w",
);
const HOOK: (&str, &str) = ("x-hook-token", "build-2");
const NOBODY: (&str, &str) = ("x-nothing", "");

static METRICS: LazyLock<PrometheusHandle> =
    LazyLock::new(|| tower_error_envelope::install_metrics().expect("the only recorder of the process"));

/// Makes a service with a public channel "general" and a private one.
async fn app() -> Router {
    let app = example::app(METRICS.clone()).unwrap();
    for body in [r#"{"name":"general"}"#, r#"{"name":"team","private":true}"#] {
        assert_eq!(send(&app, "POST /channels", ADA, body).await.head.status, 200);
    }
    app
}

async fn send(app: &Router, line: &str, (name, value): (&str, &str), body: &'static str) -> Answer {
    let (method, path) = line.split_once(' ').unwrap();
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    answer(app.clone().oneshot(request.header(name, value).body(Body::from(body)).unwrap()).await.unwrap()).await
}

type Row = (&'static str, (&'static str, &'static str), &'static str, u16, &'static str, Value);

/// Returns rows with a request, a header and a body, and the status, the code and the details of its error, or the
/// result.
fn rows() -> Vec<Row> {
    let closed = json!({ "messages": 3, "reason": "moved" });
    vec![
        // Credentials: missing ones, optional ones, claims, and a verifier's data.
        ("GET /health", NOBODY, "", 200, "fine", Value::Null),
        ("POST /channels", NOBODY, "{}", 401, "auth_missing", Value::Null),
        ("GET /channels/general/messages", NOBODY, "", 200, "[]", Value::Null),
        ("GET /channels/team/messages", NOBODY, "", 404, "not_found", Value::Null),
        ("GET /channels/team/messages", ADA, "", 200, "[]", Value::Null),
        ("GET /channels/general/messages", ("authorization", "Bearer x"), "", 401, "auth_malformed", Value::Null),
        ("DELETE /channels/general", ADA, "", 403, "forbidden", Value::Null),
        ("DELETE /channels/general", ODD, "", 500, "internal_error", Value::Null),
        ("POST /hooks", ADA, r#"{"text":"built"}"#, 401, "auth_missing", Value::Null),
        ("POST /hooks", ("x-hook-token", "build-1"), r#"{"text":"built"}"#, 401, "auth_expired", Value::Null),
        ("POST /hooks", HOOK, r#"{"text":"built"}"#, 200, "1", Value::Null),
        // Errors of other crates.
        ("POST /hooks", HOOK, r#"{"text":"#, 400, "bad_request", Value::Null),
        ("POST /hooks", HOOK, "7", 422, "invalid_request", issue(json!([]), "Send an object with a text.", None)),
        ("GET /members/bob", ADA, "", 404, "not_found", Value::Null),
        ("GET /notice", ADA, "", 410, "gone", Value::Null),
        ("GET /channels/team/latest", ADA, "", 500, "internal_error", Value::Null),
        // Validation: the extractor, garde, and a rule by hand have the same status.
        (
            "POST /channels/general/messages",
            ADA,
            "{}",
            422,
            "invalid_request",
            issue(json!(["text"]), "Required.", Some("missing")),
        ),
        (
            "POST /channels/general/messages",
            ADA,
            r#"{"text":""}"#,
            422,
            "invalid_request",
            issue(json!(["text"]), "length is lower than 1", Some("length")),
        ),
        (
            "POST /channels/general/messages",
            ADA,
            r#"{"text":"a","reply_to":9}"#,
            422,
            "invalid_request",
            issue(json!(["reply_to"]), "No such message.", Some("unknown_message")),
        ),
        // Codes of the service's own, with details.
        ("POST /channels/general/messages", ADA, r#"{"text":"a","reply_to":1}"#, 200, "2", Value::Null),
        ("POST /channels/general/messages", ADA, r#"{"text":"b"}"#, 200, "3", Value::Null),
        ("POST /channels/general/messages", ADA, r#"{"text":"c"}"#, 409, "channel_full", json!({ "limit": 3 })),
        ("DELETE /channels/general?reason=moved", ADMIN, "", 200, "", Value::Null),
        ("POST /channels/general/messages", ADA, r#"{"text":"c"}"#, 409, "channel_closed", closed),
        ("DELETE /channels/team", ADMIN, "", 200, "", Value::Null),
        ("POST /channels/team/messages", ADA, r#"{"text":"c"}"#, 409, "channel_closed", json!({ "messages": 0 })),
    ]
}

fn issue(path: Value, message: &str, code: Option<&str>) -> Value {
    let mut issue = json!({ "path": path, "message": message });
    if let Some(code) = code {
        issue["code"] = code.into();
    }
    json!({ "issues": [issue] })
}

#[tokio::test]
async fn each_request_gets_its_error() {
    let app = app().await;
    for (line, header, body, status, expected, details) in rows() {
        let answer = send(&app, line, header, body).await;
        assert_eq!(answer.head.status, status, "{line} {body}: {answer:?}");
        if status == 200 {
            assert_eq!(answer.body, expected, "{line} {body}");
        } else {
            assert_eq!(answer.expect_envelope(status, expected)["details"], details, "{line} {body}");
        }
    }
    let counted = send(&app, "GET /metrics", NOBODY, "").await;
    let counted = String::from_utf8(counted.body.to_vec()).unwrap();
    let is_counted = |line: &str| {
        line.starts_with(r#"error_envelope_errors_total{code="channel_full",status="409""#)
            && line.contains(r#"route="/channels/{channel}/messages""#)
    };
    assert!(counted.lines().any(is_counted), "{counted}");
}

#[tokio::test]
async fn each_item_of_a_batch_is_a_result() {
    let app = app().await;
    let batch = r#"[{"text":"a"},{"text":""},{"text":"b","reply_to":9},{"text":"c"}]"#;
    let answer = send(&app, "POST /channels/general/batch", ADA, batch).await;
    let results: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&results[0], &results[3]), (&json!({ "number": 1 }), &json!({ "number": 2 })));
    for (result, code) in results[1..3].iter().zip(["length", "unknown_message"]) {
        assert_eq!(result["error"]["details"]["issues"][0]["code"], code, "{result}");
        assert_eq!(result["request_id"], answer.id(), "{result}");
    }
}

#[tokio::test]
async fn a_socket_gets_errors_as_messages() {
    let app = app().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut request = "ws://test/channels/general/socket".into_client_request().unwrap();
    request.headers_mut().insert(ADA.0, ADA.1.parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, response) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    for (sent, pointer, expected) in [
        (r#"{"text":"a"}"#, "/number", json!(1)),
        (r#"{"text":7}"#, "/error/details/issues/0/path", json!(["text"])),
        ("{", "/error/code", json!("bad_request")),
        (r#"{"text":""}"#, "/request_id", json!(response.headers()["x-request-id"].to_str().unwrap())),
    ] {
        socket.send(Message::text(sent)).await.unwrap();
        let reply: Value = serde_json::from_str(socket.next().await.unwrap().unwrap().to_text().unwrap()).unwrap();
        assert_eq!(reply.pointer(pointer), Some(&expected), "{sent}: {reply}");
    }
}

/// A person closed the channel, so nobody needs to be called (L1).
#[test]
fn l1_a_stream_that_ends_with_a_4xx_fault_is_logged_at_info() {
    let (events, lines) = logged(async {
        let app = app().await;
        send(&app, "POST /channels/general/messages", ADA, r#"{"text":"a"}"#).await;
        send(&app, "DELETE /channels/general", ADMIN, "").await;
        let answer = send(&app, "GET /channels/general/events", ADA, "").await;
        String::from_utf8(answer.body.to_vec()).unwrap()
    });
    assert!(events.starts_with("data: a\n\nevent: error\ndata: {\"error\":{\"code\":\"channel_closed\""), "{events}");
    let line = crate::kit::only(&lines);
    assert_eq!((&*line.level, line.field("code")), ("INFO", Some("channel_closed")), "{line:?}");
}

#[tokio::test]
async fn the_document_has_each_operations_codes_and_credentials() {
    let answer = send(&app().await, "GET /openapi.json", NOBODY, "").await;
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    for (pointer, expected) in [
        ("/components/securitySchemes/hook/name", json!("x-hook-token")),
        ("/components/securitySchemes/session/bearerFormat", json!("JWT")),
        ("/paths/~1channels~1{channel}~1messages/get/security", json!([{ "session": [] }, {}])),
        ("/paths/~1hooks/post/security", json!([{ "hook": [] }])),
    ] {
        assert_eq!(document.pointer(pointer), Some(&expected), "{pointer}");
    }
    let examples = "/responses/409/content/application~1json/examples";
    for (operation, codes) in [
        ("/paths/~1channels/post", &["conflict"][..]),
        ("/paths/~1channels~1{channel}~1messages/post", &["channel_closed", "channel_full"]),
    ] {
        let examples = document.pointer(&format!("{operation}{examples}")).and_then(Value::as_object).unwrap();
        assert_eq!(examples.keys().collect::<Vec<_>>(), codes, "{operation}");
    }
}

#[test]
fn the_log_has_the_place_of_a_panic() {
    let output = Command::new(binary("messaging")).arg("--once").output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("cause=\"a message (at examples/messaging/channels.rs:"), "{log}");
}
