//! Tests that aide documents an operation as utoipa does: with the errors of its handler, and those of the policy.

use aide::axum::ApiRouter;
use aide::axum::routing::post;
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
    assert_eq!(statuses, ["400", "409", "413", "415", "422", "431", "500", "default"]);
    let errors = &aides["responses"]["409"]["content"]["application/json"]["schema"]["properties"]["error"]["oneOf"];
    assert_eq!(errors[1]["properties"]["code"]["const"], "price_changed");
    assert_eq!(aides["parameters"][0]["name"], "x-tenant");

    let once = by_aide.clone();
    responses.complete_aide(&mut by_aide);
    assert_eq!(by_aide, once, "a second time changes nothing");
}
