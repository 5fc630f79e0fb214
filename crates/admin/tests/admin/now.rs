//! `/now.json`: what is wrong now, and the last hour.

use error_envelope_admin::Admin;
use serde_json::{Value, json};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use crate::kit::{ask, cut_off, recording, through};

const POLICY: &str = "version = 1\n[header.tenant]\nname = \"x-tenant\"\n[[route]]\nmatch = \"/orders/{id}\"\n\
                      [[route]]\nmatch = \"/tenants\"\nrequire_headers = [\"tenant\"]\n";

fn layered(admin: &Admin) -> ErrorEnvelopeLayer {
    admin.attach(ErrorEnvelopeLayer::new().policy(Policy::from_toml("policy.toml", POLICY).unwrap()))
}

async fn now(admin: &Admin) -> Value {
    ask(admin, "GET", "/now.json").await.json()
}

/// The sum of the last hour, of each class.
fn sums(now: &Value) -> [u64; 4] {
    ["2xx", "3xx", "4xx", "5xx"].map(|class| {
        let minutes = now["hour"]["classes"][class].as_array().unwrap();
        assert_eq!(minutes.len(), 60);
        minutes.iter().map(|count| count.as_u64().unwrap()).sum()
    })
}

#[tokio::test]
async fn without_trouble_nothing_is_listed() {
    let admin = Admin::new().name("orders-1, process 7");
    through(&layered(&admin), "/orders/1", 404, "{}").await;
    let now = now(&admin).await;
    for name in ["problems", "failing", "refusing", "would_refuse"] {
        assert_eq!(now[name], json!([]), "{name}");
    }
    assert_eq!((&now["process"], &now["policy"]), (&json!("orders-1, process 7"), &json!("policy.toml")));
}

#[tokio::test]
async fn failing_routes_have_their_share_and_codes_and_refusals_are_apart() {
    let (_guard, handle) = recording();
    let admin = Admin::new().metrics(handle);
    let layer = layered(&admin);
    for status in [500, 500, 503, 200, 404] {
        through(&layer, "/orders/7", status, "{}").await;
    }
    let cut = cut_off(&layer, "/orders/7").await;
    through(&layer, "/tenants", 200, "{}").await;
    let shown = now(&admin).await;
    let code = |code, count, cut_off| json!({"code": code, "count": count, "cut_off": cut_off});
    let codes =
        [code("internal_error", 2, false), code("service_unavailable", 1, false), code("internal_error", 1, true)];
    let failing = json!([{"route": "/orders/{id}", "scope": null, "service": null, "count": 4, "recent": 4, "requests": 6, "codes": codes}]);
    assert_eq!(shown["failing"], failing);
    assert_eq!((&shown["refusing"][0]["route"], &shown["refusing"][0]["count"]), (&json!("/tenants"), &json!(1)));
    assert_eq!((&shown["hour"]["counts"], sums(&shown)), (&json!("requests"), [2, 0, 2, 3]));
    let error = ask(&admin, "GET", &format!("/errors.json?search={cut}")).await.json();
    for error in [&error["errors"][0], &error["searched_id"]["known"][0]] {
        assert_eq!((&error["status"], &error["cut_off"]), (&json!(200), &json!(true)));
    }
    admin.kill_switch().turn_on();
    through(&layer, "/orders/7", 500, "{}").await;
    let off = now(&admin).await;
    let counts = (&off["failing"][0]["count"], &off["failing"][0]["requests"]);
    assert_eq!(counts, (&json!(5), &json!(7)), "5xx that pass unread are counted, too");
}

#[tokio::test]
async fn without_counters_the_hour_has_errors_alone() {
    let admin = Admin::new();
    let layer = layered(&admin);
    for status in [200, 404, 502] {
        through(&layer, "/orders/7", status, "{}").await;
    }
    let now = now(&admin).await;
    assert_eq!((&now["hour"]["counts"], sums(&now)), (&json!("errors"), [0, 0, 1, 1]));
    assert_eq!((&now["failing"][0]["count"], &now["failing"][0]["requests"]), (&json!(1), &Value::Null));
}

#[tokio::test]
async fn a_policy_that_was_refused_is_a_danger() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    std::fs::write(&file, "version = 1\n").unwrap();
    let admin = Admin::new();
    let layer = admin.attach(ErrorEnvelopeLayer::watch(&file).unwrap());
    std::fs::write(&file, "version = 2\n").unwrap();
    assert!(layer.reload().is_err());
    let problem = now(&admin).await["problems"][0].clone();
    assert_eq!((&problem["level"], &problem["what"]), (&json!("danger"), &json!("The new policy was rejected")));
    assert!(problem["text"].as_str().unwrap().contains("version 2 is not supported"), "{problem}");
}

#[tokio::test]
async fn a_certificate_is_named_before_it_ends() {
    for (days, expected) in [
        (-1, Some(("danger", "The certificate has expired"))),
        (2, Some(("danger", "The certificate expires soon"))),
        (14, Some(("warning", "The certificate expires soon"))),
        (60, None),
    ] {
        let (_guard, handle) = recording();
        let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let ends = at + f64::from(days) * 86_400.0 + 60.0;
        metrics::gauge!("error_envelope_certificate_not_after_timestamp_seconds").set(ends.floor());
        let now = now(&Admin::new().metrics(handle)).await;
        let problem = now["problems"].get(0).map(|it| (it["level"].as_str().unwrap(), it["what"].as_str().unwrap()));
        assert_eq!(problem, expected, "{days}");
    }
}
