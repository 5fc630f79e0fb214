//! Tests that `/policy` shows the active policy and its origin.

use std::fs;
use std::time::{Duration, Instant};

use error_envelope_admin::Admin;
use error_envelope_runtime::PolicyHandle;
use serde_json::{Value, json};
use tower_error_envelope::policy::{PolicyLoader, Scope};
use tower_error_envelope::{ErrorEnvelopeLayer, Mode, Policy, RouteRule};

use crate::kit::ask;

async fn policy_json(admin: &Admin) -> Value {
    ask(admin, "GET", "/policy").await.json()
}

#[tokio::test]
async fn a_policy_built_in_rust_is_told_route_by_route() {
    let scope = Scope::new().prefix("/v2").mode(Mode::Off).route(RouteRule::new("/v2/{id}"));
    let policy = Policy::builder()
        .observe_bodies(true)
        .route(RouteRule::new("GET /a/{id}").mode(Mode::Observe))
        .route(RouteRule::new("GET /a/{id}/b"))
        .scope(scope)
        .build()
        .unwrap();
    let admin = Admin::new();
    assert_eq!(ask(&admin, "GET", "/policy").await.status, 503, "nothing is wired yet");
    let _layer = admin.attach(ErrorEnvelopeLayer::new().policy(policy));
    let mut first = policy_json(&admin).await;
    let since = first["since"].take();
    assert!(since.as_str().unwrap().starts_with("20") && since.as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "policy": "built in Rust", "since": null, "kill_switch": false, "files": [], "hash": null, "last_refusal": null,
        "mode": "enforce", "mode_from": null, "body_limit": 1_048_576, "scopes": 1, "map_rules": 0, "own_codes": 0, "observes_bodies": true,
        "routes": [
            {"route": "GET /a/{id}", "scope": null, "from": null, "mode": "observe", "mode_from": null},
            {"route": "GET /a/{id}/b", "scope": null, "from": null, "mode": "enforce", "mode_from": null},
            {"route": "/v2/{id}", "scope": "/v2", "from": null, "mode": "off", "mode_from": null},
        ],
    });
    assert_eq!(first, expected);
    admin.kill_switch().turn_on();
    let off = policy_json(&admin).await;
    assert_eq!((&off["kill_switch"], &off["routes"][1]["mode"]), (&json!(true), &json!("enforce")), "the policy's own");
}

#[tokio::test]
async fn m2_a_refused_file_is_told_with_its_line_until_it_is_put_right_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let (file, part) = (folder.path().join("policy.toml"), folder.path().join("part.toml"));
    let text = "version = 1\nbase = [\"part.toml\"]\n";
    fs::write(&file, text).unwrap();
    let first_text = "version = 1\ndefaults.mode = \"own\"\n[[route]]\nmatch = \"/a\"\n";
    fs::write(&part, first_text).unwrap();
    let admin = Admin::new();
    let layer = admin.attach(ErrorEnvelopeLayer::watch(&file).unwrap());
    let first = policy_json(&admin).await;
    let mut files: Vec<_> = first["files"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    files.sort_unstable();
    assert_eq!(files, [part.to_str().unwrap(), file.to_str().unwrap()]);
    let [from, mode_from] = [4, 2].map(|line| format!("{}:{line}", part.display()));
    let route = json!({"route": "/a", "scope": null, "from": from, "mode": "own", "mode_from": mode_from});
    assert_eq!((&first["routes"], &first["last_refusal"]), (&json!([route]), &Value::Null));
    assert_eq!((&first["mode"], &first["mode_from"]), (&json!("own"), &json!(mode_from)));

    fs::write(&part, "version = 1\n[[route]]\nmatch = \"a\"\n").unwrap();
    assert!(layer.reload().is_err());
    let refused = policy_json(&admin).await;
    let why = refused["last_refusal"]["why"].as_str().unwrap();
    assert!(why.contains("part.toml:3"), "{why}");
    assert_eq!(refused["last_refusal"]["stands"], true);
    assert_eq!((&refused["since"], &refused["routes"]), (&first["since"], &first["routes"]), "the old one is in force");

    fs::write(&part, first_text).unwrap();
    let _ = layer.reload().unwrap();
    let returned = policy_json(&admin).await;
    assert_eq!(returned["last_refusal"]["stands"], false);
    assert_eq!(returned["since"], first["since"], "the policy was in force all the time");

    fs::write(&part, "version = 1\n[[route]]\nmatch = \"/b\"\n").unwrap();
    // The thread that watches the files may have reloaded the policy already.
    let _ = layer.reload().unwrap();
    let mended = policy_json(&admin).await;
    assert_eq!((&mended["last_refusal"]["stands"], &mended["last_refusal"]["why"]), (&json!(false), &json!(why)));
    assert_eq!(mended["routes"][0]["route"], "/b");
    assert!(mended["since"].as_str() >= first["since"].as_str());
}

#[tokio::test]
async fn an_adapter_of_ones_own_is_told_as_a_layer_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    fs::write(&file, "version = 1\n").unwrap();
    let admin = Admin::new();
    let in_force = admin.attach(PolicyHandle::watching(&file, PolicyLoader::new()).unwrap());
    assert_eq!(policy_json(&admin).await["policy"], file.to_str().unwrap());
    fs::write(&file, "version = 1\n[[route]]\nmatch = \"/a\"\n").unwrap();
    let began = Instant::now();
    while policy_json(&admin).await["routes"].as_array().unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "the change is seen");
        tokio::task::yield_now().await;
    }
    admin.kill_switch().turn_on();
    assert_eq!(in_force.config().policy().routes().next().unwrap().mode(), Mode::Off);
}
