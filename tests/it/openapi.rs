//! Tests that a document of `utoipa` lists exactly the errors of its service.
//!
//! `.ci/clients typed` sends the same requests over a socket, with a validator of OpenAPI and one of JSON Schema.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt;
use tower_error_envelope::auth::{AuthScheme, JwtKeys, Key};
use tower_error_envelope::openapi::PolicyResponses;
use tower_error_envelope::policy::RequiredHeader;
use tower_error_envelope::{AsFault, ErrorCode, Fault, Mode, Policy, RouteRule};
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, Modify, OpenApi};

#[allow(dead_code, unreachable_pub, reason = "an example has a main")]
#[path = "../../examples/typed/main.rs"]
mod example;

/// A request of the example, and its response.
#[derive(Clone, Debug, Deserialize)]
struct Row {
    operation: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<String>,
    status: u16,
    code: String,
}

/// An operation, a status and a code.
type Answer = (String, u16, String);

fn rows() -> Vec<Row> {
    serde_json::from_str(include_str!("../../examples/typed/requests.json")).unwrap()
}

#[test]
fn the_document_of_the_example_is_the_one_that_clients_are_made_of() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/typed/openapi.json");
    let document = serde_json::to_string_pretty(&example::document().unwrap()).unwrap() + "\n";
    if std::env::var_os("UPDATE_EXPORTS").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    let have = std::fs::read_to_string(path).unwrap_or_default();
    assert!(have == document, "{path} is not the example's document: UPDATE_EXPORTS=1 writes it anew");
}

#[tokio::test(start_paused = true)]
async fn each_error_that_the_document_declares_is_answered() {
    let app = example::app().unwrap();
    let mut provoked = BTreeSet::new();
    for row in rows() {
        let answer = send(&app, &row).await;
        assert_eq!(answer, Some((row.operation.clone(), row.status, row.code.clone())), "{row:?}");
        provoked.extend(answer);
    }
    assert_eq!(declared(&example::document().unwrap()), provoked);
}

static EXAMPLE: LazyLock<(Router, BTreeSet<Answer>)> =
    LazyLock::new(|| (example::app().unwrap(), declared(&example::document().unwrap())));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_error_is_answered_that_the_document_does_not_declare(
        row in select(rows()),
        headers in subsequence(rows().into_iter().flat_map(|row| row.headers).collect::<Vec<_>>(), 0..4),
        path in prop_oneof![4 => select(vec!["1", "2", "9", "-1", "99999999999"]).prop_map(str::to_owned), 1 => "[a-z0-9.%]{1,6}"],
        body in proptest::option::of(prop_oneof![select(rows().into_iter().filter_map(|row| row.body).collect::<Vec<_>>()), any::<String>()]),
    ) {
        let path = if row.operation.contains('{') { format!("/orders/{path}") } else { row.path.clone() };
        let row = Row { headers, path, body, ..row };
        prop_assume!(row.path.parse::<http::Uri>().is_ok());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        if let Some(answer) = runtime.block_on(send(&EXAMPLE.0, &row)) {
            prop_assert!(EXAMPLE.1.contains(&answer), "{row:?}: {answer:?}");
        }
    }
}

/// Returns the response if it is an error.
async fn send(app: &Router, row: &Row) -> Option<Answer> {
    let method = row.operation.split(' ').next().unwrap();
    let mut request = Request::builder().method(method).uri(&row.path);
    for (name, value) in &row.headers {
        request = request.header(name, value);
    }
    let body = row.body.clone().map_or_else(Body::empty, Body::from);
    let response = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 64 * 1024).await.unwrap();
    if status.is_success() {
        return None;
    }
    let body: Value = serde_json::from_slice(&body).unwrap();
    Some((row.operation.clone(), status.as_u16(), body["error"]["code"].as_str()?.to_owned()))
}

/// Returns all errors that a document declares.
fn declared(document: &utoipa::openapi::OpenApi) -> BTreeSet<Answer> {
    let document = serde_json::to_value(document).unwrap();
    let mut all = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let operation_name = format!("{} {path}", method.to_uppercase());
            for (status, response) in operation["responses"].as_object().unwrap() {
                let reference = response["$ref"].as_str().map(|at| document.pointer(&at[1..]).unwrap());
                let examples = &reference.unwrap_or(response)["content"]["application/json"]["examples"];
                let codes = examples.as_object().into_iter().flat_map(serde_json::Map::keys);
                all.extend(codes.map(|code| (operation_name.clone(), status.parse().unwrap(), code.clone())));
            }
        }
    }
    all
}

#[derive(Debug, thiserror::Error, AsFault)]
#[allow(dead_code, reason = "the document alone is asked")]
enum BookingError {
    #[error("taken")]
    #[fault(custom("seat_taken", 409), details(0 = "seat"))]
    Taken(u8),
    #[error("not of a form")]
    #[fault(INVALID_REQUEST, status = 422)]
    Form,
    #[error(transparent)]
    #[fault(transparent)]
    Inner(#[from] Inner),
}

/// This error lists no codes.
#[derive(Debug, thiserror::Error)]
#[error("inner")]
struct Inner;

impl AsFault for Inner {}

#[utoipa::path(delete, path = "/seats/{id}", responses((status = 204, description = "Free."), BookingError))]
#[allow(dead_code, reason = "the document alone is asked")]
async fn free() {}

#[utoipa::path(get, path = "/seats", responses((status = 404, description = "No hall.", body = String), (status = 410, description = "Sold.")))]
#[allow(dead_code, reason = "the document alone is asked")]
async fn list() {}

#[derive(OpenApi)]
#[openapi(paths(free, list))]
struct Seats;

fn responses_under(policy: Policy, pointer: &str) -> Value {
    let mut document = Seats::openapi();
    let added = PolicyResponses::new(policy).also([ErrorCode::GATEWAY_TIMEOUT]);
    added.modify(&mut document);
    let once = serde_json::to_value(&document).unwrap();
    added.modify(&mut document);
    assert!(serde_json::to_value(&document).unwrap() == once, "a second time changes nothing");
    once.pointer(pointer).unwrap().clone()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

const FREE: &str = "/paths/~1seats~1{id}/delete/responses";
const LIST: &str = "/paths/~1seats/get/responses";

#[test]
fn an_error_with_a_derive_lists_its_statuses_and_one_that_lists_nothing_is_any() {
    let listed = BookingError::responses();
    assert_eq!(listed.keys().map(String::as_str).collect::<Vec<_>>(), ["409", "422", "default"]);
    let taken = &serde_json::to_value(&listed["409"]).unwrap()["content"]["application/json"];
    let error = &taken["schema"]["properties"]["error"]["oneOf"][0];
    assert_eq!(error["properties"]["details"]["properties"]["seat"]["type"], "integer");
    assert_eq!(taken["examples"]["seat_taken"]["value"]["error"]["details"]["seat"], 1);
    assert_eq!(keys(&serde_json::to_value(Fault::responses()).unwrap()), ["default"]);
}

#[test]
fn g0_a_policys_guards_are_added_to_what_is_declared() {
    let free = responses_under(Policy::default(), FREE);
    assert_eq!(keys(&free), ["204", "400", "409", "422", "500", "504", "default"]);
    let list = responses_under(Policy::default(), LIST);
    assert_eq!(list["410"]["description"], "Sold.", "what a person wrote stays");
    assert_eq!(keys(&list["410"]["content"]["application/json"]["examples"]), ["gone"]);
    assert_eq!(keys(&list["404"]["content"]), ["text/plain"], "a body of another shape stays");
}

#[test]
fn m1_where_nothing_is_enforced_nothing_is_refused() {
    let policy = || Policy::builder().route(RouteRule::new("/seats").mode(Mode::Observe)).build().unwrap();
    assert_eq!(keys(&responses_under(policy(), LIST)), ["404", "410", "500", "504"]);
}

#[test]
fn r12_errors_are_documented_in_the_dialect_of_their_route() {
    let policy = Policy::builder().route(RouteRule::new("/seats/{id}").dialect("problem")).build().unwrap();
    let free = responses_under(policy, FREE);
    let content = &free["409"]["content"];
    assert_eq!(keys(content), ["application/problem+json"]);
    let example = &content["application/problem+json"]["examples"]["seat_taken"]["value"];
    assert_eq!((&example["status"], &example["code"]), (&409.into(), &"seat_taken".into()));
}

#[derive(Debug, thiserror::Error, AsFault)]
#[allow(dead_code, reason = "the document alone is asked")]
enum Texts {
    #[error("a")]
    #[fault(GONE, message = "Sold {{out}}.")]
    Fixed,
    #[error("b")]
    #[fault(CONFLICT, message = "Only {left} left.", details(left), retry_after = 3)]
    Formatted { left: u8 },
    #[error("c")]
    #[fault(custom("no_table", 409), message = reason.clone())]
    Computed { reason: String },
}

#[utoipa::path(get, path = "/texts", responses((status = 200, description = "Fine."), Texts))]
#[allow(dead_code, reason = "the document alone is asked")]
async fn texts() {}

#[utoipa::path(post, path = "/texts", params(("X-Tenant" = String, Header)), responses((status = 200, description = "Fine."), Texts, BookingError), security(("by_hand" = [])))]
#[allow(dead_code, reason = "the document alone is asked")]
async fn write() {}

#[derive(OpenApi)]
#[openapi(paths(texts, write))]
struct Written;

fn written(responses: &PolicyResponses) -> Value {
    let mut document = Written::openapi();
    responses.modify(&mut document);
    let once = serde_json::to_value(&document).unwrap();
    responses.modify(&mut document);
    assert!(serde_json::to_value(&document).unwrap() == once, "a second time changes nothing");
    once
}

#[test]
fn e4_examples_have_the_messages_of_the_derive_and_each_status_its_codes() {
    for dialect in ["standard", "google"] {
        let policy = Policy::builder().dialect(dialect).build().unwrap();
        let document = written(&PolicyResponses::new(policy));
        let responses = |status: &str| {
            let response = &document["paths"]["/texts"]["get"]["responses"][status];
            response["$ref"].as_str().map_or(response, |at| document.pointer(&at[1..]).unwrap())
        };
        let message = |status: &str, code: &str| {
            responses(status)["content"]["application/json"]["examples"][code]["value"]["error"]["message"].clone()
        };
        assert_eq!(message("410", "gone"), "Sold {out}.", "{dialect}");
        assert_eq!(message("409", "conflict"), "Only {left} left.");
        assert_eq!(message("409", "no_table"), ErrorCode::custom("no_table", 409).message());
        let header = &responses("409")["headers"]["x-error-code"];
        assert_eq!(header["description"], "The code, as in the body: conflict, no_table.");
        assert_eq!(header["schema"]["examples"], serde_json::json!(["conflict", "no_table"]));
        assert!(
            responses("409")["headers"]["retry-after"].is_object()
                && responses("410")["headers"]["retry-after"].is_null()
        );
    }
}

#[test]
fn an_operation_lists_its_own_codes_and_not_those_of_its_types() {
    let listed =
        PolicyResponses::new(Policy::default()).operation("POST /texts", [ErrorCode::GONE, ErrorCode::NOT_FOUND]);
    let document = written(&listed);
    assert_eq!(keys(&document["paths"]["/texts"]["post"]["responses"]), ["200", "400", "404", "410", "500"]);
    assert_eq!(keys(&document["paths"]["/texts"]["get"]["responses"]), ["200", "400", "409", "410", "500"]);
    let all = written(&PolicyResponses::new(Policy::default()));
    let all = &all["paths"]["/texts"]["post"]["responses"];
    assert_eq!(keys(all), ["200", "400", "409", "410", "422", "500", "default"]);
}

#[test]
#[should_panic(expected = "the document has no operation \"PUT /texts\"; write one of: GET /texts, POST /texts")]
fn an_operation_that_is_not_there_is_refused() {
    written(&PolicyResponses::new(Policy::default()).operation("PUT /texts", []));
}

#[test]
fn g2_the_credentials_of_a_policy_are_the_security_of_the_document() {
    let schemes = || {
        let key = || Key::of_secret("a", "key-a-1");
        Policy::builder()
            .scheme("app", AuthScheme::header("X-Api-Key").key(key()))
            .scheme("bearer", AuthScheme::bearer().key(key()))
            .scheme("web", AuthScheme::jwt(JwtKeys::secret([7; 32])).algorithms(["HS256"]))
            .scheme("mesh", AuthScheme::certificate())
            .scheme("session", AuthScheme::custom().challenge("Session header=\"x-session\""))
            .scheme("login", AuthScheme::custom().challenge("Basic realm=\"a\""))
    };
    let of = |policy: tower_error_envelope::policy::PolicyBuilder| {
        let document = written(&PolicyResponses::new(policy.build().unwrap()));
        assert_eq!(document["paths"]["/texts"]["post"]["security"], serde_json::json!([{"by_hand": []}]));
        (document["paths"]["/texts"]["get"]["security"].clone(), document["components"]["securitySchemes"].clone())
    };
    let all = schemes().auth(["app", "bearer", "web", "mesh", "session", "login"]);
    let (security, described) = of(all);
    assert_eq!(
        security,
        serde_json::json!([{"app": []}, {"bearer": []}, {"web": []}, {"mesh": []}, {"session": []}, {"login": []}])
    );
    assert_eq!(
        described,
        serde_json::json!({
            "app": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            "bearer": {"type": "http", "scheme": "bearer"},
            "web": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            "mesh": {"type": "mutualTLS"},
            "session": {"type": "apiKey", "in": "header", "name": "x-session"},
            "login": {"type": "http", "scheme": "basic"},
        })
    );
    let route = |route: RouteRule| of(schemes().auth(["app"]).route(route)).0;
    assert_eq!(route(RouteRule::new("GET /texts").open()), serde_json::json!([]));
    assert_eq!(route(RouteRule::new("GET /texts").auth_optional(true)), serde_json::json!([{"app": []}, {}]));
    assert_eq!(route(RouteRule::new("GET /texts").auth_observe(true)), serde_json::json!([{"app": []}, {}]));
    assert_eq!(of(schemes()).0, Value::Null, "no route requires any");
}

#[test]
fn g1_required_headers_are_parameters_where_they_are_required() {
    let parameters = |mode| {
        let policy = Policy::builder().header("tenant", RequiredHeader::new("x-tenant")).require_headers(["tenant"]);
        let document = written(&PolicyResponses::new(policy.mode(mode).build().unwrap()));
        assert_eq!(
            document["paths"]["/texts"]["post"]["parameters"].as_array().unwrap().len(),
            1,
            "it declares the header"
        );
        document["paths"]["/texts"]["get"]["parameters"].clone()
    };
    let tenant =
        serde_json::json!([{"name": "x-tenant", "in": "header", "required": true, "schema": {"type": "string"}}]);
    assert_eq!((parameters(Mode::Enforce), parameters(Mode::Observe)), (tenant, Value::Null));
}

fn one_of(responses: &Value, status: &str) -> Vec<Value> {
    let errors = &responses[status]["content"]["application/json"]["schema"]["properties"]["error"]["oneOf"];
    errors.as_array().unwrap().clone()
}

#[derive(Debug, thiserror::Error, AsFault)]
#[error("taken")]
#[fault(CONFLICT, details(seat))]
struct Taken {
    seat: u8,
}

#[utoipa::path(post, path = "/seats", request_body = String, responses((status = 201, description = "Yours."), Taken))]
#[allow(dead_code, reason = "the document alone is asked")]
async fn reserve() {}

#[derive(OpenApi)]
#[openapi(paths(reserve))]
struct Hall;

#[test]
fn a_code_of_another_layer_and_of_a_variant_has_the_details_of_the_variant_or_none() {
    let mut document = Hall::openapi();
    let added = PolicyResponses::new(Policy::default()).also([ErrorCode::CONFLICT]);
    added.modify(&mut document);
    let once = serde_json::to_value(&document).unwrap();
    added.modify(&mut document);
    let document = serde_json::to_value(&document).unwrap();
    assert!(document == once, "a second time changes nothing");
    let [conflict] = &one_of(&document["paths"]["/seats"]["post"]["responses"], "409")[..] else {
        panic!("{document:#}")
    };
    assert_eq!(conflict["properties"]["details"]["properties"]["seat"]["type"], "integer");
    assert_eq!(conflict["required"], serde_json::json!(["code", "message"]));
}

#[test]
#[should_panic(expected = "POST /seats: the code \"Seat taken\": a code has the form")]
fn a_code_that_no_service_can_have_is_refused() {
    let mut document = Hall::openapi();
    let operation = document.paths.paths.get_mut("/seats").and_then(|item| item.post.as_mut()).unwrap();
    let Some(RefOr::T(conflict)) = operation.responses.responses.get_mut("409") else { panic!("it has no 409") };
    let content = conflict.extensions.as_mut().and_then(|members| members.get_mut("content")).unwrap();
    *content = serde_json::from_str(&content.to_string().replace("\"conflict\"", "\"Seat taken\"")).unwrap();
    PolicyResponses::new(Policy::default()).modify(&mut document);
}
