//! The policy and the metrics as pages, long lists in parts, and the cause beside an error.

use std::convert::Infallible;
use std::fs;

use bytes::Bytes;
use error_envelope_admin::Admin;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use crate::kit::{ask, recording, through};

#[tokio::test]
async fn the_policy_page_has_each_key_with_its_file_and_line_and_what_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (file, part) = (folder.path().join("policy.toml"), folder.path().join("orders.toml"));
    fs::write(&file, "version = 1\ninclude = [\"orders.toml\"]\n[defaults]\nmode = \"observe\"\n").unwrap();
    let orders = "version = 1\n[scope]\nprefix = \"/orders\"\n[[route]]\nmatch = \"/orders/{id}\"\nmode = \"own\"\n";
    fs::write(&part, orders).unwrap();
    let admin = Admin::new();
    assert_eq!(ask(&admin, "GET", "/policy/view").await.status, 503, "nothing is wired yet");
    let layer = admin.attach(ErrorEnvelopeLayer::watch(&file).unwrap());
    let page = ask(&admin, "GET", "/policy/view").await;
    assert_eq!(page.status, 200);
    for told in
        ["mode = <bdi>&quot;own&quot;</bdi>", "orders.toml:6", "policy.toml:4", "scope /orders", "Read from 2 files"]
    {
        assert!(page.body.contains(told), "{told} in {}", page.body);
    }
    assert!(!ask(&admin, "GET", "/policy/view?part=policy.toml:4").await.body.contains("orders.toml:6"));

    fs::write(&part, orders.replace("own", "<b>")).unwrap();
    assert!(layer.reload().is_err());
    let page = ask(&admin, "GET", "/policy/view").await.body;
    assert!(page.contains("the old one stays active") && page.contains("orders.toml:6"), "{page}");
    assert!(!page.contains("<b>&quot;") && page.contains("&lt;b&gt;"), "{page}");
}

#[tokio::test]
async fn the_policy_page_says_what_of_a_base_is_overridden() {
    let folder = tempfile::tempdir().unwrap();
    let (file, base) = (folder.path().join("policy.toml"), folder.path().join("base.toml"));
    fs::write(&base, "version = 1\n[defaults]\nmode = \"enforce\"\nnegotiate = false\n").unwrap();
    fs::write(&file, "version = 1\nbase = [\"base.toml\"]\n[defaults]\nmode = \"observe\"\n").unwrap();
    let admin = Admin::new();
    let _layer = admin.attach(ErrorEnvelopeLayer::watch(&file).unwrap());
    let page = ask(&admin, "GET", "/policy/view").await.body;
    for told in [
        "policy.toml:4",
        "base.toml:4",
        "overrides</span> <code><bdi>mode = &quot;enforce&quot;</bdi></code>",
        "base.toml:3",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    assert_eq!(page.matches(">overrides<").count(), 1, "{page}");
}

#[tokio::test]
async fn a_policy_without_files_shows_its_routes() {
    let admin = Admin::new();
    let policy = Policy::from_toml("policy.toml", "version = 1\n[[route]]\nmatch = \"/a\"\nmode = \"own\"\n").unwrap();
    let _layer = admin.attach(ErrorEnvelopeLayer::new().policy(policy));
    let page = ask(&admin, "GET", "/policy/view").await.body;
    assert!(page.contains("<code><bdi>/a</bdi></code>") && page.contains(">own<"), "{page}");
}

#[tokio::test]
async fn the_metrics_page_is_a_table_and_metrics_stay_as_they_are() {
    let (_guard, handle) = recording();
    let admin = Admin::new().metrics(handle);
    let layer = admin.attach(ErrorEnvelopeLayer::new());
    through(&layer, "/a", 404, "{}").await;
    let page = ask(&admin, "GET", "/metrics/view?part=error_envelope_requests_total").await;
    assert_eq!(page.status, 200);
    for told in ["error_envelope_requests_total", "route=none", "method=GET", "counter"] {
        assert!(page.body.contains(told), "{told} in {}", page.body);
    }
    let none = ask(&admin, "GET", "/metrics/view?part=%3Cb%3E").await.body;
    assert!(none.contains("No name or label contains this text.") && !none.contains("<b>"), "{none}");
    // In no order: one without a help text may come first.
    assert!(ask(&admin, "GET", "/metrics").await.body.starts_with("# "));
    let elsewhere = ask(&Admin::new().metrics_elsewhere("Envoy has them."), "GET", "/metrics/view").await;
    assert!(elsewhere.status == 404 && elsewhere.body.contains("Envoy has them."), "{}", elsewhere.body);
}

#[tokio::test]
async fn a_long_list_of_errors_and_of_routes_is_cut_into_pages() {
    let routes: String = (0..30).map(|at| format!("[[route]]\nmatch = \"/r{at}\"\n")).collect();
    let policy = Policy::from_toml("policy.toml", &format!("version = 1\n{routes}")).unwrap();
    let admin = Admin::new();
    let layer = admin.attach(ErrorEnvelopeLayer::new().policy(policy));
    for at in 0..30 {
        through(&layer, &format!("/r{at}"), 409, "{}").await;
    }
    let rows = async |query: &str| {
        let page = ask(&admin, "GET", &format!("/{query}")).await.body;
        (
            page.matches(" data-number=").count(),
            page.matches("data-name=\"Next mode\"").count(),
            page.contains("data-live"),
        )
    };
    assert_eq!(rows("").await, (15, 10, true));
    assert_eq!(rows("?page=2").await, (15, 10, false), "what comes is told on the first page");
    assert_eq!(rows("?routes=2").await, (15, 10, true));
    assert_eq!(rows("?page=999&routes=x").await, (15, 10, false));
}

#[tokio::test]
async fn a_cause_is_beside_its_error_only_where_the_policy_lets_bodies_be_seen() {
    for (observe, is_shown) in [("", false), ("[observe]\nbodies = true\n", true)] {
        let admin = Admin::new();
        let policy = Policy::from_toml("policy.toml", &format!("version = 1\n{observe}")).unwrap();
        let layer = admin.attach(ErrorEnvelopeLayer::new().policy(policy));
        let service = layer.layer(service_fn(|_| async {
            let fails = true;
            assert!(!fails, "<b>no row 7</b> for postgres://app:hunter2@db/orders");
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
        let response = service.oneshot(Request::get("/a").body(Full::<Bytes>::default()).unwrap()).await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        for path in ["/".to_owned(), format!("/errors/{id}")] {
            let page = ask(&admin, "GET", &path).await.body;
            assert_eq!(page.contains("&lt;b&gt;no row 7&lt;/b&gt;"), is_shown, "{page}");
            assert!(!page.contains("hunter2") && !page.contains("<b>no row"), "{page}");
        }
    }
}

#[tokio::test]
async fn paths_without_a_route_are_grouped_by_form_only_where_the_policy_lets_bodies_be_seen() {
    for (observe, is_shown) in [("", false), ("[observe]\nbodies = true\n", true)] {
        let admin = Admin::new();
        let policy = format!("version = 1\n{observe}[[route]]\nmatch = \"/known/{{id}}\"\n");
        let policy = Policy::from_toml("policy.toml", &policy).unwrap();
        let layer = admin.attach(ErrorEnvelopeLayer::new().policy(policy));
        for id in ["7", "0193b03e-7a20-7cc5-8a4b-9f1c2d3e4f50", "01JD2V5W8Z3Q4R6T8Y0A1B2C3D", "ada%40example.com"] {
            through(&layer, &format!("/users/{id}/orders?token=hunter2"), 404, "{}").await;
        }
        through(&layer, "/known/7", 404, "{}").await;
        let page = ask(&admin, "GET", "/").await.body;
        let group = "<bdi>/users/{…}/orders</bdi></code> <span class=\"quiet\">4 times</span>";
        assert_eq!(page.contains(group), is_shown, "{page}");
        for never in ["0193b03e", "01JD2V5W8Z", "hunter2", "ada%40", "/known/{…}"] {
            assert!(!page.contains(never), "{never} in {page}");
        }
    }
}
