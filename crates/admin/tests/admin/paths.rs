//! Tests each path with the requests of an operator.

use error_envelope_admin::Admin;
use tower_error_envelope::ErrorEnvelopeLayer;

use crate::kit::{ask, through};

#[tokio::test]
async fn health_is_ok_and_readiness_ends_where_it_drains() {
    let admin = Admin::new();
    let told = async |path| {
        let answer = ask(&admin, "GET", path).await;
        (answer.status.as_u16(), answer.body)
    };
    assert_eq!(told("/healthz").await, (200, "ok\n".into()));
    assert_eq!(told("/readyz").await, (200, "ready\n".into()));
    admin.drain();
    assert_eq!(told("/readyz").await, (503, "draining\n".into()));
    assert_eq!(told("/healthz").await, (200, "ok\n".into()));
}

#[tokio::test]
async fn the_kill_switch_is_thrown_and_taken_back() {
    let admin = Admin::new();
    let layer = admin.attach(ErrorEnvelopeLayer::new());
    let said = r#"{"message":"Seat 7 is taken"}"#;
    let passes = async || through(&layer, "/seats/7", 409, said).await.body == said;
    let is_on = async |method, path| ask(&admin, method, path).await.json()["kill_switch"].clone();
    assert_eq!((is_on("GET", "/kill-switch").await, passes().await), (false.into(), false));
    assert_eq!((is_on("POST", "/kill-switch/on").await, passes().await), (true.into(), true));
    assert_eq!((is_on("GET", "/kill-switch").await, passes().await), (true.into(), true));
    assert_eq!((is_on("POST", "/kill-switch/off").await, passes().await), (false.into(), false));
}

#[tokio::test]
async fn the_kill_switch_remembers_who_when_and_why() {
    let admin = Admin::new();
    let mode = async |method, path| ask(&admin, method, path).await.json();
    assert_eq!(mode("GET", "/kill-switch").await["changed_by"], serde_json::Value::Null);
    let thrown = mode("POST", "/kill-switch/on?by=maria&reason=orders+loses%20texts%0aforged%E2%80%AE").await;
    assert_eq!((&thrown["changed_by"], &thrown["reason"]), (&"maria".into(), &"orders loses texts forged".into()));
    assert!(thrown["changed_at"].as_str().is_some_and(|at| at.starts_with("20")), "{thrown}");
    let again = mode("POST", "/kill-switch/on?by=piet&reason=me+too").await;
    assert_eq!(again, thrown, "the first note stays where nothing changes");
    let long = format!("/kill-switch/off?by={}&reason=%3Cb%3E", "x".repeat(5000));
    let back = mode("POST", &long).await;
    assert_eq!((back["kill_switch"].as_bool(), back["changed_by"].as_str().map(str::len)), (Some(false), Some(200)));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_what_there_is() {
    let admin = Admin::new();
    let nowhere = ask(&admin, "GET", "/metric").await;
    assert_eq!(nowhere.status, 404);
    assert!(nowhere.body.contains("/metrics, /policy"), "{}", nowhere.body);
    for (method, path, allow) in
        [("POST", "/healthz", "GET, HEAD"), ("GET", "/kill-switch/on", "POST"), ("PUT", "/kill-switch", "GET, HEAD")]
    {
        let refused = ask(&admin, method, path).await;
        assert_eq!((refused.status.as_u16(), refused.header("allow")), (405, Some(allow)), "{method} {path}");
    }
}
