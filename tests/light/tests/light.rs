//! Tests the library without the default features: what works, and what is not known then.

use std::future::{Ready, pending};
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, Response, request, response};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};
use tower_error_envelope::auth::{AuthScheme, CredentialRequest, Verified};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::policy::{PolicyBuilder, RequiredHeader};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy, RequestId};

type GuardedRequest = Request<RequestBody<Full<Bytes>>>;
type Outcome = Result<Response<Full<Bytes>>, BoxError>;

fn get() -> request::Builder {
    Request::get("/")
}

fn grpc() -> request::Builder {
    Request::post("/greeter.Greeter/Greet").header(CONTENT_TYPE, "application/grpc")
}

fn connect() -> request::Builder {
    Request::post("/").header(CONTENT_TYPE, "application/json").header("connect-protocol-version", "1")
}

async fn served(_: GuardedRequest) -> Outcome {
    Ok(Response::new(Full::from("served")))
}

/// Returns a response: its head, and its body as text.
async fn ask<S>(layer: ErrorEnvelopeLayer, inner: S, request: request::Builder) -> (response::Parts, String)
where
    S: Service<GuardedRequest, Response = Response<Full<Bytes>>, Error = BoxError> + Clone,
{
    let request = request.body(Full::from("{}")).unwrap();
    let (head, body) = layer.layer(inner).oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head, String::from_utf8(body.to_vec()).unwrap())
}

#[test]
fn m2_a_builder_suggests_the_name_that_was_probably_meant() {
    let header = Policy::builder().header("tenant", RequiredHeader::new("x-tenant")).require_headers(["tennant"]);
    for (builder, advice) in [
        (header, "did you mean \"tenant\"?"),
        (Policy::builder().scheme("session", AuthScheme::custom()).auth(["sesion"]), "did you mean \"session\"?"),
        (Policy::builder().dialect("jsonrcp"), "did you mean \"jsonrpc\"?"),
        (Policy::builder().dialect("anthropic"), "build tower-error-envelope with the feature \"foreign\""),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(advice), "{error}");
    }
}

/// Returns the status and the code of an inner error.
async fn status_and_code(error: impl Into<BoxError>) -> (u16, String) {
    let error = Arc::new(Mutex::new(Some(error.into())));
    let failing = service_fn(move |_: GuardedRequest| {
        let error = error.lock().unwrap().take().unwrap();
        async { Outcome::Err(error) }
    });
    code(ask(ErrorEnvelopeLayer::new(), failing, get()).await)
}

fn code((head, body): (response::Parts, String)) -> (u16, String) {
    let body: Value = serde_json::from_str(&body).unwrap();
    (head.status.as_u16(), body["error"]["code"].as_str().unwrap().to_owned())
}

fn guarded(policy: PolicyBuilder) -> ErrorEnvelopeLayer {
    ErrorEnvelopeLayer::new().policy(policy.build().unwrap())
}

#[tokio::test]
async fn f1_errors_of_tower_are_unknown_and_say_nothing() {
    let unknown = (500, "internal_error".to_owned());
    assert_eq!(status_and_code(tower::timeout::error::Elapsed::new()).await, unknown);
    assert_eq!(status_and_code(tower::load_shed::error::Overloaded::new()).await, unknown);
}

#[tokio::test]
async fn f1_what_std_and_tokio_say_is_known() {
    let gateway_timeout = (504, "gateway_timeout".to_owned());
    assert_eq!(status_and_code(io::Error::from(io::ErrorKind::TimedOut)).await, gateway_timeout);
    assert_eq!(status_and_code(io::Error::from(io::ErrorKind::ConnectionRefused)).await, (502, "other".to_owned()));
    let late = tokio::time::timeout(Duration::ZERO, pending::<()>()).await.unwrap_err();
    assert_eq!(status_and_code(late).await, gateway_timeout);
}

#[tokio::test]
async fn f3_a_service_that_is_not_ready_is_unavailable() {
    let answer = ask(ErrorEnvelopeLayer::new(), Never, get()).await;
    assert_eq!(code(answer), (503, "service_unavailable".to_owned()));
}

/// A service whose readiness fails.
#[derive(Clone)]
struct Never;

impl Service<GuardedRequest> for Never {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Ready<Outcome>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Err(tower::load_shed::error::Overloaded::new().into()))
    }

    fn call(&mut self, _: GuardedRequest) -> Self::Future {
        unreachable!("it is never ready")
    }
}

#[tokio::test]
async fn g1_a_required_header_is_required() {
    let layer = || guarded(Policy::builder().header("t", RequiredHeader::new("x-tenant")).require_headers(["t"]));
    for (request, status) in
        [(get(), 400), (get().header("x-tenant", ""), 400), (get().header("x-tenant", "acme"), 200)]
    {
        assert_eq!(ask(layer(), service_fn(served), request).await.0.status, status);
    }
}

#[tokio::test]
async fn g2_a_verifier_alone_opens() {
    async fn partners(request: CredentialRequest) -> Result<Verified, BoxError> {
        match request.headers().get("x-partner").map(|id| id.as_bytes()) {
            None => Ok(Verified::Missing),
            Some(b"acme") => Ok(Verified::granted("acme")),
            Some(b"down") => Err("the directory is down".into()),
            Some(_) => Ok(Verified::Invalid),
        }
    }

    let policy = || Policy::builder().scheme("partner", AuthScheme::custom()).auth(["partner"]);
    for (id, status) in [(None, 401), (Some("else"), 401), (Some("down"), 503), (Some("acme"), 200)] {
        let request = id.iter().fold(get(), |request, id| request.header("x-partner", *id));
        let layer = guarded(policy()).verifier("partner", partners);
        assert_eq!(ask(layer, service_fn(served), request).await.0.status, status, "{id:?}");
    }
    // One scheme has no verifier, and another does not exist.
    assert_eq!(ask(guarded(policy()), service_fn(served), get()).await.0.status, 503);
    assert!(Policy::builder().auth(["partner"]).build().is_err());
}

#[tokio::test]
async fn p1_a_status_has_its_message_and_no_details() {
    let limited = guarded(Policy::builder().header("t", RequiredHeader::new("x-tenant")).require_headers(["t"]));
    let (head, body) = ask(limited.clone(), service_fn(served), grpc()).await;
    assert_eq!((head.status.as_u16(), &*body, &head.headers["grpc-status"]), (200, "", &"3".parse().unwrap()));
    assert_eq!(head.headers["grpc-message"], "The header x-tenant is missing.");
    assert!(!head.headers.contains_key("grpc-status-details-bin"));

    let (_, body) = ask(limited, service_fn(served), connect()).await;
    assert_eq!(body, r#"{"code":"invalid_argument","message":"The header x-tenant is missing."}"#);
}

#[tokio::test]
async fn e7_details_of_a_layer_inside_get_the_outermost_id() {
    const THEIRS: &str = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D";

    fn details(id: &str) -> String {
        BASE64_STANDARD_NO_PAD.encode([b"\x08\x05\x1a\x4e\x12\x20\x0a\x1e", id.as_bytes()].concat())
    }

    async fn inside(_: GuardedRequest) -> Outcome {
        let head = Response::builder().header(CONTENT_TYPE, "application/grpc").header("grpc-status", "5");
        let head = head.header("x-request-id", THEIRS);
        Ok(head.header("grpc-status-details-bin", details(THEIRS)).body(Full::default())?)
    }

    let (head, _) = ask(ErrorEnvelopeLayer::new(), service_fn(inside), grpc()).await;
    let ours: RequestId = head.headers["x-request-id"].to_str().unwrap().parse().unwrap();
    assert_ne!(ours.to_string(), THEIRS);
    assert_eq!(head.headers["grpc-status-details-bin"], details(&ours.to_string()));
}
