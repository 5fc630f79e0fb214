//! Checks the envelopes of a framework's texts. Proptest and the fuzz target `words` provide the bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use error_envelope_core::session::{BodyFacts, ResponseStep, Session, SessionConfig};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::value::RawValue;
use tower_error_envelope::policy::Protocols;
use tower_error_envelope::{Policy, RequestId};

/// Names of members that are read, or that look like those.
#[allow(dead_code, reason = "the fuzz target has a dictionary")]
pub(crate) const NAMES: &[&str] = &[
    "errors",
    "issues",
    "details",
    "detail",
    "violations",
    "extra",
    "validation",
    "message",
    "error",
    "fieldErrors",
    "formErrors",
    "invalid-params",
    "parameterViolations",
    "propertyViolations",
    "_embedded",
    "_links",
    "_errors",
    "non_field_errors",
    "properties",
    "items",
    "path",
    "param",
    "loc",
    "msg",
    "type",
    "code",
    "field",
    "key",
    "source",
    "pointer",
    "property",
    "constraints",
    "children",
    "instancePath",
    "params",
    "missingProperty",
    "keys",
    "name",
    "statusCode",
    "status_code",
    "status",
    "brief",
    "cause",
    "title",
    "jsonrpc",
    "success",
    "request_id",
    "__proto__",
    "params",
    "data",
    "fields",
    "description",
    "location",
    "target",
    "members",
    "instancePath",
    "value",
    "keep",
    "0",
];

const SECRET: &str = "s3cret";

/// Texts of frameworks about a value: as text, then as JSON. `%d` is the value as Rust's `{:?}` writes it, `%v` is the
/// plain value, and `%j` is the value inside a JSON string.
const TEXTS: [&str; 18] = [
    "Failed to deserialize the JSON body into the target type: a[0]: invalid type: string %d, expected u32 at line 1 column 9",
    "Failed to deserialize the JSON body into the target type: a: unknown variant `%v`, expected `b` or `c` at line 1 column 9",
    "Failed to deserialize the JSON body into the target type: invalid value: string %d, expected struct B at line 1 column 9",
    "Failed to deserialize query string: a: invalid value: string %d, expected a date",
    "Failed to deserialize form body: a: unknown variant `%v`, there are no variants",
    "Invalid URL: Cannot parse `id` with value `%v` to a `u32`",
    "Invalid URL: Cannot parse `%v` to a `u32`",
    "Json deserialize error: invalid type: string %d, expected u32 at line 1 column 9",
    "Path deserialize error: can not parse %d to a u32",
    "Request body deserialize error: invalid type: string %d, expected u32 at line 1 column 9",
    "parse error: invalid type: string %d, expected u32 at line 1 column 9",
    "serde json error: a: no such thing %d here at line 1 column 9",
    "unable to parse JSON body: a[0]: invalid type: string %d, expected struct B at line 1 column 9",
    "a[0].b: Validation error: length [{\"value\": String(%d), \"min\": Number(9)}]",
    "strconv.ParseInt: parsing %d: invalid syntax",
    "a[0].b must be a `number` type, but the final value was: `NaN` (cast from the value `%d`).",
    "'%v' is not of type 'integer' - 'a.0.b'",
    "1 validation error for B\na.0.b\n  Input should be a valid integer [type=int_parsing, input_value=%d, input_type=str]",
];
const BODIES: [&str; 21] = [
    r#"{"errors":[{"type":"field","value":"%j","msg":"Odd: \"%j\"","path":"a[0].b","location":"body"}]}"#,
    r#"{"errors":[{"value":"%j","msg":"Odd","param":"a"}]}"#,
    r#"{"errors":{"a":{"value":"%j","msg":"Odd","path":"a"}}}"#,
    r#"{"message":"\"a\" with value \"%j\" fails to match /b/","details":[{"message":"\"a\" with value \"%j\" fails to match /b/","path":["a"],"type":"string.pattern.base","context":{"value":"%j"}}]}"#,
    r#"[{"received":"%j","code":"invalid_enum_value","path":["a"],"message":"Expected 'b', received '%j'"}]"#,
    r#"{"success":false,"error":{"name":"ZodError","issues":[{"input":"%j","code":"c","path":["a"],"message":"Odd"}]}}"#,
    r#"{"detail":[{"loc":["body","a"],"msg":"Odd","type":"t","input":"%j","ctx":{"v":"%j"}}]}"#,
    r#"{"a":["\"%j\" is not a valid choice."]}"#,
    r#"{"a":{"0":["“%j” value must be an integer."]}}"#,
    r#"{"status_code":400,"detail":"Validation failed for GET /a?b=%j","extra":[{"message":"Invalid enum value '%j'","key":"a"}]}"#,
    r#"{"errors":[{"field":"a","defaultMessage":"Failed to convert; For input string: \"%j\"","rejectedValue":"%j"}]}"#,
    r#"{"parameterViolations":[{"path":"a.b","message":"Odd","value":"%j"}]}"#,
    r#"[{"path":"a.b","message":"Odd","invalidValue":"%j"}]"#,
    r#"{"message":"Bad Request","_embedded":{"errors":[{"message":"Failed to convert argument [a] for value [%j] due to: %j"}]}}"#,
    r#"{"statusCode":400,"message":[{"target":{"a":"%j"},"value":"%j","property":"a","children":[],"constraints":{"b":"Odd"}}]}"#,
    r#"{"errors":{"a":["The value '%j' is not valid for A."]}}"#,
    r#"{"title":"Bad","status":400,"violations":[{"propertyPath":"[a][0]","title":"Odd.","parameters":{"{{ value }}":"%j"}}]}"#,
    r#"[{"propertyName":"A[0].B","errorMessage":"‘%j’ is odd.","attemptedValue":"%j","errorCode":"c"}]"#,
    r#"{"validation_error":{"body_params":[{"loc":["a",1],"msg":"Odd","type":"t","input":"%j"}]}}"#,
    r#"{"error":{"message":"Bad","details":{"errors":[{"path":"a.0","message":"«%j» is odd","value":"%j"}]}}}"#,
    r#"{"message":"Bad","errors":{"a.0":"'%j' is not of type 'integer'"}}"#,
];

/// Checks a sentence that quotes a value. The secret in the value must not appear.
pub(crate) fn check_quoted(template: u8, value: &str) {
    // For a parameter without a name and this value, axum writes the same text as for a parameter with a name.
    if value.contains("` with value `") {
        return;
    }
    let value = format!("{SECRET}{value}{SECRET}");
    let template = usize::from(template) % (TEXTS.len() + BODIES.len());
    let json = serde_json::to_string(&value).expect("a text is JSON");
    let (media_type, body) = match TEXTS.get(template) {
        // Only one of the two is replaced, because a value may contain the other placeholder.
        Some(text) if text.contains("%d") => ("text/plain", text.replace("%d", &format!("{value:?}"))),
        Some(text) => ("text/plain", text.replace("%v", &value)),
        None => ("application/json", BODIES[template - TEXTS.len()].replace("%j", &json[1..json.len() - 1])),
    };
    let envelope = envelope_of(StatusCode::BAD_REQUEST, media_type, body.as_bytes());
    assert!(!envelope.contains(SECRET), "{body}\n{envelope}");
}

/// Checks a text after the beginning of a framework's text.
pub(crate) fn check_begun(row: u8, text: &str) {
    let sentence = TEXTS[usize::from(row) % TEXTS.len()];
    let begins = sentence.split(": ").next().unwrap_or_default();
    check(row, "text/plain", format!("{begins}: {text}").as_bytes());
}

/// Checks any body of a 400 or 422, or of another status.
pub(crate) fn check(status: u8, media_type: &'static str, body: &[u8]) {
    let status =
        [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY, StatusCode::CONFLICT][usize::from(status) % 3];
    envelope_of(status, media_type, body);
}

/// Returns the envelope. It must be well-formed, and the same when another layer reads it (E1, E7, E8).
fn envelope_of(status: StatusCode, media_type: &'static str, body: &[u8]) -> String {
    let policy = Policy::builder().keep_fields(["keep"]).protocols(Protocols::Rewrite).build();
    let policy = Arc::new(policy.expect("a policy"));
    let once = rewritten(&policy, status, media_type, body);
    let Some(once) = once else { return String::new() };
    let error = members(&once).and_then(|all| members(all["error"].get())).unwrap_or_else(|| panic!("{once}"));
    let message: String =
        serde_json::from_str(error["message"].get()).unwrap_or_else(|error| panic!("{error}: {once}"));
    assert!((1..=1024).contains(&message.len()) && !message.contains(char::is_control), "{once}");
    if error["code"].get() == "\"invalid_request\"" && !is_envelope(body) {
        let details = error.get("details").unwrap_or_else(|| panic!("no details: {once}"));
        // The layer keeps bytes (E1) that the grammar allows and a value cannot hold: a lone surrogate, or a number
        // that is too large.
        if let Ok(details) = serde_json::from_str(details.get()) {
            assert_issues(&details, &once);
        }
    }
    assert_eq!(rewritten(&policy, status, "application/json", once.as_bytes()).as_deref(), Some(&*once));
    once
}

fn assert_issues(details: &serde_json::Value, once: &str) {
    let issues = details["issues"].as_array().unwrap_or_else(|| panic!("no issues: {once}"));
    assert!(!issues.is_empty(), "{once}");
    for issue in issues {
        let path = issue["path"].as_array().unwrap_or_else(|| panic!("no path: {once}"));
        assert!(path.iter().all(|step| step.is_string() || step.is_u64()), "{once}");
        assert!(issue["message"].as_str().is_some_and(|message| !message.is_empty()), "{once}");
    }
}

/// Returns true if the body came as an envelope, whose details stay unchanged (E8).
fn is_envelope(body: &[u8]) -> bool {
    let Some(all) = str::from_utf8(body).ok().and_then(members) else { return false };
    let Some(error) = all.get("error").and_then(|error| members(error.get())) else { return false };
    all.contains_key("request_id") && error.contains_key("code") && error.contains_key("message")
}

/// Returns the members of an object. Of members with the same name, the last one counts.
fn members(json: &str) -> Option<BTreeMap<String, &RawValue>> {
    serde_json::from_str(json).ok()
}

/// Returns the rewritten body, or `None` if a protocol keeps its own shape (R10).
fn rewritten(policy: &Arc<Policy>, status: StatusCode, media_type: &'static str, body: &[u8]) -> Option<String> {
    let (mut request, ()) = Request::new(()).into_parts();
    let config = SessionConfig::new(policy.clone(), || std::time::UNIX_EPOCH);
    let id = || "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D".parse::<RequestId>().expect("an id");
    let ended = BodyFacts { ended: true, ..BodyFacts::default() };
    let (mut session, _) = Session::begin(Arc::new(config), &mut request, ended, id);
    let (mut head, ()) = Response::new(()).into_parts();
    head.status = status;
    head.headers.insert("content-type", HeaderValue::from_static(media_type));
    match session.respond_whole(&mut head, &Bytes::copy_from_slice(body)) {
        ResponseStep::Write(written) => Some(String::from_utf8(written.body.to_vec()).expect("UTF-8")),
        ResponseStep::Resume(..) => None,
        step => panic!("{step:?}"),
    }
}
