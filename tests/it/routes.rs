//! Which guards hold for which spelling of which path (rule G0), asked of the exchange itself.

use std::sync::Arc;

use http::{Method, Request};
use tower_error_envelope::Policy;
use tower_error_envelope::exchange::{Admission, BodyFacts, Exchange};

const POLICY: &str = r#"
version = 1
[defaults]
body_limit = 1000
[header.tenant]
name = "x-tenant"
missing = "no tenant"
[header.key]
name = "x-key"
missing = "no key"

[[route]]
match = "/t/{*rest}"
require_headers = ["tenant"]
body_limit = 10
[[route]]
match = "POST /t/{id}"
json = true
[[route]]
match = "GET /t/open"
require_headers = []
[[route]]
match = "/t/open/{*rest}"
require_headers = []
body_limit = 20
[[route]]
match = "/keys/{*rest}"
require_headers = ["key"]
[[route]]
match = "/off/{*rest}"
mode = "off"
[[route]]
match = "GET /g"
require_headers = ["key"]
[[route]]
match = "HEAD /g"
require_headers = ["tenant"]
"#;

/// What becomes of a request with so many bytes of text and none of the headers that routes ask for.
fn outcome(request: &str, length: u64) -> String {
    let policy = Policy::from_toml("policy.toml", POLICY).expect("a policy");
    let (method, target) = request.split_once(' ').expect("a method and a target");
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let request = Request::builder().method(method).uri(target).header("content-type", "text/plain");
    let (mut head, ()) = request.body(()).expect("a request").into_parts();
    let body = BodyFacts { ended: length == 0, lower: length, upper: Some(length) };
    let id = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D".parse().expect("an id");
    match Exchange::begin(Arc::new(policy), &mut head, body, || id) {
        Admission::Forward(..) => "forward".to_owned(),
        Admission::Answer(answered) => {
            let body: serde_json::Value = serde_json::from_slice(answered.reply.body()).unwrap_or_default();
            let told = &body["error"];
            let limit = told["details"]["limit_bytes"].as_u64().map(|limit| format!(" {limit}")).unwrap_or_default();
            let message = told["message"].as_str().unwrap_or_default();
            let route = answered.event.route().unwrap_or("no route");
            format!("{} {message}{limit} | {route}", answered.reply.status().as_u16())
        }
        Admission::Peek(..) => "peek".to_owned(),
    }
}

fn assert_outcomes(rows: &[(&str, u64, &str)]) {
    for (request, length, expected) in rows {
        assert_eq!(outcome(request, *length), *expected, "{request} with {length} bytes");
    }
}

#[test]
fn g0_the_most_specific_route_that_says_a_key_decides_it() {
    assert_outcomes(&[
        ("GET /x", 1000, "forward"),
        ("GET /x", 1001, "413 The request body is too large. 1000 | no route"),
        ("GET /t", 0, "400 no tenant | /t/{*rest}"),
        ("GET /t/a/b", 0, "400 no tenant | /t/{*rest}"),
        ("POST /t/a", 1, "400 no tenant | POST /t/{id}"),
        ("GET /t/open", 20, "forward"),
        ("GET /t/open", 21, "413 The request body is too large. 20 | GET /t/open"),
        ("GET /t/open/x", 20, "forward"),
        ("GET /t/open/x", 21, "413 The request body is too large. 20 | /t/open/{*rest}"),
        ("POST /t/open", 0, "forward"),
        ("POST /t/open", 1, "415 Content-Type must be application/json. | /t/open/{*rest}"),
        ("GET /T/a", 0, "forward"),
        ("GET /tt", 0, "forward"),
    ]);
}

#[test]
fn g0_get_covers_head_and_a_written_head_goes_before_it() {
    assert_outcomes(&[
        ("GET /g", 0, "400 no key | GET /g"),
        ("HEAD /g", 0, "400  | HEAD /g"),
        ("POST /g", 0, "forward"),
        ("HEAD /t/open", 0, "forward"),
    ]);
}

#[test]
fn g0_the_guards_of_both_spellings_hold() {
    assert_outcomes(&[
        ("GET /%74/a", 0, "400 no tenant | /t/{*rest}"),
        ("GET /x/../t/a", 0, "400 no tenant | /t/{*rest}"),
        ("GET //t//a/", 0, "400 no tenant | /t/{*rest}"),
        ("GET /x%2f..%2Ft/a", 0, "400 no tenant | /t/{*rest}"),
        ("GET /x\\..\\t\\a", 0, "400 no tenant | /t/{*rest}"),
        ("GET /t/../keys/a", 0, "400 no tenant | /keys/{*rest}"),
        ("GET /keys/../t/a", 0, "400 no key | /t/{*rest}"),
        ("GET /t/open/../../x", 21, "413 The request body is too large. 20 | no route"),
        ("GET /off/../t/a", 0, "400 no tenant | /t/{*rest}"),
        ("GET /t/../off/a", 0, "400 no tenant | /off/{*rest}"),
        ("GET /off/./a", 5000, "forward"),
        ("GET /x/%2e/a%2Fb", 0, "forward"),
    ]);
}

#[test]
fn g0_what_is_no_path_has_the_defaults() {
    assert_outcomes(&[
        ("OPTIONS *", 0, "forward"),
        ("CONNECT example.com:443", 0, "forward"),
        ("GET http://example.com/t/a", 0, "400 no tenant | /t/{*rest}"),
        ("GET /?x=/t/a", 0, "forward"),
    ]);
}
