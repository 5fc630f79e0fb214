//! Tests that no text of the service passes in a 5xx, in any protocol and under any media type (R3, R10).

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use proptest::prelude::*;
use serde_json::value::RawValue;
use tower_error_envelope::Policy;

use super::rewritten_for;

const TYPES: [&str; 9] = [
    "application/json",
    "application/graphql-response+json",
    "application/scim+json",
    "application/vnd.api+json; charset=latin1",
    "application/fhir+json;charset=utf-8",
    "application/soap+xml",
    "text/event-stream",
    "text/plain",
    "text/html",
];

/// Generates JSON with the secret wherever a string or a name can be.
fn value() -> impl Strategy<Value = String> {
    let secret =
        || prop::sample::select(vec![r#""s3cret-7""#, r#""pq: s3cret""#, r#""s3\u0063ret""#, r#""pq: \"s3cret\"""#]);
    let name = prop::sample::select(vec![
        r#""message""#,
        r#""detail""#,
        r#""errors""#,
        r#""error""#,
        r#""data""#,
        r#""extensions""#,
        r#""path""#,
        r#""json""#,
        r#""meta""#,
        r#""issue""#,
        r#""details""#,
        r#""text""#,
        r#""stack""#,
        r#""exception""#,
        r#""title""#,
        r#""s3cret""#,
        r#""s3\u0063ret""#,
        r#""a s3cret""#,
        r#""expression""#,
        r#""mess\u0061ge""#,
        r#""Message""#,
        r#""""#,
    ]);
    let leaf = prop_oneof![
        secret().prop_map(str::to_owned),
        Just("null".to_owned()),
        Just("-7.5e3".to_owned()),
        Just("true".to_owned())
    ];
    leaf.prop_recursive(6, 48, 6, move |inner| {
        let member = (name.clone(), inner.clone()).prop_map(|(name, value)| format!("{name} : {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|all| format!("[ {} ]", all.join(" ,\n"))),
            prop::collection::vec(member, 0..6).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    })
}

/// Returns bodies of each protocol with such a value.
fn bodies(value: &str) -> [String; 11] {
    [
        format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32603,"message":"s3cret","data":{value}}},"s3cret":1}}"#),
        format!(r#"[{{"jsonrpc":"2.0","id":1,"result":{value}}},{{"jsonrpc":"2.0","id":null,"error":{value}}}]"#),
        format!(
            r#"{{"error":{{"message":"s3cret","code":-32603,"data":{{"code":"X","httpStatus":500,"zod":{value}}}}}}}"#
        ),
        format!(
            r#"{{"json":{{"defined":true,"code":"X","status":500,"message":"s3cret","data":{value}}},"meta":{value}}}"#
        ),
        format!(r#"{{"errors":[{{"message":"s3cret","locations":{value},"extensions":{value}}}],"data":{value}}}"#),
        format!(
            r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":{value},"status":"500","x":{value}}}"#
        ),
        format!(r#"{{"resourceType":"OperationOutcome","issue":[{{"diagnostics":"s3cret","details":{value}}}]}}"#),
        format!(r#"{{"error":"invalid_grant","error_description":"s3cret","claims":{value}}}"#),
        format!("<e:Envelope xmlns:e='s3cret'><e:Body>{value}</e:Body></e:Envelope>"),
        format!("data: {}\n\n", value.replace('\n', " ")),
        value.to_owned(),
    ]
}

/// Returns a POST of a form, whose response may be an OAuth error.
fn request() -> Request<()> {
    let form = ("content-type", "application/x-www-form-urlencoded");
    Request::builder().method(Method::POST).header(form.0, form.1).body(()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn r10_no_text_of_a_5xx_passes_in_any_protocol(value in value(), media_type in prop::sample::select(&TYPES[..]), status in 500_u16..600) {
        let policy = Arc::new(Policy::default());
        for body in bodies(&value) {
            let inner = Response::builder().status(status).header("content-type", media_type);
            let once = rewritten_for(&policy, request(), &inner.body(Bytes::from(body.clone())).unwrap());
            let text = String::from_utf8(once.body().to_vec()).unwrap();
            prop_assert!(!text.contains("s3cret") && !text.contains("s3\\u"), "{} of {}", text, body);
            prop_assert!(text.starts_with('<') || serde_json::from_str::<&RawValue>(&text).is_ok(), "{} of {}", text, body);
            let head = once.headers();
            prop_assert!(head.contains_key("x-error-code") && head["x-content-type-options"] == "nosniff");
            prop_assert!(head["cache-control"] == "no-store" && head["content-length"] == text.len().to_string());
            let twice = rewritten_for(&policy, request(), &once);
            prop_assert_eq!(twice.body(), once.body(), "twice, of {}", body);
            prop_assert_eq!(&twice.headers()["x-error-code"], &head["x-error-code"]);
        }
    }
}
