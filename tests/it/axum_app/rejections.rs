//! Tests the rejections of extractors: the status stays, the wrong member is named (R13), and other text passes as far
//! as R3 allows.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, Form, Multipart, Path, Query, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, RequestExt};
use serde::Deserialize;
use serde_json::json;
use tower_error_envelope::ErrorEnvelopeLayer;

use super::{request, send};
use crate::kit::{logged, only};

#[derive(Deserialize)]
struct Item {
    #[expect(dead_code, reason = "what is read does not matter, how it is refused does")]
    count: u8,
}

/// A type whose name must not leave the process.
#[derive(Clone)]
struct ConfidentialState;

const JSON: Option<&str> = Some("application/json");
const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
const TEXT: Option<&str> = Some("text/plain");
const MULTIPART: Option<&str> = Some("multipart/form-data; boundary=x");

fn app() -> Router {
    Router::new()
        .route("/json", post(|_: Json<Item>| async {}))
        .route("/path/{number}", get(|_: Path<u8>| async {}))
        .route("/query", get(|_: Query<Item>| async {}))
        .route("/form", post(|_: Form<Item>| async {}).get(|_: Form<Item>| async {}))
        .route("/string", post(|_: String| async {}))
        .route("/bytes", post(|_: Bytes| async {}))
        .route("/multipart", post(multipart))
        .route("/extension", get(|_: Extension<ConfidentialState>| async {}))
        .route("/own", post(|request: Request| async { request.extract::<Json<Item>, _>().await.map(|_| ()) }))
        .layer(ErrorEnvelopeLayer::new())
}

async fn multipart(mut parts: Multipart) -> Result<(), axum::extract::multipart::MultipartError> {
    while let Some(part) = parts.next_field().await? {
        part.bytes().await?;
    }
    Ok(())
}

fn post_of(path: &str, content_type: Option<&str>, body: impl Into<Body>) -> Request {
    let mut request = request(Method::POST, path).map(|_| body.into());
    if let Some(content_type) = content_type {
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    }
    request
}

#[tokio::test]
async fn r1_a_rejection_that_names_no_member_has_the_code_of_its_status_and_says_what_is_wrong() {
    let get = |path| request(Method::GET, path);
    for (request, status, code, says) in [
        (post_of("/json", None, "{}"), 415, "unsupported_media_type", "`Content-Type: application/json`"),
        (post_of("/json", TEXT, "{}"), 415, "unsupported_media_type", "`Content-Type: application/json`"),
        (post_of("/json", JSON, "{"), 400, "bad_request", "EOF while parsing"),
        (post_of("/json", JSON, ""), 400, "bad_request", "EOF while parsing"),
        (post_of("/json", JSON, b"{\"count\":\"\xff\"}".to_vec()), 400, "bad_request", ""),
        (post_of("/json", JSON, "[]"), 422, "invalid_request", "invalid length 0, expected struct with 1 element"),
        (get("/path/x"), 400, "bad_request", "Cannot parse to a `u8`"),
        (
            post_of("/form", TEXT, "count=1"),
            415,
            "unsupported_media_type",
            "`Content-Type: application/x-www-form-urlencoded`",
        ),
        (post_of("/string", None, &b"\xff"[..]), 400, "bad_request", "UTF-8"),
        (post_of("/multipart", TEXT, ""), 400, "bad_request", "boundary"),
        (post_of("/multipart", MULTIPART, "--x\r\n\r\nunfinished"), 400, "bad_request", ""),
    ] {
        let what = format!("{} {} {:?}", request.method(), request.uri(), request.headers().get("content-type"));
        let answer = send(app(), request).await;
        println!("{what}: {:?}", answer.body); // shown by a failing test alone
        let error = answer.expect_envelope(status, code);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(says), "{what}: {message}");
        let issues = if status == 422 { json!({"issues": [{"path": [], "message": message}]}) } else { json!(null) };
        assert_eq!(error["details"], issues, "{what}");
    }
}

#[tokio::test]
async fn r13_a_rejection_that_names_a_member_lists_it() {
    let get = |path| request(Method::GET, path);
    for (request, status, member, says) in [
        (post_of("/json", JSON, "{}"), 422, "count", "missing field `count`"),
        (post_of("/json", JSON, r#"{"count":300}"#), 422, "count", "invalid value: integer, expected u8"),
        (post_of("/own", JSON, r#"{"count":"s3cret"}"#), 422, "count", "invalid type: string, expected u8"),
        (get("/path/%ff"), 400, "number", "Invalid UTF-8 in `number`"),
        (get("/query?count=x"), 400, "count", "invalid digit found in string"),
        (get("/query"), 400, "count", "missing field `count`"),
        (get("/form?count=x"), 400, "count", "invalid digit found in string"),
        (post_of("/form", FORM, "count=x"), 422, "count", "invalid digit found in string"),
    ] {
        let what = format!("{} {}", request.method(), request.uri());
        let error = send(app(), request).await.expect_envelope(status, "invalid_request");
        assert_eq!(error["message"], "The request failed validation.", "{what}");
        assert_eq!(error["details"], json!({"issues": [{"path": [member], "message": says}]}), "{what}");
    }
}

#[test]
fn r3_a_missing_extension_does_not_tell_its_type() {
    let (answer, lines) = logged(send(app(), request(Method::GET, "/extension")));
    let error = answer.expect_envelope(500, "internal_error");
    assert!(!error.to_string().contains("Confidential"), "{error}");
    assert_eq!(only(&lines).level, "ERROR");
}

#[tokio::test]
async fn r1_a_rejection_keeps_its_headers() {
    let app = Router::new().route(
        "/",
        get(|| async { (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic")], "who are you?") }),
    );
    let answer = send(app.layer(ErrorEnvelopeLayer::new()), request(Method::GET, "/")).await;
    let error = answer.expect_envelope(401, "auth_missing");
    assert_eq!(error["message"], "who are you?");
    assert_eq!(answer.header("www-authenticate"), Some("Basic"));
}
