use serde_json::{Value, json};

use super::{Diff, meaning, parsed};

fn export(codes: Value) -> super::Export {
    let text = json!({ "contract": "1", "unknown_code": { "retry": "backoff" }, "codes": codes });
    parsed(text.to_string().as_bytes()).unwrap()
}

fn code(changed: Value) -> Value {
    let mut code = json!({ "code": "a", "status": 404, "grpc": 5, "retry": "no", "group": "own", "message": "Gone." });
    for (name, value) in changed.as_object().unwrap() {
        code[name] = value.clone();
    }
    code
}

/// Checks which changes of a code break clients, and which do not.
#[test]
fn e2_a_client_breaks_by_what_it_acts_on() {
    let details = json!({ "details": { "type": "object" } });
    for (old, new, expected) in [
        (json!({}), json!({}), None),
        (json!({}), json!({ "group": "other" }), None),
        (json!({}), json!({ "message": "Left." }), Some((false, "keeps   a: message was \"Gone.\", is \"Left.\"\n"))),
        (json!({}), json!({ "status": 410 }), Some((true, "breaks  a: status was 404, is 410\n"))),
        (json!({}), json!({ "grpc": 9 }), Some((true, "breaks  a: grpc was 5, is 9\n"))),
        (json!({}), json!({ "retry": "backoff" }), Some((true, "breaks  a: retry was \"no\", is \"backoff\"\n"))),
        (json!({}), details.clone(), Some((false, "keeps   a: details is new: {\"type\":\"object\"}\n"))),
        (details.clone(), json!({}), Some((true, "breaks  a: details removed, was {\"type\":\"object\"}\n"))),
        (
            details,
            json!({ "details": { "type": "array" } }),
            Some((true, "breaks  a: details was {\"type\":\"object\"}, is {\"type\":\"array\"}\n")),
        ),
    ] {
        let diff = Diff::new(&export(json!([code(old)])), &export(json!([code(new)])));
        let lines: String = diff.0.iter().map(super::CatalogueChange::line).collect();
        assert_eq!((diff.breaks(), lines.as_str()), expected.unwrap_or((false, "")));
    }
}

#[test]
fn e2_a_code_may_come_and_may_not_go() {
    let (none, one) = (export(json!([])), export(json!([code(json!({}))])));
    let (came, went) = (Diff::new(&none, &one), Diff::new(&one, &none));
    assert_eq!(came.human(), "keeps   a: added, 404\n1 change: none breaks clients\n");
    assert_eq!(went.human(), "breaks  a: removed, was 404\n1 change: 1 would break clients\n");
}

#[test]
fn another_contract_breaks_clients() {
    let mut other = export(json!([]));
    other.contract = "2".to_owned();
    other.unknown_code.retry = "no".to_owned();
    let diff = Diff::new(&export(json!([])), &other);
    assert!(diff.breaks() && diff.0.len() == 2, "{}", diff.human());
}

#[test]
fn what_only_describes_a_schema_is_no_change() {
    let old = json!({ "type": "object", "title": "A", "required": ["b", "a"],
        "properties": { "title": { "type": "string", "description": "old" } }, "const": { "title": 1 } });
    let new = json!({ "type": "object", "description": "A", "required": ["a", "b"],
        "properties": { "title": { "type": "string" } }, "const": { "title": 1 } });
    assert_eq!(meaning(&old), meaning(&new));
    for (pointer, value) in [("/properties/title/type", json!("number")), ("/const/title", json!(2))] {
        let mut other = new.clone();
        *other.pointer_mut(pointer).unwrap() = value;
        assert_ne!(meaning(&old), meaning(&other), "{pointer}");
    }
}

#[test]
fn the_order_of_values_and_of_types_is_no_change() {
    let old = json!({ "type": ["string", "null"], "properties": { "enum": { "enum": ["a", 1, null] } } });
    let new = json!({ "type": ["null", "string"], "properties": { "enum": { "enum": [null, "a", 1] } } });
    assert_eq!(meaning(&old), meaning(&new));
    let other = json!({ "type": ["null", "string"], "properties": { "enum": { "enum": [null, "a", "1"] } } });
    assert_ne!(meaning(&old), meaning(&other));
    // The order of the elements in a value is significant.
    assert_ne!(meaning(&json!({ "const": [1, 2] })), meaning(&json!({ "const": [2, 1] })));
}
