//! Tests that the output of the endpoints fits `manual/admin.schema.json`.

use std::time::Duration;

use error_envelope_admin::Admin;
use serde_json::{Value, json};
use tower_error_envelope::ErrorEnvelopeLayer;

use crate::kit::{ask, call, cut_off, leave, through};

const POLICY: &str = "version = 1\n[observe]\nbodies = true\n[header.tenant]\nname = \"x-tenant\"\n\
                      [[route]]\nmatch = \"/orders/{id}\"\n[[route]]\nmatch = \"/tenants\"\nmode = \"observe\"\n\
                      require_headers = [\"tenant\"]\n";

/// Returns the errors of a value according to the definition with this name.
fn faults(definition: &str, value: &Value) -> Vec<String> {
    let mut schema: Value = serde_json::from_str(include_str!("../../../../manual/admin.schema.json")).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path)).collect()
}

async fn assert_fits(admin: &Admin, definition: &str, path: &str) -> Value {
    let value = ask(admin, "GET", path).await.json();
    assert_eq!(faults(definition, &value), [] as [&str; 0], "{path}: {value:#}");
    value
}

#[tokio::test]
async fn each_endpoint_fits_its_definition_with_and_without_data() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    std::fs::write(&file, POLICY).unwrap();
    let admin = Admin::new();
    for (definition, path) in [
        ("now", "/now.json"),
        ("errors", "/errors.json"),
        ("readiness", "/readiness.json"),
        ("kill_switch", "/kill-switch"),
    ] {
        assert_fits(&admin, definition, path).await;
    }
    let admin = admin.name("orders-1");
    let layer = admin.attach(ErrorEnvelopeLayer::watch(&file).unwrap());
    let id = through(&layer, "/orders/7", 500, r#"{"error":{"code":"E7","message":"Oh."}}"#).await;
    for (path, status) in [("/orders/7", 404), ("/tenants", 200), ("/elsewhere", 409)] {
        through(&layer, path, status, "{}").await;
    }
    cut_off(&layer, "/orders/7").await;
    call(&layer, "/orders/7", 13).await;
    let left = leave(&layer, "/orders/7").await;
    std::fs::write(&file, "version = 2\n").unwrap();
    assert!(layer.reload().is_err());
    let read = async { while ask(&admin, "GET", "/errors.json").await.body.contains("waiting") {} };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("bodies are read");
    let searched = format!("/errors.json?search={}", id.header("x-request-id").unwrap());
    let found = assert_fits(&admin, "errors", &searched).await;
    assert!(found["errors"][0]["after"].is_object(), "{found}");
    assert_fits(&admin, "errors", &format!("/errors.json?search={left}")).await;
    ask(&admin, "POST", "/kill-switch/on?by=ada&reason=orders").await;
    for (definition, path) in [
        ("now", "/now.json"),
        ("errors", "/errors.json"),
        ("readiness", "/readiness.json"),
        ("kill_switch", "/kill-switch"),
        ("policy", "/policy"),
    ] {
        assert_fits(&admin, definition, path).await;
    }
}

#[test]
fn a_field_that_is_not_described_is_a_fault() {
    assert_eq!(
        faults("kill_switch", &json!({"kill_switch": "on"})).len(),
        5,
        "a wrong value, and four that are missing"
    );
    let side = json!({"status": 500, "content_type": null, "text": "", "length": 0, "whole": true, "more": 1});
    assert_eq!(faults("side", &side).len(), 1);
}
