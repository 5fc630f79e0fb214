//! Tests which guards apply to which spelling of a path (rule G0), by calls of the session itself.

pub(crate) mod slips;

use std::sync::Arc;

use error_envelope_core::session::{BodyFacts, RequestStep, Session, SessionConfig};
use http::{Method, Request};
use proptest::prelude::*;
use tower_error_envelope::Policy;
use tower_error_envelope::policy::{PolicyBuilder, RequiredHeader, Scope};

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

/// Returns the outcome of a request with a text body of this length, and without the headers that routes require.
fn outcome(request: &str, length: u64) -> String {
    let policy = Policy::from_toml("policy.toml", POLICY).expect("a policy");
    let (method, target) = request.split_once(' ').expect("a method and a target");
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let request = Request::builder().method(method).uri(target).header("content-type", "text/plain");
    let (mut head, ()) = request.body(()).expect("a request").into_parts();
    let body = BodyFacts { ended: length == 0, lower: length, upper: Some(length) };
    let id = "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D".parse().expect("an id");
    let config = SessionConfig::new(policy, || std::time::UNIX_EPOCH);
    match Session::begin(Arc::new(config), &mut head, body, || id).1 {
        RequestStep::Forward(..) => "forward".to_owned(),
        RequestStep::Send(answered) => {
            let body: serde_json::Value = serde_json::from_slice(answered.reply.body()).unwrap_or_default();
            let error = &body["error"];
            let limit = error["details"]["limit_bytes"].as_u64().map(|limit| format!(" {limit}")).unwrap_or_default();
            let message = error["message"].as_str().unwrap_or_default();
            let route = answered.record.route().unwrap_or("no route");
            format!("{} {message}{limit} | {route}", answered.reply.status().as_u16())
        }
        RequestStep::Peek(_) => "peek".to_owned(),
        RequestStep::Verify(_) => "verify".to_owned(),
        RequestStep::Broken => "broken".to_owned(),
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
        ("GET /T/a", 0, "400 no tenant | no route"),
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn g0_no_spelling_of_path_or_host_slips_past_a_closed_route(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
        slips::check(&bytes);
    }

    #[test]
    fn g0_a_closed_path_is_closed_in_every_spelling(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        slips::check_respelt(&bytes);
    }
}

#[test]
fn g0_of_two_scopes_that_share_a_host_the_narrower_one_speaks_whichever_is_read_first() {
    let open = || Scope::new().host("a.example").host("b.example").require_headers([""; 0]);
    let closed = || Scope::new().host("a.example").require_headers(["tenant"]);
    for scopes in [[open(), closed()], [closed(), open()]] {
        let builder = Policy::builder().header("tenant", RequiredHeader::new("x-tenant"));
        let policy = Arc::new(scopes.into_iter().fold(builder, PolicyBuilder::scope).build().expect("a policy"));
        assert_eq!(["a.example", "b.example"].map(|host| status(&policy, host)), [Some(400), None]);
    }
}

#[test]
fn g0_a_host_that_cannot_be_determined_is_refused_where_the_policy_has_hosts() {
    let asks = Policy::builder().scope(Scope::new().host("a.example"));
    let asks = Arc::new(asks.build().expect("a policy"));
    let asks_not = Arc::new(Policy::default());
    for host in ["a.example:80:80", "a.example, b.example", "u@a.example", "a.example/../b", "[::1"] {
        assert_eq!((status(&asks, host), status(&asks_not, host)), (Some(400), None), "{host}");
    }
    assert_eq!(status(&asks, "A.example.:8080"), None);
}

fn status(policy: &Arc<Policy>, host: &str) -> Option<u16> {
    let (head, ()) = Request::builder().header("host", host).body(()).expect("a request").into_parts();
    slips::status(policy.clone(), head, 0)
}
