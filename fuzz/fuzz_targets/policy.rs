//! Tests any text as a policy file, and any target under it. The result is an error with a place, or a policy that
//! never panics (M2).
#![no_main]

use std::sync::Arc;

use error_envelope_core::session::{BodyFacts, Session, SessionConfig};
use http::{Method, Request};
use libfuzzer_sys::fuzz_target;
use tower_error_envelope::{Policy, RequestId};

/// The file is in a folder that does not exist. A file that a pattern of `include` found would be refused by its own
/// name.
const FILE: &str = "no/such/folder/policy.toml";

/// Returns true if a pattern of `include` begins at the root, and would search the whole machine.
fn roams(policy: &str) -> bool {
    let mut strings = policy.split(['"', '\'']);
    policy.contains("include") && strings.any(|string| string.starts_with('/') && string.contains(['*', '?', '[']))
}

// The first line is a method and a target. The rest is the policy.
fuzz_target!(|text: &str| {
    let (request_line, policy) = text.split_once('\n').unwrap_or(("GET /", text));
    if roams(policy) {
        return;
    }
    let (method, target) = request_line.split_once(' ').unwrap_or(("GET", request_line));
    match Policy::from_toml(FILE, policy) {
        Err(error) => assert!(error.to_string().starts_with(FILE), "{error}"),
        Ok(policy) => {
            let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
            let Ok(request) = Request::builder().method(method).uri(target).body(()) else { return };
            let (mut head, ()) = request.into_parts();
            let config = Arc::new(SessionConfig::new(policy, || std::time::UNIX_EPOCH));
            drop(Session::begin(config, &mut head, BodyFacts::default(), || RequestId::from_parts(1, 1)));
        }
    }
});
