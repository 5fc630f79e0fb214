//! The first page answers what is wrong now, and the page of one error has its request.

use std::convert::Infallible;

use bytes::Bytes;
use error_envelope_admin::Admin;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use crate::kit::{ask, ask_with, recording, through};

const POLICY: &str = "version = 1\n[header.tenant]\nname = \"x-tenant\"\n[[route]]\nmatch = \"/orders/{id}\"\n\
                      [[route]]\nmatch = \"/tenants\"\nrequire_headers = [\"tenant\"]\n";

fn layered(admin: &Admin) -> ErrorEnvelopeLayer {
    admin.attach(ErrorEnvelopeLayer::new().policy(Policy::from_toml("policy.toml", POLICY).unwrap()))
}

/// The part of the first page that comes first.
async fn now(admin: &Admin) -> String {
    let page = ask(admin, "GET", "/").await.body;
    let (_, section) = page.split_once("<section id=\"now\"").expect("the section");
    section.split("</section>").next().unwrap().to_owned()
}

#[tokio::test]
async fn without_trouble_it_says_so() {
    let admin = Admin::new();
    through(&layered(&admin), "/orders/1", 404, "{}").await;
    let now = now(&admin).await;
    assert!(now.contains("No problems: no 5xx and no refused request in the last 15 minutes."), "{now}");
}

#[tokio::test]
async fn failing_routes_come_first_with_their_share_and_refusals_after_them() {
    let (_guard, handle) = recording();
    let admin = Admin::new().metrics(handle);
    let layer = layered(&admin);
    for status in [500, 500, 503, 200, 404] {
        through(&layer, "/orders/7", status, "{}").await;
    }
    through(&layer, "/tenants", 200, "{}").await;
    let shown = now(&admin).await;
    let at = |text: &str| shown.find(text).unwrap_or_else(|| panic!("{text} in {shown}"));
    let order = [
        "5xx by route and service in the last 15 minutes",
        "href=\"/?route=%2Forders%2F%7Bid%7D#errors\"",
        ">3</td>",
        "60 % of 5",
        "internal_error</bdi></code> 2, <code><bdi>service_unavailable</bdi></code> 1",
        "Refused by route and service",
        "href=\"/?route=%2Ftenants#errors\"",
    ];
    assert!(order.map(at).is_sorted(), "{shown}");
    let page = ask(&admin, "GET", "/").await.body;
    assert_eq!(page.matches("<tbody class=\"fault\"").count(), 3, "5xx rows stand out: {page}");
    assert!(
        page.contains("Errors: 5 in all, 3 of them 5xx") && page.contains("Requests: 6 in all, 3 of them 5xx"),
        "{page}"
    );
    admin.kill_switch().off();
    through(&layer, "/orders/7", 500, "{}").await;
    let off = now(&admin).await;
    assert!(off.contains("66 % of 6"), "5xx that pass unread are counted, too: {off}");
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
    let now = now(&admin).await;
    assert!(
        now.contains("<li class=\"danger\">")
            && now.contains("The new policy was rejected")
            && now.contains("version 2 is not supported"),
        "{now}"
    );
}

#[tokio::test]
async fn a_certificate_is_named_before_it_ends() {
    for (days, class) in [(-1, Some("danger")), (2, Some("danger")), (14, Some("warning")), (60, None)] {
        let (_guard, handle) = recording();
        let at = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let ends = at + f64::from(days) * 86_400.0 + 60.0;
        metrics::gauge!("error_envelope_certificate_not_after_timestamp_seconds").set(ends.floor());
        let now = now(&Admin::new().metrics(handle)).await;
        let told = match days {
            -1 => "The certificate has expired",
            2 => "The certificate expires in 48 hours",
            14 => "The certificate expires in 14 days",
            _ => "No problems: ",
        };
        assert!(now.contains(told), "{days}: {now}");
        assert_eq!(class.map(|class| now.contains(&format!("<li class=\"{class}\">"))), class.map(|_| true), "{now}");
    }
}

#[tokio::test]
async fn one_error_has_its_method_path_client_and_duration() {
    let admin = Admin::new();
    let service = layered(&admin).layer(service_fn(|_| async {
        Ok::<_, Infallible>(Response::builder().status(500).body(Full::<Bytes>::default()).unwrap())
    }));
    let request = Request::put("/orders/7?key=hunter2").header("x-forwarded-for", "203.0.113.9, 198.51.100.4");
    let response = service.oneshot(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let page = ask(&admin, "GET", &format!("/errors/{id}")).await.body;
    for told in [
        "<dt>Method</dt><dd>PUT</dd>",
        "<dt>Path</dt><dd><code><bdi>/orders/7</bdi></code></dd>",
        "<dt>Client</dt><dd><bdi>198.51.100.4</bdi></dd>",
        " ms</dd>",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    assert!(!page.contains("hunter2"), "{page}");
    assert!(!ask(&admin, "GET", "/").await.body.contains("/orders/7"), "a path may name a person: the list has none");
}

#[tokio::test]
async fn each_page_names_its_gateway_its_version_and_its_policy() {
    let admin = Admin::new().name("orders-1, process 7");
    let _layer = layered(&admin);
    for (path, status) in [("/", 200), ("/charts", 200), ("/switch", 200), ("/errors/x", 400), ("/nowhere", 404)] {
        let page = ask_with(&admin, "GET", path, &[("host", "localhost"), ("accept", "text/html")]).await;
        assert_eq!(page.status, status, "{path}");
        for told in [
            "<div id=\"thrown\">",
            "<bdi>orders-1, process 7</bdi>",
            env!("CARGO_PKG_VERSION"),
            "<bdi>policy.toml</bdi>, since",
            "href=\"/switch\"",
        ] {
            assert!(page.body.contains(told), "{path}: {told} in {}", page.body);
        }
    }
}
