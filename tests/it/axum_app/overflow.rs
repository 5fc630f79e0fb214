//! Tests bodies over a limit, declared and chunked: the response is 413, however the handler treats its error (G4).

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Multipart, Request};
use axum::http::{Method, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use http_body_util::{BodyExt, Full};
use serde_json::json;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};
use tower_http::limit::RequestBodyLimitLayer;

use super::{request, send};

const LIMIT: usize = 1000;

/// Makes an app of handlers that read a body. One lets the extractor respond, others map or ignore the error.
fn app() -> Router {
    Router::new()
        .route("/extracts", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/json", post(|_: axum::Json<serde_json::Value>| async {}))
        .route("/maps-to-400", post(|body: Body| reads(body, StatusCode::BAD_REQUEST)))
        .route("/maps-to-500", post(|body: Body| reads(body, StatusCode::INTERNAL_SERVER_ERROR)))
        .route("/swallows", post(|body: Body| reads(body, StatusCode::OK)))
        .route("/multipart", post(multipart))
        .route("/multipart-swallows", post(multipart_swallows))
        .route("/ignores", post(|| async { "not read" }))
}

fn layer() -> ErrorEnvelopeLayer {
    ErrorEnvelopeLayer::new().policy(Policy::builder().body_limit(LIMIT as u64).build().unwrap())
}

async fn reads(body: Body, on_error: StatusCode) -> impl IntoResponse {
    match body.collect().await {
        Ok(body) => (StatusCode::OK, body.to_bytes().len().to_string()),
        Err(error) => (on_error, error.to_string()),
    }
}

async fn multipart(mut parts: Multipart) -> Result<String, axum::extract::multipart::MultipartError> {
    let mut length = 0;
    while let Some(part) = parts.next_field().await? {
        length += part.bytes().await?.len();
    }
    Ok(length.to_string())
}

/// The loop is that of axum's own examples.
async fn multipart_swallows(mut parts: Multipart) {
    while let Ok(Some(part)) = parts.next_field().await {
        if part.bytes().await.is_err() {
            break;
        }
    }
}

const HANDLERS: [&str; 7] =
    ["/extracts", "/json", "/maps-to-400", "/maps-to-500", "/swallows", "/multipart", "/multipart-swallows"];

fn upload(path: &str, length: usize, declared: bool) -> Request {
    let body = body_for(path, length);
    let content_type = if path == "/json" { "application/json" } else { "multipart/form-data; boundary=x" };
    let mut request = request(Method::POST, path);
    request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
    if declared {
        request.headers_mut().insert(header::CONTENT_LENGTH, body.len().into());
    }
    let full = Full::new(body);
    // A mapped stream declares no length.
    request.map(|_| if declared { Body::new(full) } else { Body::from_stream(full.into_data_stream()) })
}

fn body_for(path: &str, length: usize) -> Bytes {
    let (before, after) = match path {
        "/json" => ("\"", "\""),
        _ => ("--x\r\ncontent-disposition: form-data; name=\"f\"\r\n\r\n", "\r\n--x--\r\n"),
    };
    format!("{before}{}{after}", "x".repeat(length - before.len() - after.len())).into()
}

#[tokio::test]
async fn g4_a_declared_body_over_the_limit_is_413() {
    for path in HANDLERS.into_iter().chain(["/ignores"]) {
        let answer = send(app().layer(layer()), upload(path, LIMIT + 1, true)).await;
        assert_eq!(
            answer.expect_envelope(413, "payload_too_large")["details"],
            json!({"limit_bytes": LIMIT}),
            "{path}"
        );
    }
}

#[tokio::test]
async fn g4_an_undeclared_body_over_the_limit_is_413_whatever_the_handler_says() {
    for path in HANDLERS {
        let answer = send(app().layer(layer()), upload(path, LIMIT + 1, false)).await;
        assert_eq!(
            answer.expect_envelope(413, "payload_too_large")["details"],
            json!({"limit_bytes": LIMIT}),
            "{path}"
        );
    }
}

#[tokio::test]
async fn g4_exactly_the_limit_passes_and_so_does_a_body_that_nobody_reads() {
    for path in HANDLERS {
        for declared in [true, false] {
            assert_eq!(send(app().layer(layer()), upload(path, LIMIT, declared)).await.head.status, 200, "{path}");
        }
    }
    assert_eq!(send(app().layer(layer()), upload("/ignores", LIMIT + 1, false)).await.head.status, 200);
}

#[tokio::test]
async fn f1_a_smaller_limit_inside_is_413_as_well() {
    let axums = app().layer(DefaultBodyLimit::max(10)).layer(layer());
    let tower_https = app().layer(RequestBodyLimitLayer::new(10)).layer(layer());
    for (app, name) in [(axums, "DefaultBodyLimit"), (tower_https, "RequestBodyLimitLayer")] {
        for declared in [true, false] {
            let answer = send(app.clone(), upload("/extracts", 500, declared)).await;
            let error = answer.expect_envelope(413, "payload_too_large");
            assert_eq!(error["details"], json!(null), "{name}: another's limit is not known here");
        }
    }
}
