//! Tests `[[code]]`: the policy's settings for a code also apply to a service's own fault, wherever it was made.

use axum::response::IntoResponse;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::policy::MapRule;
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{ErrorCode, ErrorEnvelopeLayer, Fault, Policy, Retry};

use crate::kit::{Answer, answer, logged, only};

const NO_SESSION: ErrorCode = ErrorCode::custom("no_session", 403);
const TEXT: &str = "No session is linked to this key.";

fn policy(status: u16) -> Policy {
    let text = format!(
        "version = 1\n[[code]]\ncode = \"no_session\"\nstatus = {status}\ngrpc = 9\nretry = \"refresh\"\nmessage = \"{TEXT}\"\n"
    );
    Policy::from_toml("policy.toml", &text).unwrap()
}

type Service = fn() -> Result<Response<Full<Bytes>>, BoxError>;

async fn ask(layer: &ErrorEnvelopeLayer, service: Service, content_type: &str) -> Answer {
    let request = Request::post("/a.B/C").version(http::Version::HTTP_2).header("content-type", content_type);
    let request = request.header("te", "trailers").body(Full::<Bytes>::default()).unwrap();
    let service = layer.layer(service_fn(move |_| async move { service() }));
    answer(service.oneshot(request).await.unwrap()).await
}

fn by_axum() -> Result<Response<Full<Bytes>>, BoxError> {
    Ok(Fault::new(NO_SESSION).into_response().map(|_| Full::default()))
}

fn by_tonic() -> Result<Response<Full<Bytes>>, BoxError> {
    Ok(tonic::Status::from(Fault::new(NO_SESSION)).into_http())
}

fn by_tonic_with_words() -> Result<Response<Full<Bytes>>, BoxError> {
    Ok(tonic::Status::from(Fault::new(NO_SESSION).with_message("Pair first.")).into_http())
}

fn by_error() -> Result<Response<Full<Bytes>>, BoxError> {
    Err(std::io::Error::other(Fault::new(NO_SESSION)).into())
}

fn by_status_as_error() -> Result<Response<Full<Bytes>>, BoxError> {
    Err(tonic::Status::from(Fault::new(NO_SESSION)).into())
}

fn by_classifier() -> Result<Response<Full<Bytes>>, BoxError> {
    Err("no session".into())
}

#[tokio::test]
async fn r1_the_policy_words_a_services_own_code_however_it_was_made() {
    let classify = |error: &(dyn std::error::Error + 'static)| {
        (error.to_string() == "no session").then(|| Fault::new(NO_SESSION.with_message("Of the service.")))
    };
    let layer = ErrorEnvelopeLayer::new().policy(policy(403)).classify(classify);
    let ways: [Service; 4] = [by_axum, by_error, by_status_as_error, by_classifier];
    for (at, service) in ways.into_iter().enumerate() {
        let error = ask(&layer, service, "application/json").await.expect_envelope(403, "no_session");
        assert_eq!(error["message"], TEXT, "{at}");
    }
    for (at, service) in ways.into_iter().chain([by_tonic as Service]).enumerate() {
        let called = ask(&layer, service, "application/grpc").await;
        let header = |name| called.header(name);
        assert_eq!((called.head.status.as_u16(), header("grpc-status")), (200, Some("9")), "{at}");
        let text = header("grpc-message").unwrap().replace("%20", " ");
        assert_eq!((&*text, header("x-error-code")), (TEXT, Some("no_session")), "{at}");
    }
    let called = ask(&layer, by_tonic_with_words, "application/grpc").await;
    assert_eq!((called.header("grpc-status"), called.header("grpc-message")), (Some("9"), Some("Pair first.")));
}

#[tokio::test]
async fn g2_a_services_401_has_a_challenge_however_it_was_made() {
    let expired = || Fault::new(ErrorCode::AUTH_EXPIRED);
    let by_response = || Ok(Fault::new(ErrorCode::AUTH_EXPIRED).into_response().map(|_| Full::default()));
    let by_error = || Err(std::io::Error::other(Fault::new(ErrorCode::AUTH_EXPIRED)).into());
    let classify = move |error: &(dyn std::error::Error + 'static)| (error.to_string() == "no session").then(expired);
    let layer = ErrorEnvelopeLayer::new().classify(classify);
    for (at, service) in [by_response as Service, by_error, by_classifier].into_iter().enumerate() {
        let called = ask(&layer, service, "application/json").await;
        assert_eq!(called.header("www-authenticate"), Some("Bearer"), "{at}");
        called.expect_envelope(401, "auth_expired");
    }
}

#[tokio::test]
async fn p1_a_status_of_a_code_that_no_policy_has_is_left_as_it_is() {
    let called = ask(&ErrorEnvelopeLayer::new(), by_tonic, "application/grpc").await;
    assert_eq!(called.header("grpc-status"), Some("7"));
    assert_eq!(called.header("grpc-message").map(|text| text.replace("%20", " ")).as_deref(), Some("Not allowed."));
}

#[tokio::test]
async fn r1_what_a_policy_in_rust_leaves_out_is_the_services() {
    let taken = || ErrorCode::custom("seat_taken", 409);
    let rule = MapRule::to(taken()).status(418);
    let code = taken().with_message("Somebody sits there.").with_retry(Retry::Refresh);
    let layer = ErrorEnvelopeLayer::new().policy(Policy::builder().code(code).map(rule).build().unwrap());
    let by_rule = || Ok(Response::builder().status(418).body(Full::default()).unwrap());
    let error = ask(&layer, by_rule, "application/json").await.expect_envelope(418, "seat_taken");
    assert_eq!(error["message"], "Somebody sits there.");

    let layer = ErrorEnvelopeLayer::new().policy(Policy::builder().code(taken()).build().unwrap());
    let by_service =
        || Err(Fault::new(ErrorCode::custom("seat_taken", 409).with_message("Row 4.").with_grpc(6)).into());
    let error = ask(&layer, by_service, "application/json").await.expect_envelope(409, "seat_taken");
    assert_eq!(error["message"], "Row 4.");
    assert_eq!(ask(&layer, by_service, "application/grpc").await.header("grpc-status"), Some("6"));
}

#[test]
fn l1_another_status_than_the_policys_is_kept_and_logged_once() {
    let layer = ErrorEnvelopeLayer::new().policy(policy(404));
    for (service, policy_status) in [(by_error as Service, Some("404")), (by_error, None), (by_axum, None)] {
        let (answer, lines) = logged(ask(&layer, service, "application/json"));
        let error = answer.expect_envelope(403, "no_session");
        assert_eq!((&error["message"], only(&lines).field("policy_status")), (&TEXT.into(), policy_status));
    }
    let (answer, lines) = logged(ask(&ErrorEnvelopeLayer::new().policy(policy(403)), by_error, "application/json"));
    answer.expect_envelope(403, "no_session");
    assert_eq!(only(&lines).field("policy_status"), None);
}

fn by_plain_status() -> Result<Response<Full<Bytes>>, BoxError> {
    Err(std::io::Error::other(tonic::Status::not_found("x")).into())
}

#[tokio::test]
async fn f1_a_plain_status_of_tonic_is_understood() {
    ask(&ErrorEnvelopeLayer::new(), by_plain_status, "application/json").await.expect_envelope(404, "not_found");
}
