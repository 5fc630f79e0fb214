//! What happened when: errors and requests per minute.

use error_envelope_admin::Admin;
use tower_error_envelope::{ErrorEnvelopeLayer, Policy};

use crate::kit::{ask, recording, through};

const POLICY: &str = "version = 1\n[[route]]\nmatch = \"/names/{name}\"\n[[route]]\nmatch = \"/accounts\"\n";

fn layered(admin: &Admin) -> ErrorEnvelopeLayer {
    admin.attach(ErrorEnvelopeLayer::new().policy(Policy::from_toml("policy.toml", POLICY).unwrap()))
}

#[tokio::test]
async fn errors_and_requests_have_charts_by_route_and_code() {
    let (_guard, handle) = recording();
    let admin = Admin::new().metrics(handle);
    let layer = layered(&admin);
    for path in ["/names/ada", "/names/bob", "/accounts", "/elsewhere"] {
        through(&layer, path, 404, "{}").await;
    }
    through(&layer, "/accounts", 200, "{}").await;
    for (path, told) in [
        ("/", ["Errors: 4 in all, at most ", "Requests: 5 in all, at most ", "href=\"/charts\""]),
        (
            "/charts",
            ["Errors: 4 in all, at most ", "Requests: 5 in all, at most ", "/charts?route=%2Fnames%2F%7Bname%7D"],
        ),
        ("/charts?route=/accounts", ["Errors: 1 in all, at most 1 in a minute", "Requests: 2 in all", "Show all"]),
        ("/charts?route=-", ["Errors: 1 in all, at most 1 in a minute", "Requests: 1 in all", "no route"]),
        ("/charts?code=not_found", ["Errors: 4 in all", "with the code", "By route"]),
        ("/charts?code=conflict", ["Errors: none", "No errors in this time.", "By code"]),
    ] {
        let page = ask(&admin, "GET", path).await;
        assert_eq!(page.status, 200, "{path}");
        for told in told {
            assert!(page.body.contains(told), "{path}: {told} in {}", page.body);
        }
        assert!(!page.body.contains("/names/ada") && !page.body.contains("/elsewhere"), "a path is in {path}");
    }
    let filtered = ask(&admin, "GET", "/charts?code=not_found").await.body;
    assert!(!filtered.contains("Requests"), "requests have no code: {filtered}");
}

#[tokio::test]
async fn without_counters_there_are_charts_of_errors_alone() {
    let admin = Admin::new();
    through(&layered(&admin), "/accounts", 404, "{}").await;
    let page = ask(&admin, "GET", "/charts").await.body;
    assert!(page.contains("Errors: 1 in all") && page.contains("Requests are not counted in this process."), "{page}");
}

#[tokio::test]
async fn an_hour_that_cannot_be_shown_is_refused_with_what_there_is() {
    let admin = Admin::new();
    for (hour, status, told) in [
        ("2020-01-01T00", 410, "That hour is no longer stored"),
        ("9999-12-31T23", 404, "That hour is in the future"),
        ("yesterday", 400, "The hour is not valid"),
        ("%3Cscript%3E", 400, "The hour is not valid"),
    ] {
        let page = ask(&admin, "GET", &format!("/charts?hour={hour}")).await;
        assert_eq!(page.status, status, "{hour}");
        assert!(page.body.contains(told) && page.body.contains("6 hours"), "{}", page.body);
    }
    let first = ask(&admin, "GET", "/charts").await.body;
    let hour = first.split("/charts?hour=").nth(1).and_then(|rest| rest.get(..13)).expect("the hour that runs");
    assert_eq!(ask(&admin, "GET", &format!("/charts?hour={hour}")).await.status, 200, "{hour}");
}
