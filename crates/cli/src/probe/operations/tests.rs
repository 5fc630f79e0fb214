use error_envelope_core::openapi::Document;
use http::StatusCode;
use serde_json::{Value, json};

use super::declared::undeclared;
use super::sample::Sampling;
use super::target;

fn document() -> Value {
    let code = |codes: Value| {
        json!({ "content": { "application/json": { "schema": { "properties": {
        "error": { "oneOf": [{ "properties": { "code": codes } }] } } } } } })
    };
    json!({
        "openapi": "3.1.0",
        "servers": [{ "url": "https://api.example.com/v1/" }],
        "paths": { "/a/{id}/{name}": {
            "parameters": [
                { "in": "path", "name": "id", "schema": { "type": ["null", "integer"], "maximum": 99 } },
                { "$ref": "#/components/parameters/q" },
            ],
            "get": {
                "parameters": [{ "in": "path", "name": "name", "schema": { "$ref": "#/components/schemas/loop" }, "example": "ü/?" }],
                "responses": {
                    "200": {},
                    "404": code(json!({ "enum": ["not_found"] })),
                    "409": code(json!({ "$ref": "#/components/schemas/wide" })),
                    "410": code(json!({ "type": "string" })),
                    "5xx": code(json!({ "anyOf": [{ "const": "internal_error" }, { "const": "other" }] })),
                },
            },
        } },
        "components": {
            "parameters": { "q": { "in": "query", "name": "q", "required": true, "schema": { "enum": ["a b"] } } },
            "schemas": {
                "loop": { "$ref": "#/components/schemas/loop" },
                "wide": { "anyOf": vec![json!({ "$ref": "#/components/schemas/wide" }); 40] },
            },
        },
    })
}

#[test]
fn parameters_have_values_of_their_types_and_nothing_can_make_it_endless() {
    let document = document();
    let operations = Document(&document).operations();
    let [operation] = &operations[..] else { panic!("{operations:?}") };
    let parameters = operation.parameters();
    for (sampling, path) in [
        (Sampling::Nonexistent, "/v1/a/99/error-envelope-probe?q=a%20b"),
        (Sampling::Untyped, "/v1/a/error-envelope-probe/error-envelope-probe?q=error-envelope-probe"),
        (Sampling::Example, "/v1/a/1/%C3%BC%2F%3F?q=a%20b"),
    ] {
        assert_eq!(target(operation, &parameters, sampling), path);
    }
}

#[test]
fn a_status_and_a_code_are_declared_or_named() {
    let document = document();
    let operations = Document(&document).operations();
    let wrong = |status: u16, code| {
        let finding = undeclared(&operations[0], StatusCode::from_u16(status).unwrap(), code);
        finding.map(|finding| finding.wrong)
    };
    for (status, code) in [
        (200, None),
        (404, Some("not_found")),
        // A circle of references, and a schema that takes any text, list no codes.
        (409, Some("conflict")),
        (410, Some("gone")),
        (502, Some("other")),
        (404, None),
    ] {
        assert_eq!(wrong(status, code), None, "{status} {code:?}");
    }
    assert_eq!(
        wrong(404, Some("gone")).as_deref(),
        Some("the code \"gone\" is not declared for 404; declared: not_found")
    );
    assert_eq!(
        wrong(500, Some("x")).as_deref(),
        Some("the code \"x\" is not declared for 500; declared: internal_error, other")
    );
    assert_eq!(wrong(401, None).as_deref(), Some("the status 401 is not declared; declared: 200, 404, 409, 410, 5xx"));
}
