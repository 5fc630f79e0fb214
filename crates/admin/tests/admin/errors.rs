//! Tests what `/errors.json` and `/readiness.json` show an operator about errors that passed through a layer.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use error_envelope_admin::Admin;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::policy::Scope;
use tower_error_envelope::{ErrorEnvelopeLayer, Mode, Policy};

use crate::kit::{Answer, ask, leave, through};

const POLICY: &str = r#"
    version = 1
    [defaults]
    mode = "observe"
    [header.tenant]
    name = "x-tenant"
    [[route]]
    match = "/names/{name}"
    [[route]]
    match = "/tenants"
    require_headers = ["tenant"]
    [[route]]
    match = "/accounts"
    mode = "enforce"
    [[route]]
    match = "/quiet"
    mode = "fill"
"#;
const WITH_BODIES: &str = "[observe]\nbodies = true\n";
const SECRET: &str =
    r#"{"detail":[{"loc":["body","password"],"msg":"Too short.","input":"hunter2"}],"token":"hunter2"}"#;

fn watched(policy: &str) -> (Admin, ErrorEnvelopeLayer) {
    let admin = Admin::new();
    let policy = Policy::from_toml("policy.toml", policy).unwrap();
    let layer = admin.attach(ErrorEnvelopeLayer::new().policy(policy));
    (admin, layer)
}

async fn errors(admin: &Admin, search: &str) -> Value {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("search", search).finish();
    ask(admin, "GET", &format!("/errors.json?{query}")).await.json()
}

fn id_of(answer: &Answer) -> String {
    answer.header("x-request-id").unwrap().to_owned()
}

#[tokio::test]
async fn before_and_after_are_given_without_credentials() {
    let (admin, layer) = watched(&format!("{POLICY}{WITH_BODIES}"));
    through(&layer, "/accounts", 422, SECRET).await;
    through(&layer, "/names/ada", 409, r#"{"error":"Name is taken."}"#).await;
    // A separate thread redacts the bodies, so the test waits for it.
    let all = async {
        loop {
            let all = errors(&admin, "").await;
            if all["errors"].as_array().unwrap().iter().all(|error| error["bodies"] == "stored") {
                return all["errors"].clone();
            }
            tokio::task::yield_now().await;
        }
    };
    let all = tokio::time::timeout(Duration::from_secs(10), all).await.expect("bodies are read");
    assert_eq!(
        (&all[0]["status"], &all[0]["code"], &all[0]["would_be_status"], &all[0]["would_be_code"]),
        (&json!(409), &json!(""), &json!(409), &json!("conflict"))
    );
    assert_eq!(
        (&all[1]["status"], &all[1]["code"], &all[1]["dialect"]),
        (&json!(422), &json!("invalid_request"), &json!("fastapi"))
    );
    for (side, part) in [
        (&all[0]["before"], r#""error": "Name is taken.""#),
        (&all[0]["after"], r#""message": "Name is taken.""#),
        (&all[1]["before"], r#""token": "[redacted]""#),
        (&all[1]["before"], r#""input": "[redacted]""#),
        (&all[1]["after"], r#""code": "invalid_request""#),
    ] {
        assert!(side["text"].as_str().unwrap().contains(part), "{part} in {side}");
    }
    assert!(!all.to_string().contains("hunter2"), "{all}");
}

#[tokio::test]
async fn without_leave_of_the_policy_there_are_no_bodies() {
    let (admin, layer) = watched(POLICY);
    through(&layer, "/names/ada", 409, r#"{"error":"Name is taken."}"#).await;
    let all = errors(&admin, "").await;
    assert_eq!((&all["errors"][0]["bodies"], &all["errors"][0]["before"]), (&json!("not_stored"), &Value::Null));
    assert!(!all.to_string().contains("Name is taken"), "{all}");
}

#[tokio::test]
async fn an_error_is_found_by_what_a_client_reports() {
    let (admin, layer) = watched(POLICY);
    let id = id_of(&through(&layer, "/names/ada", 409, "{}").await);
    through(&layer, "/names/bob", 409, "{}").await;
    for said in
        [id.clone(), id[4..].to_ascii_lowercase(), format!("  {id} "), format!(r#"{{"request_id":"{id}"}}, please"#)]
    {
        let found = errors(&admin, &said).await;
        assert_eq!(found["errors"].as_array().unwrap().len(), 1, "{said}");
        assert_eq!((&found["errors"][0]["id"], &found["searched_id"]["count"]), (&json!(id), &json!(1)));
    }
    let unknown = errors(&admin, "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D").await;
    assert_eq!((&unknown["errors"], &unknown["searched_id"]["count"]), (&json!([]), &json!(0)));
    for number in 0..100 {
        through(&layer, &format!("/names/{number}"), 409, "{}").await;
    }
    let older = errors(&admin, &id).await;
    assert_eq!((&older["errors"], &older["searched_id"]["known"][0]["route"]), (&json!([]), &json!("/names/{name}")));
}

#[tokio::test]
async fn errors_are_found_by_words_of_their_code_and_route() {
    let (admin, layer) = watched(POLICY);
    let name = id_of(&through(&layer, "/names/ada", 409, "{}").await);
    let account = id_of(&through(&layer, "/accounts", 404, "{}").await);
    let elsewhere = id_of(&through(&layer, "/elsewhere", 404, "{}").await);
    for (text, expected) in [
        ("", vec![&elsewhere, &account, &name]),
        ("/names/{name}", vec![&name]),
        ("NOT_found", vec![&elsewhere, &account]),
        ("not_found /accounts", vec![&account]),
        ("no route", vec![&elsewhere]),
        ("not_found /names", vec![]),
        ("ada", vec![]),
    ] {
        let found = errors(&admin, text).await;
        let ids: Vec<_> =
            found["errors"].as_array().unwrap().iter().map(|error| error["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{text}");
        assert_eq!(found["searched_id"], Value::Null);
    }
}

#[tokio::test]
async fn path_and_client_are_given_for_the_searched_id_alone() {
    let (admin, layer) = watched(POLICY);
    let service = layer.layer(service_fn(|_| async {
        Ok::<_, Infallible>(Response::builder().status(500).body(Full::<Bytes>::default()).unwrap())
    }));
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    let request = Request::put("/names/ada?key=hunter2").header("x-forwarded-for", "203.0.113.9, 198.51.100.4");
    let request = request.header("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01"));
    let response = service.oneshot(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    response.into_body().collect().await.unwrap();
    let found = errors(&admin, &id).await;
    let error = &found["errors"][0];
    assert_eq!(
        (&error["method"], &error["path"], &error["client"]),
        (&json!("PUT"), &json!("/names/ada"), &json!("198.51.100.4"))
    );
    assert_eq!(error["trace_id"], TRACE, "the client's");
    let found_by_trace = errors(&admin, TRACE).await;
    let searched = &found_by_trace["searched_id"];
    assert_eq!((&found_by_trace["errors"][0]["id"], &searched["count"]), (&json!(id), &json!(1)));
    assert_eq!(searched["began_at"], Value::Null, "it would be in the year 4617");
    assert_eq!(searched["trace_id"], TRACE, "a line of the log has it");
    assert!(error["duration_ms"].is_u64() && !found.to_string().contains("hunter2"), "{found}");
    let all = errors(&admin, "").await.to_string();
    assert!(!all.contains("/names/ada") && !all.contains("198.51"), "they may name a person: {all}");
}

#[tokio::test]
async fn an_error_without_a_trace_of_its_client_is_found_by_the_trace_that_begins_with_it() {
    let (admin, layer) = watched(POLICY);
    let id = id_of(&through(&layer, "/names/ada", 409, "{}").await);
    let trace = errors(&admin, "").await["errors"][0]["trace_id"].as_str().unwrap().to_owned();
    let found = errors(&admin, &trace).await;
    // The page prints a command that contains both ids.
    let searched = &found["searched_id"];
    assert_eq!((&searched["id"], &searched["trace_id"], &searched["count"]), (&json!(id), &json!(trace), &json!(1)));
    let script = ask(&admin, "GET", "/page.js").await.body;
    assert!(script.contains("grep -F -e '${searched.id}' -e '${searched.trace_id}'"));
}

#[tokio::test]
async fn l5_a_request_whose_client_left_is_found_by_id_and_by_words_and_is_no_error() {
    let (admin, layer) = watched(POLICY);
    let id = leave(&layer, "/names/ada").await;
    assert_eq!(errors(&admin, "").await["errors"], json!([]));
    for text in [&*id, "client_left /names"] {
        let found = errors(&admin, text).await;
        let left = &found["errors"][0];
        assert_eq!(
            (&left["id"], &left["outcome"], &left["end"]),
            (&json!(id), &json!("client_left"), &json!("client_left"))
        );
        assert_eq!(
            (&left["route"], &left["status"], left["code"].as_str()),
            (&json!("/names/{name}"), &json!(200), Some(""))
        );
        let client = if text == id { (json!("/names/ada"), json!("198.51.100.4")) } else { (Value::Null, Value::Null) };
        assert_eq!((left["path"].clone(), left["client"].clone()), client);
    }
    let readiness = ask(&admin, "GET", "/readiness.json").await.json();
    let row = readiness["routes"].as_array().unwrap().iter().find(|it| it["route"] == "/names/{name}").unwrap();
    assert_eq!((&row["requests"], &row["errors"], &row["client_left"]), (&json!(1), &json!(0), &json!(1)));
    assert_eq!(ask(&admin, "GET", "/now.json").await.json()["failing"], json!([]));
}

#[tokio::test]
async fn errors_are_found_by_their_scope() {
    let scope = Scope::new().prefix("/shop").mode(Mode::Observe);
    let admin = Admin::new();
    let layer = admin.attach(ErrorEnvelopeLayer::new().policy(Policy::builder().scope(scope).build().unwrap()));
    let id = id_of(&through(&layer, "/shop/7", 404, "{}").await);
    through(&layer, "/elsewhere", 404, "{}").await;
    let found = errors(&admin, "/SHOP").await;
    assert_eq!((found["errors"].as_array().unwrap().len(), &found["errors"][0]["id"]), (1, &json!(id)));
    assert_eq!(found["errors"][0]["scope"], "/shop");
    assert_eq!(errors(&admin, &id).await["searched_id"]["known"][0]["scope"], "/shop");
}

#[tokio::test]
async fn l5_a_refusal_of_a_guard_names_no_service() {
    let policy = "version = 1\n[header.tenant]\nname = \"x-tenant\"\n[[route]]\nmatch = \"/tenants\"\nrequire_headers = [\"tenant\"]\n";
    let (admin, layer) = watched(policy);
    let layer = layer.log_upstreams(Some("http://orders".parse().unwrap()));
    through(&layer, "/tenants", 200, "{}").await;
    through(&layer, "/elsewhere", 404, "{}").await;
    let all = errors(&admin, "").await["errors"].clone();
    let services = [&all[1], &all[0]].map(|error| (error["origin"].clone(), error["service"].clone()));
    assert_eq!(services, [(json!("guard"), Value::Null), (json!("inner"), json!("http://orders"))]);
    assert_eq!(ask(&admin, "GET", "/now.json").await.json()["refusing"][0]["service"], Value::Null);
}

#[tokio::test]
async fn a_cause_is_given_only_where_the_policy_lets_bodies_be_seen() {
    for (observe, is_shown) in [("", false), (WITH_BODIES, true)] {
        let (admin, layer) = watched(&format!("version = 1\n{observe}"));
        let service = layer.layer(service_fn(|_| async {
            let fails = true;
            assert!(!fails, "<b>no row 7</b> for postgres://app:hunter2@db/orders");
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }));
        let response = service.oneshot(Request::get("/a").body(Full::<Bytes>::default()).unwrap()).await.unwrap();
        response.into_body().collect().await.unwrap();
        let all = errors(&admin, "").await.to_string();
        assert_eq!(all.contains("<b>no row 7</b>"), is_shown, "{all}");
        assert!(!all.contains("hunter2"), "{all}");
    }
}

#[tokio::test]
async fn m1_each_guard_that_would_refuse_is_named() {
    let guarded = "version = 1\ndefaults.mode = \"observe\"\n[header.tenant]\nname = \"x-tenant\"\n\
                   [[route]]\nmatch = \"/tenants\"\nrequire_headers = [\"tenant\"]\nbody_limit = 1\n";
    let (admin, layer) = watched(guarded);
    let service = layer.layer(service_fn(|_| async { Ok::<_, Infallible>(Response::new(Full::<Bytes>::default())) }));
    let response = service.oneshot(Request::put("/tenants").body(Full::<Bytes>::from("{}")).unwrap()).await.unwrap();
    response.into_body().collect().await.unwrap();
    let found = errors(&admin, "").await;
    let mut codes: Vec<_> =
        found["errors"][0]["would_refuse"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["bad_request", "payload_too_large"]);
    let now = ask(&admin, "GET", "/now.json").await.json();
    assert_eq!(
        (&now["would_refuse"][0]["count"], now["would_refuse"][0]["codes"][0]["code"].as_str().unwrap().len()),
        (&json!(1), "bad_request, payload_too_large".len())
    );
}

#[tokio::test]
async fn each_route_has_its_counts_and_whether_it_is_ready() {
    let (admin, layer) = watched(POLICY);
    for name in ["ada", "bob"] {
        through(&layer, &format!("/names/{name}"), 409, r#"{"error":"Name is taken."}"#).await;
    }
    through(&layer, "/tenants", 200, "{}").await;
    let readiness = ask(&admin, "GET", "/readiness.json").await.json();
    let row = |route: &str| readiness["routes"].as_array().unwrap().iter().find(|it| it["route"] == route).unwrap();
    let columns =
        ["mode", "next", "verdict", "requests", "errors", "without_code", "own_would_refuse", "enforce_would_rewrite"];
    for (route, expected) in [
        ("/names/{name}", json!(["observe", "own", "ready", 2, 2, 2, 0, 2])),
        ("/tenants", json!(["observe", "own", "not_ready", 1, 0, 0, 1, 0])),
        ("/accounts", json!(["enforce", null, "done", 0, 0, 0, 0, 0])),
        ("/quiet", json!(["fill", "enforce", "unseen", 0, 0, null, 0, null])),
    ] {
        let row = row(route);
        assert_eq!(Value::from(columns.map(|name| row[name].clone()).to_vec()), expected, "{route}");
    }
    assert_eq!(readiness["routes"][0]["route"], "/names/{name}", "most errors first");
}
