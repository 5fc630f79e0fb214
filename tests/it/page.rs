//! Pages for browsers (R16) beside JSON in one policy: what is prepared of the one is never taken for the other.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{ServiceExt, service_fn};
use tower_error_envelope::policy::{Dialect, ErrorPage};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy, RouteRule};
use tower_layer::Layer;

const PAGE: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";

/// Path, `accept`, and what the answer's content type and `vary` are.
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
