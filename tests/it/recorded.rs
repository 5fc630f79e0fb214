//! Replays the responses of real applications to bad input through the layer (R13). A client gets what it got then,
//! without node, Python or a network. `.ci/frameworks` records these responses in `tests/apps/said.json`, and renews
//! them.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use axum::http::header::CONTENT_TYPE;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use crate::kit::answer;

const RECORDED: &str = include_str!("../apps/said.json");
const REQUESTS: &str = include_str!("../apps/requests.toml");

/// Their faults are no text, but values in the response's extensions.
const FAULTS: &str = "axum-own";
/// The layer refuses it before the application responds.
const GUARDED: &str = "too large for the layer";

#[tokio::test]
async fn r13_recorded_answers_are_still_read_as_they_were() {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let requests: toml::Table = toml::from_str(REQUESTS).unwrap();
    let mut checked = 0;
    for (name, app) in recorded.as_object().unwrap().iter().filter(|(name, _)| *name != FAULTS) {
        for request in requests["request"].as_array().unwrap() {
            let row = request["name"].as_str().unwrap();
            let words = &app["rows"][row];
            if row == GUARDED || words["said"]["status"].as_u64() < Some(400) {
                continue;
            }
            let (status, body) = through_the_layer(request["send"].as_str().unwrap(), &words["said"]).await;
            assert_eq!(words["got"]["status"], status, "{name}: {row}");
            assert_eq!(words["got"]["body"], body, "{name}: {row}");
            checked += 1;
        }
    }
    assert!(checked > 150, "{checked}");
}

async fn through_the_layer(send: &str, recorded: &Value) -> (u16, String) {
    let (method, target) = send.split_once(' ').unwrap();
    let request = Request::builder().method(method).uri(target).body(Body::empty()).unwrap();
    let says = service_fn(|_| {
        let mut response = Response::builder().status(u16::try_from(recorded["status"].as_u64().unwrap()).unwrap());
        if let Some(media_type) = recorded.get("type") {
            response = response.header(CONTENT_TYPE, media_type.as_str().unwrap());
        }
        let response = response.body(Body::from(recorded["body"].as_str().unwrap().to_owned())).unwrap();
        async { Ok::<_, Infallible>(response) }
    });
    let policy = Policy::from_toml("policy.toml", include_str!("../apps/policy.toml")).unwrap();
    let layered = ErrorEnvelopeLayer::new().policy(policy).layer(says);
    let answer = answer(layered.oneshot(request).await.unwrap()).await;
    let body = str::from_utf8(&answer.body).unwrap().replace(&answer.id(), "req_…");
    (answer.head.status.as_u16(), body)
}
