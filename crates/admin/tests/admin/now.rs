//! Tests `/now.json`: the current problems, and the last hour.

use std::time::{Duration, SystemTime};

use error_envelope_admin::{Admin, CertificateStatus};
use serde_json::{Value, json};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use crate::kit::{ask, call, cut_off, through};

const POLICY: &str = "version = 1\n[header.tenant]\nname = \"x-tenant\"\n[[route]]\nmatch = \"/orders/{id}\"\n\
                      [[route]]\nmatch = \"/tenants\"\nrequire_headers = [\"tenant\"]\n";

fn layered(admin: &Admin) -> ErrorEnvelopeLayer {
    admin.attach(ErrorEnvelopeLayer::new().policy(Policy::from_toml("policy.toml", POLICY).unwrap()))
}

async fn now(admin: &Admin) -> Value {
    ask(admin, "GET", "/now.json").await.json()
}

/// Returns the sum of the last hour for each outcome.
fn sums(now: &Value) -> [u64; 5] {
    ["ok", "client_error", "server_error", "broken", "client_left"].map(|outcome| {
        let minutes = now["hour"]["outcomes"][outcome].as_array().unwrap();
        assert_eq!(minutes.len(), 60);
        minutes.iter().map(|count| count.as_u64().unwrap()).sum()
    })
}

fn failed(code: &str, count: u64, outcome: &str) -> Value {
    json!({"code": code, "count": count, "outcome": outcome})
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
    let admin = Admin::new();
    let layer = layered(&admin);
    for status in [500, 500, 503, 200, 404] {
        through(&layer, "/orders/7", status, "{}").await;
    }
    let broken = cut_off(&layer, "/orders/7").await;
    through(&layer, "/tenants", 200, "{}").await;
    let shown = now(&admin).await;
    let codes = [
        failed("internal_error", 2, "server_error"),
        failed("service_unavailable", 1, "server_error"),
        failed("internal_error", 1, "broken"),
    ];
    let failing = json!([{"route": "/orders/{id}", "scope": null, "service": null, "count": 4, "recent": 4, "requests": 6, "codes": codes}]);
    assert_eq!(shown["failing"], failing);
    assert_eq!((&shown["refusing"][0]["route"], &shown["refusing"][0]["count"]), (&json!("/tenants"), &json!(1)));
    assert_eq!(sums(&shown), [1, 2, 3, 1, 0]);
    let error = ask(&admin, "GET", &format!("/errors.json?search={broken}")).await.json();
    for error in [&error["errors"][0], &error["searched_id"]["known"][0]] {
        assert_eq!([&error["status"], &error["inner_status"]], [&json!(200), &json!(200)]);
        assert_eq!([&error["outcome"], &error["end"]], ["broken", "service_broke_off"]);
    }
    assert_eq!((&error["errors"][0]["path"], error["errors"][0]["duration_ms"].is_u64()), (&json!("/orders/7"), true));
}

#[tokio::test]
async fn m1_with_the_kill_switch_on_failures_count_and_no_code_is_stated() {
    let admin = Admin::new();
    let layer = layered(&admin);
    admin.kill_switch().turn_on();
    through(&layer, "/orders/7", 500, "{}").await;
    let broken = cut_off(&layer, "/orders/7").await;
    let shown = now(&admin).await;
    let failing = &shown["failing"][0];
    assert_eq!((&failing["count"], &failing["requests"]), (&json!(2), &json!(2)));
    assert!(failing["codes"].as_array().unwrap().contains(&failed("", 1, "server_error")), "{failing}");
    let error = ask(&admin, "GET", &format!("/errors.json?search={broken}")).await.json()["errors"][0].clone();
    assert_eq!((&error["mode"], &error["kill_switch"]), (&json!("enforce"), &json!(true)), "the route's own mode");
    let readiness = ask(&admin, "GET", "/readiness.json").await.json();
    assert_eq!((&readiness["kill_switch"], &readiness["routes"][0]["mode"]), (&json!(true), &json!("enforce")));
}

#[tokio::test]
async fn l5_a_failed_grpc_call_is_a_failure_in_each_view() {
    let admin = Admin::new();
    let layer = layered(&admin);
    let mut ids = Vec::new();
    for status in [0, 13, 5] {
        ids.push(call(&layer, "/orders/7", status).await);
    }
    let shown = now(&admin).await;
    assert_eq!(sums(&shown), [1, 1, 1, 0, 0]);
    let failing = &shown["failing"][0];
    assert_eq!(
        (&failing["count"], &failing["requests"], &failing["codes"][0]["outcome"]),
        (&json!(1), &json!(3), &json!("server_error"))
    );
    let error = ask(&admin, "GET", &format!("/errors.json?search={}", ids[1])).await.json()["errors"][0].clone();
    assert_eq!(
        (&error["status"], &error["grpc_status"], &error["outcome"]),
        (&json!(200), &json!(13), &json!("server_error"))
    );
    assert_eq!((&error["inner_status"], &error["inner_grpc_status"]), (&json!(200), &json!(13)));
    let row = ask(&admin, "GET", "/readiness.json").await.json()["routes"][0].clone();
    assert_eq!((&row["requests"], &row["errors"]), (&json!(3), &json!(2)), "{row}");
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
async fn a_certificate_is_named_before_it_ends_and_while_a_new_one_is_rejected() {
    const REJECTED: Option<(&str, &str)> = Some(("danger", "The new certificate was rejected"));
    for (days, rejection, expected) in [
        (-1, None, Some(("danger", "The certificate has expired"))),
        (2, None, Some(("danger", "The certificate expires soon"))),
        (14, None, Some(("warning", "The certificate expires soon"))),
        (60, None, None),
        (60, Some("cert.pem: no certificate can be read"), REJECTED),
    ] {
        let admin = Admin::new();
        let day = Duration::from_secs(86_400);
        let not_after = SystemTime::now() + 400 * day + Duration::from_secs(60) - (400 - days) as u32 * day;
        let rejection = rejection.map(str::to_owned);
        admin.show_certificate(move || CertificateStatus {
            files: "cert.pem, key.pem".to_owned(),
            not_after: Some(not_after),
            rejection: rejection.clone(),
        });
        let now = now(&admin).await;
        let problem = now["problems"].get(0).map(|it| (it["level"].as_str().unwrap(), it["what"].as_str().unwrap()));
        assert_eq!(problem, expected, "{days}");
        assert!(problem.is_none() || now["problems"][0]["text"].as_str().unwrap().contains("cert.pem"), "{now}");
    }
}
