//! Tests axum's own rejections as errors of `?` (R13, G4, L3): a client gets the same as for the rejection as a
//! response.

use std::io;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::rejection::*;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{DefaultBodyLimit, Extension, Form, Json, Multipart, Path, Query, RawForm, Request};
use axum::http::header::CONTENT_TYPE;
use axum::routing::{any, get, post};
use futures_util::stream::iter;
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt;
use tower_error_envelope::extract as own;
use tower_error_envelope::testing::Envelope;
use tower_error_envelope::{ErrorEnvelopeLayer, Fault};

use crate::kit::{SECRET, answer, logged};

#[derive(Deserialize)]
struct Order {
    #[expect(dead_code, reason = "what is read does not matter, how it is refused does")]
    qty: u8,
}

/// Makes a handler that returns a rejection by `?`.
macro_rules! by_question_mark {
    ($extractor:ty, $rejection:ty) => {
        any(|it: Result<$extractor, $rejection>| async {
            let _ = it?;
            Ok::<_, Fault>(())
        })
    };
}

async fn read(mut form: Multipart) -> Result<(), MultipartError> {
    while let Some(field) = form.next_field().await? {
        field.text().await?;
    }
    Ok(())
}

async fn read_own(mut form: own::Multipart) -> Result<(), Fault> {
    while let Some(field) = form.next_field().await? {
        field.text().await?;
    }
    Ok(())
}

fn app() -> Router {
    let stock = Router::new()
        .route("/json", post(|_: Json<Order>| async {}))
        .route("/form", any(|_: Form<Order>| async {}))
        .route("/query", get(|_: Query<Order>| async {}))
        .route("/path/{a}/{b}", get(|_: Path<(u8, u8)>| async {}))
        .route("/bytes", post(|_: Bytes| async {}))
        .route("/string", post(|_: String| async {}))
        .route("/raw", post(|_: RawForm| async {}))
        .route("/extension", get(|_: Extension<u8>| async {}))
        .route("/ws", get(|_: WebSocketUpgrade| async {}))
        .route("/upload", post(read));
    let by_mark = Router::new()
        .route("/json", by_question_mark!(Json<Order>, JsonRejection))
        .route("/form", by_question_mark!(Form<Order>, FormRejection))
        .route("/query", by_question_mark!(Query<Order>, QueryRejection))
        .route("/path/{a}/{b}", by_question_mark!(Path<(u8, u8)>, PathRejection))
        .route("/bytes", by_question_mark!(Bytes, BytesRejection))
        .route("/string", by_question_mark!(String, StringRejection))
        .route("/raw", by_question_mark!(RawForm, RawFormRejection))
        .route("/extension", by_question_mark!(Extension<u8>, ExtensionRejection))
        .route("/ws", by_question_mark!(WebSocketUpgrade, WebSocketUpgradeRejection))
        .route(
            "/upload",
            post(|form: Result<Multipart, MultipartRejection>| async { Ok::<_, Fault>(read(form?).await?) }),
        );
    let ours = Router::new()
        .route("/json", post(|_: own::Json<Order>| async {}))
        .route("/form", any(|_: own::Form<Order>| async {}))
        .route("/query", get(|_: own::Query<Order>| async {}))
        .route("/path/{a}/{b}", get(|_: own::Path<(u8, u8)>| async {}))
        .route("/upload", post(read_own));
    let routes = Router::new().nest("/stock", stock).nest("/mark", by_mark).nest("/own", ours);
    routes.layer(DefaultBodyLimit::max(100)).layer(ErrorEnvelopeLayer::new())
}

#[derive(Debug, PartialEq)]
struct Rejection {
    status: u16,
    code: String,
    message: String,
    details: Option<Value>,
}

async fn described(request: Request) -> Rejection {
    let answer = answer(app().oneshot(request).await.unwrap()).await;
    assert!(!String::from_utf8_lossy(&answer.body).contains(SECRET), "{answer:?}");
    let envelope = Envelope::parse(&answer.head.headers, &answer.body);
    Rejection {
        status: answer.head.status.as_u16(),
        code: envelope.code().to_owned(),
        message: envelope.message().to_owned(),
        details: envelope.details().cloned(),
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data; boundary=b";

/// Each row has a path, a content type, a body, and the status and code of the response. A GET has no body.
const ROWS: [(&str, &str, &str, u16, &str); 20] = [
    ("/json", JSON, r#"{"qty":"s3cr3t"}"#, 422, "invalid_request"),
    ("/json", JSON, r#"{"qty":s3cr3t}"#, 400, "bad_request"),
    ("/json", "text/plain", "", 415, "unsupported_media_type"),
    ("/form", FORM, "qty=s3cr3t", 422, "invalid_request"),
    ("/form", JSON, "{}", 415, "unsupported_media_type"),
    ("/form?qty=s3cr3t", "", "", 400, "invalid_request"),
    ("/query?qty=s3cr3t", "", "", 400, "invalid_request"),
    ("/path/1/s3cr3t", "", "", 400, "invalid_request"),
    ("/string", "text/plain", "\u{0}", 400, "bad_request"),
    ("/raw", JSON, "", 415, "unsupported_media_type"),
    ("/extension", "", "", 500, "internal_error"),
    ("/ws", "", "", 400, "bad_request"),
    ("/upload", "text/plain", "", 400, "bad_request"),
    ("/upload", MULTIPART, "--b\r\n", 400, "bad_request"),
    ("/upload", MULTIPART, LONG, 413, "payload_too_large"),
    ("/json", JSON, LONG, 413, "payload_too_large"),
    ("/form", FORM, LONG, 413, "payload_too_large"),
    ("/bytes", JSON, LONG, 413, "payload_too_large"),
    ("/string", JSON, LONG, 413, "payload_too_large"),
    ("/raw", FORM, LONG, 413, "payload_too_large"),
];

/// A body that is longer than axum's limit here, with a field that does not end.
const LONG: &str = concat!(
    "--b\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n",
    "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
);

fn request(whose: &str, path: &str, content_type: &str, body: &'static str) -> Request {
    let target = format!("{whose}{path}");
    match (content_type, body) {
        ("", _) => Request::get(target).body(Body::empty()),
        // These bytes are no UTF-8 text.
        (_, "\u{0}") => Request::post(target).header(CONTENT_TYPE, content_type).body(Body::from(&b"\xff"[..])),
        // Uploads have no declared length. With one, axum would refuse the body by it.
        _ => Request::post(target)
            .header(CONTENT_TYPE, content_type)
            .body(Body::from_stream(iter([Ok::<_, io::Error>(body)]))),
    }
    .unwrap()
}

#[test]
fn r13_a_rejection_by_question_mark_is_the_one_as_a_response_and_is_not_quoted_in_the_log() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (path, content_type, body, status, code) in ROWS {
        let ask = |whose| runtime.block_on(described(request(whose, path, content_type, body)));
        let stock = ask("/stock");
        assert_eq!((stock.status, &*stock.code), (status, code), "{path} {body}");
        let (by_mark, lines) = logged(described(request("/mark", path, content_type, body)));
        if code == "payload_too_large" || path == "/ws" || content_type == MULTIPART {
            assert_eq!((by_mark.status, by_mark.code), (stock.status, stock.code), "{path} {body}");
        } else {
            assert_eq!(by_mark, stock, "{path} {body}");
        }
        assert!(!format!("{lines:?}").contains(SECRET), "{lines:?}");
        // axum's `Multipart` answers another media type with 400.
        let differs = path == "/upload" && content_type != MULTIPART;
        if !differs && !["/bytes", "/string", "/raw", "/extension", "/ws"].contains(&path) {
            let own = ask("/own");
            assert_eq!((own.status, &*own.code), (status, code), "{path} {body}");
        }
    }
}

#[tokio::test]
async fn a_form_that_is_wrong_is_reported_in_plain_words() {
    const NO_FORM: &str = "Content-Type must be multipart/form-data with a boundary.";
    const ENDS: &str = "The body ends before its form does.";
    const HEADERS: &str = "The headers of a field in the form cannot be read.";
    for (content_type, body, message) in [
        ("multipart/form-data", "--b--", NO_FORM),
        (MULTIPART, "", ENDS),
        (MULTIPART, "--b\r\n", ENDS),
        (MULTIPART, "--b\r\ncontent-disposition: form-data; name=\"s3cr3t\"", ENDS),
        (MULTIPART, "--b\r\ncontent-disposition: form-data; name=\"s3cr3t\"\r\n\r\na", ENDS),
        (MULTIPART, "--b\r\ns3cr3t \u{1}: 1\r\n\r\na", HEADERS),
    ] {
        let described = described(request("/own", "/upload", content_type, body)).await;
        let expected = (400, "bad_request", message, None);
        assert_eq!((described.status, &*described.code, &*described.message, described.details), expected, "{body}");
    }
    for other in [JSON, "multipart/mixed; boundary=b", "form"] {
        let answer = answer(app().oneshot(request("/own", "/upload", other, "{}")).await.unwrap()).await;
        assert_eq!(answer.head.status, 415, "{other}");
        assert_eq!(answer.head.headers["accept"], "multipart/form-data", "{other}");
        let envelope = Envelope::parse(&answer.head.headers, &answer.body);
        envelope.assert_code("unsupported_media_type").assert_message(NO_FORM);
    }
}

#[test]
fn f1_a_body_that_breaks_off_is_the_clients_affair_and_its_error_is_logged() {
    for (kind, status, code) in
        [(io::ErrorKind::UnexpectedEof, 400, "bad_request"), (io::ErrorKind::TimedOut, 408, "request_timeout")]
    {
        for (path, content_type) in [
            ("/mark/upload", MULTIPART),
            ("/mark/json", JSON),
            ("/mark/form", FORM),
            ("/own/upload", MULTIPART),
            ("/own/json", JSON),
            ("/own/form", FORM),
        ] {
            let part = b"--b\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n".to_vec();
            let broken = Body::from_stream(iter([Ok(part), Err(io::Error::new(kind, SECRET))]));
            let sent = Request::post(path).header(CONTENT_TYPE, content_type).body(broken).unwrap();
            let (described, lines) = logged(described(sent));
            assert_eq!((described.status, &*described.code), (status, code), "{path} {kind:?}");
            assert!(lines.iter().any(|line| line.text.contains(&format!("{SECRET}\""))), "{path} {lines:?}");
        }
    }
}

#[test]
fn l1_a_form_over_axums_limit_has_its_cause_in_the_log() {
    for whose in ["/mark", "/own"] {
        let (described, lines) = logged(described(request(whose, "/upload", MULTIPART, LONG)));
        assert_eq!((described.status, described.details), (413, None), "{whose}");
        assert!(format!("{lines:?}").contains("length limit exceeded"), "{whose} {lines:?}");
    }
}
