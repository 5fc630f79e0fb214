//! The file and the builders make the same policy.

use std::time::Duration;

use crate::code::{ErrorCode, Retry};
use crate::policy::{Mode, NoTransform, Policy, Preflight, Protocols, Route, Trust, UnknownCodes};
use crate::{MapRule, RequiredHeader};

const EVERY_KEY: &str = r#"
version = 1
include = []

[request_id]
trust = "valid"
traceparent = true

[defaults]
mode = "enforce"
dialect = "standard"
negotiate = false
unknown_codes = "by_status"
body_limit = "2 MiB"
json = false
content_types = []
auth = []
auth_observe = false
require_headers = ["tenant", "app id"]
no_transform = "respect"
protocols = "rewrite"
preflight = "guard"
expose_headers = false

[inspect]
max_bytes = "1 GiB"
timeout = "1500ms"

[drain]
max_bytes = 0

[header.tenant]
name = "X-Tenant"
pattern = "[a-z]{1,8}"
missing = "Missing X-Tenant header"
invalid = "Invalid X-Tenant format"
[header."app id"]
name = "x-app-id"

[[route]]
match = "GET|POST /files/{*path}"
mode = "off"
body_limit = "none"
json = true
[[route]]
match = "/files/{name}"
body_limit = 0
content_types = ["Text/CSV", "text/plain"]
require_headers = []

[[code]]
code = "seat_taken"
status = 409
grpc = 6
retry = "refresh"
message = "The seat is taken."
[[code]]
code = "aisle_closed"
status = 503

[[map]]
status = 404
code = "NO_SEAT"
message = "Seat not found"
content_type = "Application/JSON"
route = "GET /seats/{*rest}"
to = "seat_taken"
say = "Choose another seat."
[[map]]
message_pattern = "^No .* found$"
to = "not_found"
"#;

fn built() -> Policy {
    let tenant = RequiredHeader::new("X-Tenant").pattern("[a-z]{1,8}");
    let taken = ErrorCode::own("seat_taken", 409).with_grpc(6).with_retry(Retry::Refresh);
    let rule = MapRule::to(taken.clone()).status(404).code("NO_SEAT").message("Seat not found");
    let files = Route::new("GET|POST /files/{*path}").mode(Mode::Off).no_body_limit().json(true);
    let file = Route::new("/files/{name}").body_limit(0).content_types(["Text/CSV", "text/plain"]);
    let builder = Policy::builder()
        .trust(Trust::Valid)
        .traceparent(true)
        .mode(Mode::Enforce)
        .negotiate(false)
        .unknown_codes(UnknownCodes::ByStatus)
        .body_limit(2 * 1024 * 1024)
        .json(false)
        .content_types([""; 0])
        .require_headers(["tenant", "app id"])
        .no_transform(NoTransform::Respect)
        .protocols(Protocols::Rewrite)
        .preflight(Preflight::Guard)
        .expose_headers(false)
        .inspect(1 << 30, Duration::from_millis(1500))
        .drain(0, Duration::from_secs(2))
        .header("tenant", tenant.missing("Missing X-Tenant header").invalid("Invalid X-Tenant format"))
        .header("app id", RequiredHeader::new("x-app-id"))
        .route(files)
        .route(file.require_headers([""; 0]))
        .code(taken.with_message("The seat is taken."))
        .code(ErrorCode::own("aisle_closed", 503))
        .map(rule.content_type("Application/JSON").route("GET /seats/{*rest}").say("Choose another seat."))
        .map(MapRule::to(ErrorCode::NOT_FOUND).message_pattern("^No .* found$"));
    builder.build().unwrap()
}

/// What `Debug` does not show of a code.
fn told(policy: &Policy, name: &str) -> (u16, u8, Retry, String) {
    let code = policy.codes().find(name).unwrap();
    (code.status().as_u16(), code.grpc(), code.retry(), code.message().to_owned())
}

#[test]
fn a_file_and_the_builders_that_say_the_same_make_the_same_policy() {
    let read = Policy::from_toml("policy.toml", EVERY_KEY).unwrap().without_origin();
    assert_eq!(format!("{read:#?}"), format!("{:#?}", built().without_origin()));
    for name in ["seat_taken", "aisle_closed"] {
        assert_eq!(told(&read, name), told(&built(), name));
    }
    assert_eq!(read.rules()[0].to().message(), "The seat is taken.");
}

#[test]
fn the_defaults_written_out_are_the_default_policy() {
    let defaults = r#"
        version = 1
        [request_id]
        trust = "never"
        traceparent = false
        [defaults]
        mode = "enforce"
        dialect = "standard"
        negotiate = true
        unknown_codes = "keep"
        body_limit = "1 MiB"
        auth = []
        auth_observe = false
        no_transform = "rewrite"
        protocols = "pass"
        preflight = "pass"
        expose_headers = true
        [inspect]
        max_bytes = "64 KiB"
        timeout = "1s"
        [drain]
        max_bytes = "16 MiB"
        timeout = "2s"
    "#;
    let told = Policy::from_toml("policy.toml", defaults).unwrap();
    let settings = |policy: &Policy| format!("{:?}", policy.matched(&http::Method::GET, "/").normal);
    let budgets = |policy: &Policy| format!("{:?} {:?} {:?}", policy.inspect(), policy.drain(), policy.ids());
    assert_eq!(settings(&told), settings(&Policy::default()));
    assert_eq!(budgets(&told), budgets(&Policy::default()));
    let silent = Policy::from_toml("policy.toml", "version = 1").unwrap().without_origin();
    assert_eq!(format!("{silent:?}"), format!("{:?}", Policy::default()));
}

#[test]
fn a_route_that_says_json_false_keeps_a_wider_list_out() {
    let text = "version = 1\ndefaults.content_types = [\"a/b\"]\n[[route]]\nmatch = \"/x\"\njson = false\n";
    let policy = Policy::from_toml("policy.toml", text).unwrap();
    let asks = |path| policy.content_types(&policy.matched(&http::Method::POST, path).normal).is_some();
    assert!(asks("/") && !asks("/x"));
}
