//! Tests that aide documents an operation as utoipa does: with the errors of its handler, and those of the policy.

use aide::axum::ApiRouter;
use aide::axum::routing::{get, post};
use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_error_envelope::extract as checked;
use tower_error_envelope::openapi::PolicyResponses;
use tower_error_envelope::policy::RequiredHeader;
use tower_error_envelope::{AsFault, Fault, Policy, RequestId, RouteRule};
use utoipa::{Modify, OpenApi, ToSchema};

#[derive(Debug, thiserror::Error, AsFault)]
enum OrderError {
    #[error("sold out")]
    #[fault(custom("sold_out", 409), message = "Only {left} left.", details(left))]
    SoldOut { left: u32 },
    #[error("other prices")]
    #[fault(custom("price_changed", 409), details(offers))]
    PriceChanged { offers: Vec<Offer> },
    #[error("no such product")]
    #[fault(with = |_: &std::fmt::Error| Fault::new(tower_error_envelope::ErrorCode::NOT_FOUND))]
    Unknown(std::fmt::Error),
}

#[derive(Debug, Serialize, JsonSchema, ToSchema)]
struct Offer {
    cents: u32,
}

#[derive(Deserialize, JsonSchema, ToSchema)]
struct Order {
    quantity: u32,
}

#[utoipa::path(post, path = "/orders", request_body = Order, responses((status = 200, description = "It.", body = u32), OrderError))]
async fn place(_: RequestId, checked::Json(order): checked::Json<Order>) -> Result<Json<u32>, OrderError> {
    match order.quantity {
        0 => Err(OrderError::Unknown(std::fmt::Error)),
        1 => Ok(Json(1)),
        2 => Err(OrderError::SoldOut { left: 1 }),
        _ => Err(OrderError::PriceChanged { offers: vec![Offer { cents: 100 }] }),
    }
}

#[derive(Deserialize, JsonSchema, garde::Validate, validator::Validate)]
struct Page {
    #[garde(range(max = 100))]
    #[validate(range(max = 100))]
    size: u32,
}

async fn list(
    checked::Valid(checked::Query(page)): checked::Valid<checked::Query<Page>>,
) -> Result<Json<u32>, OrderError> {
    Ok(Json(page.size))
}

async fn find(checked::Garde(checked::Query(page)): checked::Garde<checked::Query<Page>>) -> Result<Json<u32>, Fault> {
    Ok(Json(page.size))
}

async fn unchecked(checked::Query(page): checked::Query<Page>) -> Result<checked::Json<u32>, Fault> {
    Ok(checked::Json(page.size))
}

/// schemars writes the schema of any value as `true`, which aide cannot read.
async fn any_value() -> Result<checked::Json<Value>, OrderError> {
    Ok(checked::Json(Value::Null))
}

async fn by_path(checked::Path(id): checked::Path<u32>) -> Result<checked::Json<u32>, OrderError> {
    Ok(checked::Json(id))
}

#[derive(OpenApi)]
#[openapi(paths(place))]
struct ByUtoipa;

fn policy() -> Policy {
    let policy = Policy::builder().header("tenant", RequiredHeader::new("x-tenant"));
    policy.route(RouteRule::new("POST /orders").json(true).require_headers(["tenant"])).build().unwrap()
}

/// Returns the errors and the headers of the operation, without defaults: aide writes some of these, and utoipa others.
fn operation(document: &impl Serialize) -> Value {
    let mut operation = serde_json::to_value(document).unwrap()["paths"]["/orders"]["post"].take();
    let (mut responses, mut parameters) = (operation["responses"].take(), operation["parameters"].take());
    let responses = responses.as_object_mut().unwrap();
    responses.retain(|status, _| status != "200");
    let headers = responses.values_mut().filter_map(|it| it["headers"].as_object_mut()).flat_map(|it| it.values_mut());
    for header in headers.chain(parameters.as_array_mut().unwrap()) {
        header.as_object_mut().unwrap().retain(|key, value| key != "style" && *value != false);
    }
    serde_json::json!({ "responses": responses, "parameters": parameters })
}

#[test]
fn aide_documents_the_errors_that_utoipa_does() {
    let mut by_aide = aide::openapi::OpenApi::default();
    let _: axum::Router = ApiRouter::new().api_route("/orders", post(place)).finish_api(&mut by_aide);
    let mut by_utoipa = ByUtoipa::openapi();
    let responses = PolicyResponses::new(policy());
    responses.complete_aide(&mut by_aide);
    responses.modify(&mut by_utoipa);

    let (aides, utoipas) = (operation(&by_aide), operation(&by_utoipa));
    assert_eq!(aides, utoipas, "{}", serde_json::to_string_pretty(&by_aide).unwrap());
    let statuses: Vec<_> = aides["responses"].as_object().unwrap().keys().collect();
    assert_eq!(statuses, ["400", "409", "413", "415", "422", "500", "default"]);
    let errors = &aides["responses"]["409"]["content"]["application/json"]["schema"]["properties"]["error"]["oneOf"];
    assert_eq!(errors[1]["properties"]["code"]["const"], "price_changed");
    assert_eq!(aides["parameters"][0]["name"], "x-tenant");

    let once = by_aide.clone();
    responses.complete_aide(&mut by_aide);
    assert_eq!(by_aide, once, "a second time changes nothing");
}

#[test]
fn a_validator_adds_its_status_to_parameters() {
    let mut document = aide::openapi::OpenApi::default();
    let app = ApiRouter::new().api_route("/valid", get(list)).api_route("/garde", get(find));
    let _: axum::Router = app
        .api_route("/unchecked", get(unchecked))
        .api_route("/a/{id}", get(by_path))
        .api_route("/any", get(any_value))
        .finish_api(&mut document);
    let responses =
        PolicyResponses::new(Policy::default()).operation("GET /garde", [tower_error_envelope::ErrorCode::GONE]);
    responses.complete_aide(&mut document);
    let document = serde_json::to_value(&document).unwrap();
    let statuses = |path: &str| {
        let keys: Vec<_> = document["paths"][path]["get"]["responses"].as_object().unwrap().keys().cloned().collect();
        keys
    };
    assert_eq!(statuses("/valid"), ["200", "400", "409", "422", "500", "default"]);
    assert_eq!(statuses("/garde"), ["200", "400", "410", "422", "500"]);
    assert_eq!(statuses("/unchecked"), ["200", "400", "500", "default"]);
    let media = |path: &str, status: &str| {
        let response = &document["paths"][path]["get"]["responses"][status];
        let response = response["$ref"].as_str().map_or(response, |at| document.pointer(&at[1..]).unwrap());
        &response["content"]["application/json"]
    };
    assert_eq!(media("/unchecked", "200")["schema"], media("/valid", "200")["schema"]);
    assert_eq!(media("/any", "200")["schema"], true);
    for (path, status) in [("/a/{id}", "400"), ("/valid", "422"), ("/garde", "422")] {
        assert!(media(path, status)["examples"]["invalid_request"].is_object(), "{path}: {document}");
    }
    assert!(!document.to_string().contains("x-error-envelope-validated"));
}
