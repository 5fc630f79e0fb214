//! Any text as a policy file, and any target under it: an error that says where, or a policy that never panics (M2).
#![no_main]

use std::sync::Arc;

use http::{Method, Request};
use libfuzzer_sys::{arbitrary::Arbitrary, fuzz_target};
use tower_error_envelope::exchange::{BodyFacts, Exchange};
use tower_error_envelope::{Policy, RequestId};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    method: &'a [u8],
    target: &'a [u8],
    policy: &'a str,
}

fuzz_target!(|input: Input<'_>| {
    match Policy::from_toml("policy.toml", input.policy) {
        Err(error) => assert!(error.to_string().starts_with("policy.toml"), "{error}"),
        Ok(policy) => {
            let method = Method::from_bytes(input.method).unwrap_or(Method::GET);
            let Ok(request) = Request::builder().method(method).uri(input.target).body(()) else { return };
            let (mut head, ()) = request.into_parts();
            let id = || RequestId::from_parts(1, 1);
            drop(Exchange::begin(Arc::new(policy), &mut head, BodyFacts::default(), id));
        }
    }
});
