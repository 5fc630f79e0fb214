//! Tests errors without a response of their status: in a message, at the end of an event stream, and after a successful
//! status.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::sse::{Event as SseEvent, Sse};
use axum::routing::get;
use futures_util::stream;
use http::StatusCode;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_error_envelope::policy::{BodyShape, Dialect, EventStreams, Expected};
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{AsFault, ErrorCode, ErrorEnvelopeLayer, Fault, Issue, Mode, Policy, RequestId};

use crate::kit::{Answer, SECRET, answer, logged, only};

#[derive(Debug, thiserror::Error, AsFault)]
#[error("{SECRET}")]
#[fault(CONFLICT, message = "Left.")]
struct Left;

async fn send(app: Router, policy: Policy) -> Answer {
    let app = app.layer(ErrorEnvelopeLayer::new().policy(policy));
    answer(app.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap()).await
}

/// Makes faults with different bodies, depending on the places that a dialect has.
fn faults() -> Vec<Fault> {
    vec![
        Fault::new(ErrorCode::NOT_FOUND),
        Fault::new(ErrorCode::RATE_LIMITED).with_retry_after(std::time::Duration::from_secs(7)),
        Fault::new(ErrorCode::CONFLICT).with_message("Taken \"now\".").with_details(json!({ "seat": 7 })),
        Fault::new(ErrorCode::INVALID_REQUEST),
        Fault::new(ErrorCode::INTERNAL_ERROR).with_source(SECRET).with_details(json!(null)),
        Fault::invalid([
            Issue::new("items[0].qty", "At most 9."),
            Issue::new("name", "Required.").with_code("missing"),
        ]),
        Fault::new(ErrorCode::custom("seat_taken", 409)).with_status(StatusCode::LOCKED),
    ]
}

fn shape() -> BodyShape {
    let shape = BodyShape::new("acme").when("/fault/code", Expected::String).code("/fault/code").message("/fault/text");
    shape.write(r#"{"fault":{"code":{{code}},"text":{{message}},"more":{{details?}}},"id":{{request_id}}}"#)
}

/// Returns the body without the time of `meta.ts`, which is the id's time if there is no request.
fn without_time(body: &[u8]) -> Value {
    let mut body: Value = serde_json::from_slice(body).unwrap();
    if let Some(meta) = body.get_mut("meta") {
        assert!(meta["ts"].take().is_string());
    }
    body
}

#[tokio::test]
async fn r12_a_fault_has_the_body_in_a_message_that_it_has_as_a_response() {
    let shapes = Policy::builder().shape(shape()).build().unwrap();
    let custom = shapes.dialects().find(|dialect| matches!(dialect, Dialect::Custom(_))).unwrap();
    for dialect in Dialect::ALL.iter().copied().chain([custom]) {
        for fault in faults() {
            let policy = Policy::builder().shape(shape()).dialect(dialect.as_str()).build().unwrap();
            let returned = fault.clone();
            let app = Router::new().route("/", get(async move || returned));
            let response = send(app, policy).await;
            let id: RequestId = response.id().parse().unwrap();
            let body = fault.to_body(id, dialect);
            assert_eq!(without_time(&body), without_time(&response.body), "{dialect:?} {fault}");
            if dialect != Dialect::ErrorWithMeta {
                assert_eq!(body, response.body, "{dialect:?} {fault}");
            }
            assert!(!String::from_utf8_lossy(&body).contains(SECRET), "{dialect:?}");
        }
    }
}

#[test]
fn f6_a_fault_that_ends_axums_event_stream_is_its_last_event() {
    type Make = fn() -> BoxError;

    let rows: [(Make, &str, &str); 4] = [
        (|| Fault::new(ErrorCode::GONE).with_message("No more.").into(), "gone", "No more."),
        (|| Fault::from(Left).into(), "conflict", "Left."),
        (|| std::io::Error::other(Fault::new(ErrorCode::NO_OP)).into(), "no_op", "Already in the requested state."),
        (|| Left.into(), "internal_error", "An unexpected error occurred."),
    ];
    for (error, code, text) in rows {
        let events = async move || {
            let first = Ok(SseEvent::default().data("1"));
            Sse::new(stream::iter([first, Err(error())]))
        };
        let policy = Policy::builder().event_streams(EventStreams::AppendError).build().unwrap();
        let (response, lines) = logged(send(Router::new().route("/", get(events)), policy));
        let body = String::from_utf8(response.body.to_vec()).unwrap();
        let id = response.id();
        let last = format!(
            r#"event: error{}data: {{"error":{{"code":"{code}","message":"{text}"}},"request_id":"{id}"}}"#,
            '\n'
        );
        assert_eq!(body, format!("data: 1\n\n{last}\n\n"));
        assert_eq!(only(&lines).field("code"), Some(code));
    }
}

#[test]
fn e5_a_fault_with_a_status_of_success_passes_and_is_logged_as_the_error_that_it_is() {
    type Make = fn() -> Fault;

    let rows: [(StatusCode, Mode, Make, &str, &str); 5] = [
        (StatusCode::OK, Mode::Enforce, || Left.into(), "conflict", "INFO"),
        (StatusCode::ACCEPTED, Mode::Off, || Fault::new(ErrorCode::INTERNAL_ERROR), "internal_error", "ERROR"),
        (StatusCode::OK, Mode::Observe, || Fault::new(ErrorCode::SERVICE_UNAVAILABLE), "service_unavailable", "WARN"),
        (StatusCode::SEE_OTHER, Mode::Own, || Fault::new(ErrorCode::NOT_FOUND), "not_found", "INFO"),
        (StatusCode::OK, Mode::Fill, || Fault::new(ErrorCode::custom("seat_taken", 409)), "seat_taken", "INFO"),
    ];
    for (status, mode, fault, code, level) in rows {
        let app = Router::new().route("/", get(async move || (status, fault())));
        let (response, lines) = logged(send(app, Policy::builder().mode(mode).build().unwrap()));
        assert_eq!((response.head.status, response.body.len()), (status, 0), "{code}");
        assert_eq!(response.header("x-error-code"), None, "{code}");
        let line = only(&lines);
        assert_eq!((line.field("code"), line.field("origin"), &*line.level), (Some(code), Some("fault"), level));
        assert_eq!((line.field("status"), line.field("request_id")), (Some(status.as_str()), Some(&*response.id())));
        assert!(line.text.contains("the service sent an error with a success status"), "{}", line.text);
    }
    let fine = Router::new().route("/", get(async || ([("x-a", "1")], axum::Extension(7_u8), "fine")));
    let (_, lines) = logged(async { Ok::<_, Infallible>(send(fine, Policy::default()).await) });
    assert!(lines.is_empty(), "{lines:?}");
}
