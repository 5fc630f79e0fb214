//! Tests E11: in development, a body shows the cause of its error. It does not in production, and not outside of an
//! outer layer.

use std::io;

use axum::body::Body;
use axum::routing::get;
use axum::{Json, Router};
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_error_envelope::testing::Envelope;
use tower_error_envelope::{AsFault, ErrorCode, ErrorEnvelopeLayer, Fault, Policy, RouteRule};

use crate::cases::logs::captured;
use crate::kit::{Answer, SECRET, answer, logged};

#[derive(Debug, thiserror::Error, AsFault)]
enum OrderError {
    #[error("{wanted} wanted, {left} left")]
    #[fault(CONFLICT, message = "Only {left} left.", details(left))]
    SoldOut { wanted: u32, left: u32 },
    #[error("the stock list failed")]
    Stock(#[from] io::Error),
}

#[derive(Debug)]
struct Rude;

impl std::fmt::Display for Rude {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("{SECRET}")
    }
}

impl std::error::Error for Rude {}

async fn stock() -> Result<(), OrderError> {
    Err(io::Error::other(SECRET).into())
}

/// The type of this error is not registered.
async fn hidden() -> Result<(), Fault> {
    Err(anyhow::Error::new(OrderError::SoldOut { wanted: 4, left: 3 }).context("placing"))?
}

async fn panics() -> Json<()> {
    panic!("{SECRET}")
}

fn app() -> Router {
    Router::new()
        .route("/stock", get(stock))
        .route("/problem", get(stock))
        .route("/sold", get(|| async { Err::<(), _>(OrderError::SoldOut { wanted: 4, left: 3 }) }))
        .route("/panics", get(panics))
        .route("/rude", get(|| async { Err::<(), _>(Fault::new(ErrorCode::GONE).with_source(Rude)) }))
        .route("/hidden", get(hidden))
        .route("/own", get(|| async { Err::<(), _>(Fault::new(ErrorCode::GONE).with_message("Left.")) }))
        .route("/inner", get(|| async { (http::StatusCode::NOT_FOUND, "no such seat") }))
        .route("/broken", get(|| async { (http::StatusCode::INTERNAL_SERVER_ERROR, SECRET) }))
}

fn layer(on: bool) -> ErrorEnvelopeLayer {
    let policy = Policy::builder().route(RouteRule::new("/problem").dialect("problem")).build().unwrap();
    ErrorEnvelopeLayer::new().policy(policy).development(on)
}

async fn send(app: Router, method: &str, path: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    answer(app.oneshot(request).await.unwrap()).await
}

#[tokio::test]
async fn e11_the_cause_is_the_last_field_and_content_length_counts_it() {
    let app = app().layer(layer(true));
    for (path, status, code, cause) in [
        ("/stock", 500, "internal_error", json!(["the stock list failed", SECRET])),
        ("/sold", 409, "conflict", json!(["4 wanted, 3 left"])),
        ("/hidden", 500, "internal_error", json!(["placing", "4 wanted, 3 left"])),
        ("/own", 410, "gone", Value::Null),
        ("/inner", 404, "not_found", Value::Null),
        ("/broken", 500, "internal_error", json!([SECRET])),
    ] {
        let answer = send(app.clone(), "GET", path).await;
        let error = answer.expect_envelope(status, code);
        let text = String::from_utf8_lossy(&answer.body);
        let end = format!(r#","cause":{cause}}},"request_id":"{}"}}"#, answer.id());
        let has_cause = if cause.is_null() { error.get("cause").is_none() } else { text.ends_with(&end) };
        assert!(has_cause, "{path}: {text}");
        let _ = Envelope::parse(&answer.head.headers, &answer.body);
        if matches!(path, "/inner" | "/broken") {
            continue; // Its text is in a body that HEAD does not have (E5).
        }
        let head = send(app.clone(), "HEAD", path).await;
        assert_eq!(head.header("content-length"), answer.header("content-length"), "{path}");
    }
    for (path, status, code, begin) in [
        ("/panics", 500, "internal_error", SECRET),
        ("/rude", 410, "gone", "an error whose Display implementation panicked: s3cr3t"),
    ] {
        let error = send(app.clone(), "GET", path).await.expect_envelope(status, code);
        let cause = error["cause"][0].as_str().unwrap();
        assert!(cause.starts_with(begin) && cause.contains(" (at tests/it/development.rs:"), "{cause}");
    }
    let problem = send(app, "GET", "/problem").await;
    assert!(!String::from_utf8_lossy(&problem.body).contains(SECRET), "E11 is about the standard envelope alone");
}

#[tokio::test]
async fn e11_neither_production_nor_an_outer_layer_shows_a_cause() {
    for app in [
        app().layer(ErrorEnvelopeLayer::new()),
        app().layer(layer(true).development(false)),
        app().layer(layer(true)).layer(ErrorEnvelopeLayer::new()),
        Router::new().fallback_service(app().layer(layer(true))).layer(layer(false)),
    ] {
        for path in ["/stock", "/panics", "/sold", "/broken"] {
            let answer = send(app.clone(), "GET", path).await;
            let body = String::from_utf8_lossy(&answer.body);
            assert!(!body.contains("cause") && !body.contains(SECRET) && !body.contains("wanted"), "{body}");
        }
    }
}

#[test]
fn l1_a_code_that_anyhow_hides_is_a_hint_in_the_log_alone() {
    let (answer, lines) = logged(send(app().layer(layer(true)), "GET", "/hidden"));
    answer.expect_envelope(500, "internal_error");
    let cause = lines.iter().find_map(|line| line.field("cause")).unwrap();
    assert!(cause.starts_with("placing: 4 wanted, 3 left (no code is known; "), "{cause}");
    assert!(!String::from_utf8_lossy(&answer.body).contains("no code"));
}

#[test]
fn e11_the_log_warns_once() {
    for (on, warnings) in [(true, 1), (false, 0)] {
        let ((), log) = captured(|| drop(app().layer(layer(on))));
        assert_eq!(log.matches("turn development off in production").count(), warnings, "{log}");
    }
}
