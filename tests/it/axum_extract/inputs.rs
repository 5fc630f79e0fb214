//! Tests how `Json`, `Query` and `Path` refuse requests: they name the place and what was expected, and never quote the
//! input.

use std::collections::HashMap;
use std::io;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use futures_util::stream::iter;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_error_envelope::extract::{Json, Path, Query};
use tower_error_envelope::testing::Envelope;
use tower_error_envelope::{ErrorEnvelopeLayer, Fault, Policy};
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::kit::{Answer, SECRET, answer, logged};

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Order {
    items: Vec<Item>,
    #[serde(default)]
    labels: HashMap<String, u8>,
    #[serde(default)]
    size: Size,
    note: Option<Note>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Item {
    name: String,
    count: u8,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Size {
    #[default]
    Small,
    Large,
}

/// The error of this type quotes the input.
#[derive(Debug, Deserialize, Serialize)]
#[serde(try_from = "String")]
struct Note(String);

impl TryFrom<String> for Note {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() > 3 { Err(format!("{text} is too long")) } else { Ok(Self(text)) }
    }
}

#[derive(Deserialize)]
struct Page {
    #[expect(dead_code, reason = "what is read does not matter, how it is refused does")]
    size: u8,
    #[expect(dead_code, reason = "as above")]
    all: Option<bool>,
}

#[derive(Deserialize)]
struct Seat {
    #[expect(dead_code, reason = "as above")]
    row: char,
    #[expect(dead_code, reason = "as above")]
    number: u8,
}

fn app() -> Router {
    router().layer(ErrorEnvelopeLayer::new())
}

fn router() -> Router {
    Router::new()
        .route("/order", post(|Json(order): Json<Order>| async { Json(order) }))
        .route("/perhaps", post(|order: Option<Json<Order>>| async move { order.is_some().to_string() }))
        .route("/as-400", post(as_400))
        .route("/page", get(|_: Query<Page>| async {}))
        .route("/seats/{row}/{number}", get(|_: Path<Seat>| async {}))
        .route("/tuple/{row}/{number}", get(|_: Path<(char, u8)>| async {}))
        .route("/number/{number}", get(|_: Path<u8>| async {}))
        .route("/orders/{number}", get(|_: Path<u64>| async {}))
        .route("/size/{size}", get(|_: Path<Size>| async {}))
        .route("/rooms/{room}", get(|_: Path<uuid::Uuid>| async {}))
        .route("/rooms/{room}/{ip}", get(|_: Path<(uuid::Uuid, std::net::IpAddr)>| async {}))
        .route("/mistake/{one}", get(|_: Path<(u8, u8)>| async {}))
        .route("/unwritable", get(|| async { Json(HashMap::from([((1, 2), SECRET)])) }))
}

async fn as_400(order: Result<Json<Order>, Fault>) -> Result<Json<Order>, Fault> {
    order.map_err(|fault| fault.with_status(StatusCode::BAD_REQUEST))
}

fn json_of(path: &str, body: impl Into<Body>) -> Request {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
    request.body(body.into()).unwrap()
}

fn get_of(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

async fn send(app: Router, request: Request) -> Answer {
    answer(app.oneshot(request).await.unwrap()).await
}

#[track_caller]
fn envelope(answer: &Answer, status: u16) -> Envelope {
    assert_eq!(answer.head.status, status, "{:?}", answer.body);
    Envelope::parse(&answer.head.headers, &answer.body)
}

#[tokio::test]
async fn what_fits_is_read_and_written() {
    let body = json!({"items": [{"name": "a", "count": 1}], "labels": {"x": 2}, "size": "large", "note": "ok"});
    for content_type in ["application/json", "Application/JSON; charset=utf-8", "application/vnd.shop+json"] {
        let mut request = json_of("/order", body.to_string());
        request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        let answer = send(app(), request).await;
        assert_eq!((answer.head.status, answer.header("content-type")), (StatusCode::OK, Some("application/json")));
        assert_eq!(serde_json::from_slice::<Value>(&answer.body).unwrap(), body);
    }
    for path in ["/page?size=3&all=true&more=1", "/seats/a/7", "/tuple/a/7", "/number/7", "/size/large"] {
        assert_eq!(send(app(), get_of(path)).await.head.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn e8_a_body_that_does_not_fit_says_where_and_what_was_expected() {
    let item = r#"{"name":"a","count":1}"#;
    for (body, path, message, code) in [
        ("{}".to_owned(), json!(["items"]), "Required.", "missing"),
        (r#"{"items":[{"count":1}]}"#.to_owned(), json!(["items", 0, "name"]), "Required.", "missing"),
        (
            format!(r#"{{"items":[{item},{{"name":"b","count":"s3cr3t"}}]}}"#),
            json!(["items", 1, "count"]),
            "Expected a whole number from 0 to 255, got a string.",
            "invalid_type",
        ),
        (
            r#"{"items":[{"name":"a","count":300}]}"#.to_owned(),
            json!(["items", 0, "count"]),
            "Expected a whole number from 0 to 255.",
            "invalid_value",
        ),
        (
            r#"{"items":[{"name":null,"count":1}]}"#.to_owned(),
            json!(["items", 0, "name"]),
            "Expected a string, got null.",
            "invalid_type",
        ),
        (
            r#"{"items":[{"name":53533,"count":1}]}"#.to_owned(),
            json!(["items", 0, "name"]),
            "Expected a string, got a number.",
            "invalid_type",
        ),
        (r#"{"items":{}}"#.to_owned(), json!(["items"]), "Expected an array, got an object.", "invalid_type"),
        (
            r#"{"items":["s3cr3t"]}"#.to_owned(),
            json!(["items", 0]),
            "Expected an object, got a string.",
            "invalid_type",
        ),
        (
            r#"{"items":[],"labels":{"x":-1}}"#.to_owned(),
            json!(["labels", "x"]),
            "Expected a whole number from 0 to 255.",
            "invalid_value",
        ),
        (
            r#"{"items":[],"size":"s3cr3t"}"#.to_owned(),
            json!(["size"]),
            "Expected `small` or `large`.",
            "invalid_value",
        ),
        (r#"{"items":[],"note":"s3cr3t"}"#.to_owned(), json!(["note"]), "Not valid.", "invalid_value"),
        (r#"{"items":[],"items":[]}"#.to_owned(), json!(["items"]), "Given more than once.", "duplicate"),
        (
            r#"{"items":[],"colour":"s3cr3t"}"#.to_owned(),
            json!(["colour"]),
            "Unknown; expected one of `items`, `labels`, `size`, `note`.",
            "unknown",
        ),
        ("[]".to_owned(), json!([]), "Expected an object, got an array.", "invalid_type"),
        ("7".to_owned(), json!([]), "Expected an object, got a number.", "invalid_type"),
    ] {
        let answer = send(app(), json_of("/order", body.clone())).await;
        let envelope = envelope(&answer, 422);
        envelope.assert_code("invalid_request").assert_message("The request failed validation.");
        assert!(!String::from_utf8_lossy(&answer.body).contains(SECRET), "{body}: {:?}", answer.body);
        println!("{body}: {:?}", envelope.issues());
        envelope.assert_details(json!({"issues": [{"path": path, "message": message, "code": code}]}));
    }
}

#[tokio::test]
async fn e8_a_query_or_a_path_that_does_not_fit_says_so_too() {
    for (path, place, message) in [
        ("/page", json!(["size"]), "Required."),
        ("/page?size=s3cr3t", json!(["size"]), "Expected a whole number from 0 to 255."),
        ("/page?size=300", json!(["size"]), "Expected a whole number from 0 to 255."),
        ("/page?size=3&all=s3cr3t", json!(["all"]), "Expected `true` or `false`."),
        ("/page?size=3&size=4", json!(["size"]), "Given more than once."),
        ("/seats/a/s3cr3t", json!(["number"]), "Expected a whole number from 0 to 255."),
        ("/seats/s3cr3t/7", json!(["row"]), "Expected a single character."),
        ("/tuple/a/s3cr3t", json!(["number"]), "Expected a whole number from 0 to 255."),
        ("/number/s3cr3t", json!(["number"]), "Expected a whole number from 0 to 255."),
        ("/orders/s3cr3t", json!(["number"]), "Expected a whole number of 0 or more."),
        ("/number/%ff", json!(["number"]), "Expected UTF-8."),
        ("/size/s3cr3t", json!(["size"]), "Expected `small` or `large`."),
        ("/rooms/s3cr3t", json!(["room"]), "Expected a UUID."),
        ("/rooms/s3cr3t/::1", json!(["room"]), "Expected a UUID."),
        ("/rooms/0193b03e-7a20-7cc5-8a4b-9f1c2d3e4f50/s3cr3t", json!(["ip"]), "Expected an IP address."),
    ] {
        let answer = send(app(), get_of(path)).await;
        let envelope = envelope(&answer, 400);
        println!("{path}: {:?}", envelope.issues());
        envelope.assert_code("invalid_request").assert_issue(place, message);
        assert!(!String::from_utf8_lossy(&answer.body).contains(SECRET), "{path}: {:?}", answer.body);
    }
}

/// L3: the log does not have the text that serde quotes either.
#[test]
fn l3_what_came_is_not_logged() {
    for request in [
        json_of("/order", r#"{"items":[],"note":"s3cr3t"}"#),
        json_of("/order", r#"{"items":[],"size":"s3cr3t"}"#),
        json_of("/order", r#"{"items": s3cr3t}"#),
        get_of("/page?size=s3cr3t"),
        get_of("/number/s3cr3t"),
    ] {
        let (answer, lines) = logged(send(app(), request));
        assert!(answer.head.status.is_client_error());
        assert!(!lines.is_empty() && lines.iter().all(|line| !line.text.contains(SECRET)), "{lines:?}");
    }
}

#[tokio::test]
async fn r1_a_body_that_is_no_json_is_reported_with_its_place() {
    for (body, message) in [
        (&b""[..], "The body is empty: it must be JSON."),
        (b" \n", "The body is empty: it must be JSON."),
        (b"{\"items\":\n[", "The body ends before its JSON does, at line 2, column 1."),
        (b"{\"items\": s3cr3t}", "The body is not valid JSON at line 1, column 11."),
        (b"{\"items\":[]} s3cr3t", "The body is not valid JSON at line 1, column 14."),
        (b"{\"items\":\"\xff\"}", "The body is not valid JSON at line 1, column 11."),
    ] {
        let answer = send(app(), json_of("/order", body)).await;
        envelope(&answer, 400).assert_code("bad_request").assert_message(message).assert_no_details();
    }
}

#[tokio::test]
async fn r1_a_body_of_another_type_or_of_none_is_415() {
    for content_type in [None, Some("text/plain"), Some("text/json"), Some("application/jsonp"), Some("json"), Some("")]
    {
        let mut request = json_of("/order", "{}");
        request.headers_mut().remove(header::CONTENT_TYPE);
        if let Some(content_type) = content_type {
            request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        }
        let answer = send(app(), request).await;
        envelope(&answer, 415)
            .assert_code("unsupported_media_type")
            .assert_message("Content-Type must be application/json.");
        assert_eq!(answer.header("accept"), Some("application/json"));
    }
    let mut twice = json_of("/order", r#"{"items":[]}"#);
    twice.headers_mut().append(header::CONTENT_TYPE, "application/json".parse().unwrap());
    envelope(&send(app(), twice).await, 415).assert_code("unsupported_media_type");
}

/// serde_json calls the syntax of these bodies wrong.
#[test]
fn e8_json_that_no_type_can_hold_is_not_called_broken() {
    for (body, message) in [
        ("[1,2,3]", "The array has too many elements."),
        ("[1,1e999]", "The number is too large."),
        ("[1,1.5]", "Expected a whole number of 0 or more."),
    ] {
        let fault = Json::<(u64, u64)>::from_bytes(body.as_bytes()).unwrap_err();
        assert_eq!((fault.status().as_u16(), fault.code().as_str()), (422, "invalid_request"), "{body}");
        assert!(fault.details_json().unwrap().contains(message), "{body}: {:?}", fault.details_json());
    }
    #[derive(Debug, serde::Deserialize)]
    enum Kind {
        Small,
        Large,
    }
    assert!(matches!(Json::<Vec<Kind>>::from_bytes(br#"["Small","Large"]"#).unwrap()[..], [Kind::Small, Kind::Large]));
    let fault = Json::<Vec<Kind>>::from_bytes(b"[5]").unwrap_err();
    assert_eq!(fault.status(), 422);
    assert!(fault.details_json().unwrap().contains("Expected one of the known variants."), "{fault:?}");
    let fault = Json::<HashMap<u32, u8>>::from_bytes(br#"{"a":1}"#).unwrap_err();
    assert_eq!(fault.status(), 422);
    println!("{:?}", fault.details_json());
    for (body, message) in [
        ("[1,2]]".to_owned(), "The body is not valid JSON at line 1, column 6."),
        ("[\"\\ud800\"]".to_owned(), "The body is not valid JSON at line 1, column 9."),
        ("[".repeat(200), "The body is nested too deeply."),
    ] {
        let fault = Json::<serde_json::Value>::from_bytes(body.as_bytes()).unwrap_err();
        assert_eq!((fault.status().as_u16(), &*fault.message()), (400, message), "{body}");
    }
}

#[tokio::test]
async fn r1_a_coded_body_is_415_unless_it_is_json() {
    let coded = |body: &'static [u8], coding: &str| {
        let mut request = json_of("/order", body);
        request.headers_mut().insert(header::CONTENT_ENCODING, coding.parse().unwrap());
        send(app(), request)
    };
    let answer = coded(b"\x1f\x8b\x08\0", "gzip").await;
    envelope(&answer, 415)
        .assert_code("unsupported_media_type")
        .assert_message("The body must not have a Content-Encoding.");
    assert_eq!(answer.header("accept-encoding"), Some("identity"));
    assert_eq!(coded(br#"{"items":[]}"#, "utf-8").await.head.status, 200);
    envelope(&coded(b"{}", "identity").await, 422).assert_code("invalid_request");
}

#[tokio::test]
async fn an_optional_body_is_none_without_a_type_and_refused_when_it_is_wrong() {
    let absent = Request::post("/perhaps").body(Body::empty()).unwrap();
    assert_eq!(send(app(), absent).await.body, "false");
    assert_eq!(send(app(), json_of("/perhaps", r#"{"items":[]}"#)).await.body, "true");
    envelope(&send(app(), json_of("/perhaps", "{}")).await, 422).assert_code("invalid_request");
}

#[tokio::test]
async fn a_handler_may_want_another_status() {
    let answer = send(app(), json_of("/as-400", "{}")).await;
    envelope(&answer, 400).assert_code("invalid_request").assert_issue(["items"], "Required.");
}

/// G4: the layer states its own limit as a number, and axum's own limit is refused without a number.
#[test]
fn g4_a_body_over_a_limit_is_413_whoever_set_it_and_the_log_shows_who_did() {
    let long = || Body::from_stream(iter([Ok::<_, io::Error>(vec![b' '; 64]), Ok(vec![b' '; 64])]));
    let policy = Policy::builder().body_limit(100).build().unwrap();
    let limited = router().layer(ErrorEnvelopeLayer::new().policy(policy));
    let (by_layer, lines) = logged(send(limited, json_of("/order", long())));
    assert!(lines.iter().any(|line| line.text.contains("origin=\"guard\"")), "{lines:?}");
    envelope(&by_layer, 413).assert_code("payload_too_large").assert_details(json!({"limit_bytes": 100}));
    let limited = router().layer(DefaultBodyLimit::max(100)).layer(ErrorEnvelopeLayer::new());
    let (by_axum, lines) = logged(send(limited, json_of("/order", long())));
    let cause = r#"cause="Failed to buffer the request body: length limit exceeded""#;
    assert!(lines.iter().any(|line| line.text.contains("origin=\"fault\"") && line.text.contains(cause)), "{lines:?}");
    envelope(&by_axum, 413).assert_code("payload_too_large").assert_no_details();
}

#[tokio::test]
async fn f1_a_body_that_breaks_off_is_400_and_one_that_is_too_slow_408() {
    for (kind, status, code) in
        [(io::ErrorKind::UnexpectedEof, 400, "bad_request"), (io::ErrorKind::TimedOut, 408, "request_timeout")]
    {
        let body = Body::from_stream(iter([Ok(b"{".to_vec()), Err(io::Error::new(kind, SECRET))]));
        let answer = send(app(), json_of("/order", body)).await;
        envelope(&answer, status).assert_code(code);
        assert!(!String::from_utf8_lossy(&answer.body).contains(SECRET));
    }
}

#[test]
fn f1_a_body_over_the_time_limit_of_tower_http_is_408() {
    let limit = || RequestBodyTimeoutLayer::new(std::time::Duration::from_secs(1));
    let inside = router().layer(limit()).layer(ErrorEnvelopeLayer::new());
    let outside = router().layer(ErrorEnvelopeLayer::new()).layer(limit());
    for app in [inside, outside] {
        let never = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, io::Error>>());
        let (answer, lines) = logged(send(app, json_of("/order", never)));
        envelope(&answer, 408).assert_code("request_timeout");
        assert!(lines.iter().any(|line| line.text.contains("within the designated timeout")), "{lines:?}");
    }
}

#[test]
fn a_route_that_does_not_fit_its_handler_is_the_programs_fault() {
    let (answer, lines) = logged(send(app(), get_of("/mistake/1")));
    envelope(&answer, 500).assert_code("internal_error").assert_no_details();
    assert!(lines.iter().any(|line| line.level == "ERROR" && line.text.contains("path")), "{lines:?}");
    let outside = Router::new().fallback(|_: Path<u8>| async {}).layer(ErrorEnvelopeLayer::new());
    let (answer, _) = logged(send(outside, get_of("/")));
    envelope(&answer, 500).assert_code("internal_error");
}

#[test]
fn a_result_that_is_no_json_is_a_500_that_tells_the_log_alone() {
    let (answer, lines) = logged(send(app(), get_of("/unwritable")));
    envelope(&answer, 500).assert_code("internal_error");
    assert!(lines.iter().any(|line| line.text.contains("key must be a string")), "{lines:?}");
}

/// Without the layer, a rejection has its status, its headers and an empty body.
#[tokio::test]
async fn a_rejection_is_a_response_by_itself() {
    let answer = send(router(), json_of("/order", "{}")).await;
    assert_eq!((answer.head.status, &*answer.body), (StatusCode::UNPROCESSABLE_ENTITY, &b""[..]));
    assert_eq!(Json([1, 2]).into_response().headers()["content-type"], "application/json");
    assert_eq!(Json::from(3).0 + *Json(4), 7);
}
