//! Tests pages for browsers (R16) together with JSON in one policy: the prepared parts of both are never confused.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Full};
use tower::{ServiceExt, service_fn};
use tower_error_envelope::policy::{Dialect, ErrorPage};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy, RouteRule};
use tower_layer::Layer;

const PAGE: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// The path, the `accept` header, and the content type and `vary` of the response.
const REQUESTS: [(&str, &str, &str, Option<&str>); 8] = [
    ("/page", "text/html", PAGE, Some("accept")),
    ("/page", "*/*", JSON, Some("accept")),
    ("/fixed", "*/*", JSON, None),
    ("/fixed", "text/html", JSON, None),
    ("/flag/page", "text/html", PAGE, Some("accept")),
    ("/flag/page", "*/*", JSON, Some("accept")),
    ("/flag/json", "*/*", JSON, None),
    ("/flag/json", "text/html", JSON, None),
];

fn policy() -> Policy {
    let flag = |pattern| RouteRule::new(pattern).dialect(Dialect::SuccessFlag);
    Policy::builder()
        .negotiate(false)
        .html(ErrorPage::template("<p>{{message}} {{request_id}}"))
        .route(RouteRule::new("/fixed").html(false))
        .route(flag("/flag/page"))
        .route(flag("/flag/json").html(false))
        .build()
        .unwrap()
}

#[tokio::test]
async fn r16_what_is_prepared_for_json_is_no_page_and_the_other_way_round() {
    for first in 0..REQUESTS.len() {
        let inner = service_fn(async |_| {
            Ok::<_, Infallible>(Response::builder().status(404).body(Full::<Bytes>::default()).unwrap())
        });
        let service = ErrorEnvelopeLayer::new().policy(policy()).layer(inner);
        for (path, accept, content_type, vary) in REQUESTS.iter().cycle().skip(first).take(2 * REQUESTS.len()) {
            let request =
                Request::builder().uri(*path).header("accept", *accept).body(Full::<Bytes>::default()).unwrap();
            let Ok(response) = service.clone().oneshot(request).await;
            let (head, body) = response.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let line = |name: &str| head.headers.get(name).map(|it| it.to_str().unwrap());
            assert_eq!((line("content-type"), line("vary")), (Some(*content_type), *vary), "{path} {accept} {first}");
            assert_eq!(body.starts_with(b"<p>"), *content_type == PAGE, "{path} {accept} {first}");
            assert_eq!(line("content-length"), Some(&*body.len().to_string()), "{path} {accept} {first}");
            assert_eq!(line("content-security-policy").is_some(), *content_type == PAGE, "{path} {accept} {first}");
        }
    }
}

#[tokio::test]
async fn r12_what_is_prepared_for_a_connection_that_closes_is_of_one_dialect() {
    let policy = Policy::builder()
        .body_limit(4)
        .route(RouteRule::new("/flag").dialect(Dialect::SuccessFlag))
        .route(RouteRule::new("/type").dialect(Dialect::Anthropic))
        .build()
        .unwrap();
    let inner = service_fn(async |_| Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())));
    let service = ErrorEnvelopeLayer::new().policy(policy).layer(inner);
    // An `Expect` closes an HTTP/1 connection. The two dialects are adjacent in the table of forms.
    for (path, version, begins, closes) in [
        ("/flag", Version::HTTP_11, r#"{"success":false"#, true),
        ("/type", Version::HTTP_2, r#"{"type":"error""#, false),
        ("/type", Version::HTTP_11, r#"{"type":"error""#, true),
        ("/flag", Version::HTTP_2, r#"{"success":false"#, false),
    ] {
        let request = Request::builder().method("POST").uri(path).version(version).header("expect", "100-continue");
        let request = request.header("content-length", "5").body(Full::<Bytes>::from("12345")).unwrap();
        let Ok(response) = service.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert!(body.starts_with(begins.as_bytes()), "{path} {version:?}: {body:?}");
        assert_eq!(
            (head.status.as_u16(), head.headers.contains_key("connection")),
            (413, closes),
            "{path} {version:?}"
        );
    }
}
