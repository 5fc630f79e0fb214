//! Compares axum's extractors with this crate's (R13): both give the same status and code for the same input.

use std::io;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::header::CONTENT_TYPE;
use axum::routing::{get, post};
use futures_util::stream::iter;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_error_envelope::extract as own;
use tower_error_envelope::testing::Envelope;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use crate::kit::{Answer, SECRET, answer};

#[derive(Deserialize)]
struct Order {
    #[expect(dead_code, reason = "what is read does not matter, how it is refused does")]
    items: Vec<u8>,
}

#[derive(Deserialize)]
struct Page {
    #[expect(dead_code, reason = "as above")]
    size: u8,
}

fn routes() -> Router {
    let axums = Router::new()
        .route("/orders", post(|_: axum::Json<Order>| async {}).get(|_: axum::extract::Query<Page>| async {}))
        .route("/orders/{id}", get(|_: axum::extract::Path<u8>| async {}))
        .route("/mistake/{one}", get(|_: axum::extract::Path<(u8, u8)>| async {}));
    let ours = Router::new()
        .route("/orders", post(|_: own::Json<Order>| async {}).get(|_: own::Query<Page>| async {}))
        .route("/orders/{id}", get(|_: own::Path<u8>| async {}))
        .route("/mistake/{one}", get(|_: own::Path<(u8, u8)>| async {}));
    Router::new().nest("/axum", axums).nest("/own", ours)
}

fn app() -> Router {
    let policy = Policy::builder().body_limit(200).build().unwrap();
    routes().layer(DefaultBodyLimit::max(100)).layer(ErrorEnvelopeLayer::new().policy(policy))
}

async fn send(request: Request) -> (Answer, Envelope) {
    let answer = answer(app().oneshot(request).await.unwrap()).await;
    let envelope = Envelope::parse(&answer.head.headers, &answer.body);
    assert!(!String::from_utf8_lossy(&answer.body).contains(SECRET), "{answer:?}");
    (answer, envelope)
}

type Outcome = (u16, String, Option<Value>);

fn alike(status: u16, code: &str, path: Option<Value>) -> [Outcome; 2] {
    [path.clone(), path].map(|path| (status, code.to_owned(), path))
}

/// Sends the request to both, and returns the status, the code and the first issue's path of each.
async fn both(request: impl Fn(&str) -> Request) -> [Outcome; 2] {
    let mut answers = Vec::new();
    for whose in ["/axum", "/own"] {
        let (answer, envelope) = send(request(whose)).await;
        let issues = envelope.details().and_then(|details| details["issues"].as_array());
        let path = issues.and_then(|issues| issues.first()).map(|issue| issue["path"].clone());
        answers.push((answer.head.status.as_u16(), envelope.code().to_owned(), path));
    }
    answers.try_into().unwrap()
}

fn posted(whose: &str, content_type: &str, body: impl Into<Body>) -> Request {
    Request::post(format!("{whose}/orders")).header(CONTENT_TYPE, content_type).body(body.into()).unwrap()
}

#[tokio::test]
async fn r13_a_body_is_refused_alike() {
    let json = "application/json";
    let long = |count| format!(r#"{{"items":[{}1]}}"#, "1,".repeat(count));
    for (content_type, body, status, code, path) in [
        (json, "", 400, "bad_request", None),
        (json, r#"{"items":"#, 400, "bad_request", None),
        (json, r#"{"items":[s3cr3t]}"#, 400, "bad_request", None),
        (json, r#"{"items":[]} s3cr3t"#, 400, "bad_request", None),
        (json, "{}", 422, "invalid_request", Some(json!(["items"]))),
        (json, r#"{"items":[1,"s3cr3t"]}"#, 422, "invalid_request", Some(json!(["items", 1]))),
        (json, r#"{"items":[1,300]}"#, 422, "invalid_request", Some(json!(["items", 1]))),
        ("text/plain", r#"{"items":[]}"#, 415, "unsupported_media_type", None),
        (json, &long(60), 413, "payload_too_large", None),
        (json, &long(100), 413, "payload_too_large", None),
    ] {
        let answers = both(|whose| posted(whose, content_type, body.to_owned())).await;
        assert_eq!(answers, alike(status, code, path), "{content_type}: {body}");
    }
}

/// axum has a second limit behind a raised `body_limit`: its extractors read 2 MiB, whatever the layer lets through.
#[tokio::test]
async fn g4_axums_own_limit_holds_behind_a_raised_one() {
    let policy = Policy::builder().body_limit(4 * 1024 * 1024).build().unwrap();
    let layer = ErrorEnvelopeLayer::new().policy(policy);
    let body = |bytes| format!("{{\"items\":[]{}}}", " ".repeat(bytes - r#"{"items":[]}"#.len()));
    for whose in ["/axum", "/own"] {
        let send = async |app: Router, bytes| {
            answer(app.layer(layer.clone()).oneshot(posted(whose, "application/json", body(bytes))).await.unwrap())
                .await
        };
        let most = 2 * 1024 * 1024;
        assert_eq!(send(routes(), most).await.head.status, 200, "{whose}");
        let over = send(routes(), most + 1).await;
        assert_eq!(over.head.status, 413, "{whose}");
        Envelope::parse(&over.head.headers, &over.body).assert_code("payload_too_large").assert_no_details();
        assert_eq!(send(routes().layer(DefaultBodyLimit::disable()), most + 1).await.head.status, 200, "{whose}");
    }
}

#[tokio::test]
async fn r13_a_query_and_a_path_are_refused_alike() {
    let answers = async |target: &'static str| {
        both(|whose| Request::get(format!("{whose}{target}")).body(Body::empty()).unwrap()).await
    };
    for target in ["/orders", "/orders?size=s3cr3t", "/orders?size=300"] {
        assert_eq!(answers(target).await, alike(400, "invalid_request", Some(json!(["size"]))), "{target}");
    }
    assert_eq!(answers("/mistake/1").await, alike(500, "internal_error", None));
    // axum's text about the only parameter of a route names no member.
    let [axums, ours] = answers("/orders/s3cr3t").await;
    assert_eq!(axums, (400, "bad_request".to_owned(), None));
    assert_eq!(ours, (400, "invalid_request".to_owned(), Some(json!(["id"]))));
}

/// axum responds with 400 to both, and does not distinguish them.
#[tokio::test]
async fn f1_a_body_that_breaks_off_is_refused_alike_and_one_that_is_too_slow_is_not() {
    for (kind, ours) in [
        (io::ErrorKind::UnexpectedEof, (400, "bad_request".to_owned(), None)),
        (io::ErrorKind::TimedOut, (408, "request_timeout".to_owned(), None)),
    ] {
        let broken = || Body::from_stream(iter([Ok(b"{".to_vec()), Err(io::Error::new(kind, "gone"))]));
        let answers = both(|whose| posted(whose, "application/json", broken())).await;
        assert_eq!(answers, [(400, "bad_request".to_owned(), None), ours], "{kind:?}");
    }
}
