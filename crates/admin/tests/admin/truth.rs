//! Tests that each number on the page and in the readiness report matches the requests that were sent. These are 2,000
//! requests in four modes, some of them to a route with `auth_observe`.

use std::collections::BTreeMap;
use std::convert::Infallible;

use bytes::Bytes;
use error_envelope_admin::Admin;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::auth::{CredentialRequest, Verified};
use tower_error_envelope::policy::{PolicyBuilder, Scope};
use tower_error_envelope::session::BoxError;
use tower_error_envelope::{ErrorEnvelopeLayer, Mode, Policy, RouteRule};

use crate::kit::ask;

const POLICY: &str = r#"
version = 1
[auth.partner]
scheme = "custom"
[[route]]
match = "/observe"
mode = "observe"
json = true
[[route]]
match = "/own"
mode = "own"
json = true
[[route]]
match = "/fill"
mode = "fill"
json = true
[[route]]
match = "/enforce"
json = true
[[route]]
match = "/watched"
auth = ["partner"]
auth_observe = true
"#;
const ROUTES: [&str; 5] = ["/observe", "/own", "/fill", "/enforce", "/watched"];

/// The service's responses: a status, and a body of this type.
const ANSWERS: [(u16, &str, &str); 7] = [
    (200, "application/json", "{}"),
    (404, "application/json", r#"{"error":"no such seat"}"#),
    (404, "text/plain", "no such seat"),
    (409, "application/json", ""),
    (500, "application/json", r#"{"code":"E1"}"#),
    (503, "text/html", "<h1>down</h1>"),
    (404, "application/json", r#"{"seats":[]}"#),
];

/// The counts of one route.
#[derive(Default)]
struct Sent {
    requests: u64,
    errors: u64,
    refused: u64,
    would_refuse: u64,
    failed: u64,
    would_fill: u64,
    would_rewrite: u64,
}

/// Returns numbers that look random, and are the same in each run.
fn dice(state: &mut u64, sides: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize % sides
}

async fn verify(request: CredentialRequest) -> Result<Verified, BoxError> {
    Ok(if request.headers().contains_key("x-session") { Verified::granted("ada") } else { Verified::Missing })
}

async fn send(layer: &ErrorEnvelopeLayer, count: usize, seed: u64) -> BTreeMap<&'static str, Sent> {
    let service = layer.layer(service_fn(|request: Request<_>| async move {
        let answer = request.headers()["x-answer"].to_str().unwrap().parse::<usize>().unwrap();
        let (status, media_type, body) = ANSWERS[answer];
        let response = Response::builder().status(status).header("content-type", media_type);
        Ok::<_, Infallible>(response.body(Full::<Bytes>::from(body)).unwrap())
    }));
    let (mut state, mut sent) = (seed, BTreeMap::<_, Sent>::new());
    for _ in 0..count {
        let route = ROUTES[dice(&mut state, ROUTES.len())];
        let (answer, is_refused) = (dice(&mut state, ANSWERS.len()), dice(&mut state, 4) == 0);
        let is_head = !is_refused && dice(&mut state, 4) == 0;
        let method = if is_head { Method::HEAD } else { Method::POST };
        let request = Request::builder().method(method).uri(route).header("x-answer", answer).header(
            "content-type",
            match is_refused {
                true if route != "/watched" => "text/plain",
                _ => "application/json",
            },
        );
        let request = if is_refused { request } else { request.header("x-session", "1") };
        let response = service.clone().oneshot(request.body(Full::<Bytes>::from("{}")).unwrap()).await.unwrap();
        let status = response.status();
        response.into_body().collect().await.unwrap();

        let known = sent.entry(route).or_default();
        let observes = matches!(route, "/observe" | "/watched");
        known.requests += 1;
        known.failed += u64::from(status.is_server_error());
        if is_refused && !observes {
            assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
            known.refused += 1;
            known.errors += 1;
            continue;
        }
        known.would_refuse += u64::from(is_refused);
        let is_error = ANSWERS[answer].0 >= 400;
        let is_filled = matches!(answer, 2 | 5) || answer == 3 && !is_head;
        known.errors += u64::from(is_error);
        if route == "/observe" && !is_refused {
            known.would_rewrite += u64::from(is_error);
            known.would_fill += u64::from(is_filled);
        }
    }
    sent
}

/// Returns the count of each route in one of the page's tables.
fn table(now: &Value, name: &str) -> BTreeMap<String, u64> {
    let rows = now[name].as_array().unwrap().iter();
    rows.map(|row| (row["route"].as_str().unwrap().to_owned(), row["count"].as_u64().unwrap())).collect()
}

fn counted(sent: &BTreeMap<&str, Sent>, count: impl Fn(&Sent) -> u64) -> BTreeMap<String, u64> {
    let counts = sent.iter().map(|(route, sent)| ((*route).to_owned(), count(sent)));
    counts.filter(|(_, count)| *count > 0).collect()
}

fn add(all: &mut BTreeMap<&str, Sent>, more: &BTreeMap<&'static str, Sent>) {
    for (route, more) in more {
        let known = all.get_mut(route).unwrap();
        known.requests += more.requests;
        known.errors += more.errors;
        known.failed += more.failed;
        known.refused += more.refused;
        known.would_refuse += more.would_refuse;
    }
}

async fn compare(admin: &Admin, all: &BTreeMap<&str, Sent>, since_policy: &BTreeMap<&str, Sent>) {
    let readiness = ask(admin, "GET", "/readiness.json").await.json();
    for (route, sent) in since_policy {
        let row = readiness["routes"].as_array().unwrap().iter().find(|row| row["route"] == **route).unwrap();
        let numbers = [
            "requests",
            "errors",
            "own_would_refuse",
            "auth_would_refuse",
            "fill_would_rewrite",
            "enforce_would_rewrite",
        ];
        let shown = numbers.map(|name| row[name].as_u64().unwrap_or(0));
        // No mode refuses a request that `auth_observe` lets pass, but its removal does.
        let (own, auth) = if *route == "/watched" { (0, sent.would_refuse) } else { (sent.would_refuse, 0) };
        let expected = [sent.requests, sent.errors, own, auth, sent.would_fill, sent.would_rewrite];
        assert_eq!(shown, expected, "{route}: {row}");
        let verdict = match *route {
            "/enforce" => "done",
            "/watched" if sent.would_refuse == 0 => "done",
            _ if sent.would_refuse > 0 => "not_ready",
            _ => "ready",
        };
        assert_eq!(row["verdict"], verdict, "{row}");
    }
    let now = ask(admin, "GET", "/now.json").await.json();
    assert_eq!(table(&now, "failing"), counted(all, |sent| sent.failed));
    assert_eq!(table(&now, "refusing"), counted(all, |sent| sent.refused));
    assert_eq!(table(&now, "would_refuse"), counted(all, |sent| sent.would_refuse));
    let minutes = |outcome: &str| now["hour"]["outcomes"][outcome].as_array().unwrap().iter();
    let hour = |outcome| minutes(outcome).filter_map(Value::as_u64).sum::<u64>();
    let sum = |count: fn(&Sent) -> u64| all.values().map(count).sum::<u64>();
    assert_eq!(sum(|sent| sent.errors - sent.failed), hour("client_error"));
    assert_eq!(sum(|sent| sent.failed), hour("server_error"));
    assert_eq!(sum(|sent| sent.requests - sent.errors), hour("ok"));
}

#[tokio::test]
async fn each_number_equals_what_was_sent_and_the_last_policy_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    std::fs::write(&file, POLICY).unwrap();
    let admin = Admin::new();
    // As in a gateway, the layer that serves requests is a clone of the layer that is attached to the page.
    let layer = admin.attach(ErrorEnvelopeLayer::new().verifier("partner", verify).watching(&file).unwrap());
    let layer = layer.log_upstreams(None);
    let mut all = send(&layer, 2000, 7).await;
    compare(&admin, &all, &all).await;

    std::fs::write(&file, format!("{POLICY}\n[[route]]\nmatch = \"/new\"\n")).unwrap();
    // The thread that watches the files may have reloaded the policy already.
    let _ = layer.reload().unwrap();
    // The request for this page may be the first that uses the new policy.
    assert_eq!(ask(&admin, "GET", "/now.json").await.status, 200);
    let since_policy = send(&layer, 200, 11).await;
    add(&mut all, &since_policy);
    compare(&admin, &all, &since_policy).await;

    // Other requests may use the next policy before a request for a page does.
    std::fs::write(&file, format!("{POLICY}\n[[route]]\nmatch = \"/newer\"\n")).unwrap();
    let _ = layer.reload().unwrap();
    let latest = send(&layer, 200, 13).await;
    add(&mut all, &latest);
    compare(&admin, &all, &latest).await;

    // The edit is reverted, and the earlier policy continues with its counts.
    std::fs::write(&file, format!("{POLICY}\n[[route]]\nmatch = \"/new\"\n")).unwrap();
    let _ = layer.reload().unwrap();
    compare(&admin, &all, &since_policy).await;
}

#[tokio::test]
async fn requests_of_a_scope_without_a_route_have_the_mode_of_the_scope() {
    let shop = Scope::new().prefix("/shop").mode(Mode::Observe);
    let readiness = readiness_after_a_request("/shop/7", Policy::builder().scope(shop)).await;
    let row = &readiness["routes"][0];
    assert_eq!((&row["scope"], &row["mode"], &row["in_policy"]), (&json!("/shop"), &json!("observe"), &json!(true)));
    assert_eq!((&row["verdict"], &readiness["kill_switch"]), (&json!("ready"), &json!(false)));
}

#[tokio::test]
async fn a_route_outside_of_the_scopes_is_shown_once_if_a_scope_s_requests_meet_it() {
    let shop = Scope::new().prefix("/shop");
    let route = RouteRule::new("/shop/{*rest}").mode(Mode::Own);
    let readiness = readiness_after_a_request("/shop/7", Policy::builder().scope(shop).route(route)).await;
    let rows: Vec<_> = readiness["routes"].as_array().unwrap().iter().filter(|row| !row["route"].is_null()).collect();
    let [row] = &rows[..] else { panic!("{readiness:#}") };
    assert_eq!((&row["scope"], &row["mode"], &row["in_policy"]), (&json!("/shop"), &json!("own"), &json!(true)));
    assert_eq!((&row["requests"], &row["verdict"]), (&json!(1), &json!("ready")));
}

async fn readiness_after_a_request(path: &str, policy: PolicyBuilder) -> Value {
    let admin = Admin::new();
    let layer = admin.attach(ErrorEnvelopeLayer::new().policy(policy.build().unwrap()));
    let service = layer
        .layer(service_fn(|_: Request<_>| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("{}"))) }));
    service.oneshot(Request::get(path).body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    ask(&admin, "GET", "/readiness.json").await.json()
}
