//! Tests that the OpenAPI document describes the details of each code, by the schemas of the variant's fields.

use std::borrow::Cow;

use aide::OperationOutput;
use aide::openapi::Operation;
use error_envelope_fault::AsFault;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{IntoResponses, ToSchema};

#[derive(Debug, Serialize, ToSchema)]
struct Seat {
    row: u16,
    kind: Kind,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "only the generated document is used")]
enum Kind {
    Window,
}

/// utoipa has no schema for this type.
#[derive(Debug, Serialize)]
struct Foreign;

#[derive(Debug, Serialize, ToSchema)]
struct Tree {
    #[schema(no_recursion)]
    branches: Vec<Tree>,
}

#[derive(Debug, thiserror::Error, AsFault)]
#[allow(dead_code, reason = "only the generated document is used")]
enum HallError {
    #[error("taken")]
    #[fault(custom("seat_taken", 409), details(seats, next, why, reason, raw))]
    Taken { seats: Vec<Seat>, next: Option<Seat>, why: Cow<'static, str>, reason: &'static str, raw: Value },
    #[error("closed")]
    #[fault(custom("hall_closed", 409), details(0 = "until"))]
    Closed(Option<u32>),
    #[error(transparent)]
    #[fault(transparent)]
    Price(#[from] PriceError),
}

#[derive(Debug, thiserror::Error, AsFault)]
#[error("dearer")]
#[fault(custom("dearer", 409), details(cents))]
struct PriceError {
    cents: u64,
}

fn one_of(responses: &Value, status: &str) -> Vec<Value> {
    let errors = &responses[status]["content"]["application/json"]["schema"]["properties"]["error"]["oneOf"];
    errors.as_array().unwrap().clone()
}

#[test]
fn each_code_has_the_details_of_its_variant_those_of_nested_errors_included() {
    let responses = serde_json::to_value(HallError::responses()).unwrap();
    let [taken, closed, dearer] = &one_of(&responses, "409")[..] else { panic!("{responses:#}") };
    let code = |error: &Value| error["properties"]["code"]["const"].clone();
    assert_eq!([code(taken), code(closed), code(dearer)], ["seat_taken", "hall_closed", "dearer"]);
    let details = &taken["properties"]["details"];
    assert_eq!(details["required"], json!(["seats", "why", "reason"]), "a field that may be null may be absent");
    let properties = &details["properties"];
    let seat = &properties["seats"]["items"];
    assert_eq!(seat["properties"]["kind"]["enum"], json!(["window"]), "{seat:#}");
    assert_eq!(&properties["next"], seat, "an absent field is never null");
    assert_eq!((&properties["why"]["type"], &properties["reason"]["type"]), (&json!("string"), &json!("string")));
    assert_eq!(taken["required"], json!(["code", "message", "details"]));
    assert_eq!(closed["required"], json!(["code", "message"]), "details without any field are left out");
    assert_eq!(closed["properties"]["details"]["properties"]["until"]["type"], "integer");
}

#[derive(Debug, thiserror::Error, AsFault)]
#[allow(dead_code, reason = "only the generated document is used")]
enum Ambiguous {
    #[error("a")]
    #[fault(CONFLICT, details(left))]
    Sold { left: u32 },
    #[error("b")]
    #[fault(CONFLICT, details(left))]
    Closed { left: String },
}

#[test]
#[should_panic(expected = "Ambiguous::Sold and Ambiguous::Closed have the code conflict and different details")]
fn two_variants_with_one_code_and_different_details_are_refused() {
    Ambiguous::responses();
}

#[derive(Debug, thiserror::Error, AsFault)]
#[allow(dead_code, reason = "only the generated document is used")]
enum WithoutSchema {
    #[error("a")]
    #[fault(CONFLICT, details(it))]
    Variant { it: Foreign },
}

#[test]
#[should_panic(expected = "WithoutSchema::Variant: the type of the detail it has no schema")]
fn details_of_a_type_without_a_schema_are_refused() {
    WithoutSchema::responses();
}

#[derive(Debug, thiserror::Error, AsFault)]
#[error("a")]
#[fault(CONFLICT, details(tree))]
#[allow(dead_code, reason = "only the generated document is used")]
struct Endless {
    tree: Tree,
}

#[test]
#[should_panic(expected = "Endless: the type of the detail tree has no schema, or contains itself")]
fn details_of_a_type_that_contains_itself_are_refused() {
    Endless::responses();
}

#[derive(Debug, Serialize, JsonSchema)]
struct Wall {
    colour: Colour,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "only the generated document is used")]
enum Colour {
    Red,
}

#[derive(Debug, thiserror::Error, AsFault)]
#[error("painted")]
#[fault(CONFLICT, details(walls, door))]
#[allow(dead_code, reason = "only the generated document is used")]
struct Painted {
    walls: Vec<Wall>,
    door: Option<Colour>,
}

#[test]
fn details_may_have_schemas_of_schemars_alone() {
    let responses = serde_json::to_value(Painted::responses()).unwrap();
    let [painted] = &one_of(&responses, "409")[..] else { panic!("{responses:#}") };
    let details = &painted["properties"]["details"];
    let colour = json!({ "type": "string", "enum": ["red"] });
    assert_eq!(details["properties"]["walls"]["items"]["properties"]["colour"], colour);
    assert_eq!((&details["properties"]["door"], &details["required"]), (&colour, &json!(["walls"])));
    let by_aide = aide::generate::in_context(|context| Painted::inferred_responses(context, &mut Operation::default()));
    let by_aide: Vec<_> =
        by_aide.iter().map(|(status, it)| (*status, serde_json::to_value(&it.content).unwrap())).collect();
    assert_eq!(by_aide, [(Some(409), responses["409"]["content"].clone())]);
}

#[derive(Debug, thiserror::Error, AsFault)]
#[error("full")]
#[fault(CONFLICT, details(seat))]
struct Full<T: std::fmt::Debug + Serialize + ToSchema> {
    seat: T,
}

#[test]
fn a_generic_error_has_the_details_of_its_parameter() {
    let responses = serde_json::to_value(Full::<Option<u8>>::responses()).unwrap();
    let [full] = &one_of(&responses, "409")[..] else { panic!("{responses:#}") };
    assert_eq!(full["properties"]["details"]["properties"]["seat"]["type"], "integer");
    assert_eq!(full["required"], json!(["code", "message"]));
}
