//! Tests any head and body of an inner error. The result is an envelope, and a second pass changes nothing (E1, E2,
//! E7).
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use error_envelope_core::session::{BodyFacts, RequestStep, ResponseStep, Session, SessionConfig};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use libfuzzer_sys::fuzz_target;
use tower_error_envelope::policy::{Protocols, UnknownCodes};
use tower_error_envelope::{Policy, RequestId};

const TYPES: [&str; 8] =
    ["application/json", "text/plain", "text/html", "application/problem+json", "x", "", "text/event-stream", "a/b; c"];
const HEADERS: [(&str, &str); 8] = [
    ("x-error-code", "no_op"),
    ("etag", "\"x\""),
    ("content-length", "7"),
    ("connection", "x-hop, x-request-id"),
    ("x-hop", "1"),
    ("www-authenticate", "Bearer error=\"invalid_token\", error_description=\"expired\""),
    ("access-control-allow-origin", "*"),
    ("x-request-id", "theirs"),
];

// The first four bytes choose status, media type, headers and policy. The rest is the body.
fuzz_target!(|data: &[u8]| {
    let [status, media_type, headers, policy, body @ ..] = data else { return };
    let builder = Policy::builder();
    let builder = if policy & 1 == 0 { builder } else { builder.unknown_codes(UnknownCodes::ByStatus) };
    let builder = if policy & 2 == 0 { builder } else { builder.protocols(Protocols::Rewrite) };
    let (policy, rewrites_all) = (Arc::new(builder.build().expect("a policy")), policy & 2 != 0);
    let mut response = Response::new(Bytes::copy_from_slice(body));
    *response.status_mut() = StatusCode::from_u16(400 + u16::from(*status) % 200).expect("an error");
    put(response.headers_mut(), *media_type, *headers);

    let Some(once) = rewritten(&policy, response) else { return };
    let text = std::str::from_utf8(once.body()).expect("UTF-8");
    // Under the other policies, GraphQL, tRPC and JSON-RPC keep their shapes (R10).
    if rewrites_all {
        assert!(text.starts_with("{\"error\":{\"code\":\""), "{text}");
        assert!(text.contains("},\"request_id\":\"req_"), "{text}");
    }
    assert!(serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok(), "{text}");
    assert_eq!(once.headers()["content-length"], once.body().len().to_string());
    let body = once.body().clone();
    assert!(rewritten(&policy, once).is_none_or(|again| *again.body() == body), "{body:?}");
});

fn put(headers: &mut HeaderMap, media_type: u8, chosen: u8) {
    headers.insert("content-type", HeaderValue::from_static(TYPES[usize::from(media_type) % TYPES.len()]));
    for (name, value) in HEADERS.iter().enumerate().filter(|(bit, _)| chosen >> bit & 1 == 1).map(|(_, header)| header)
    {
        headers.append(*name, HeaderValue::from_static(value));
    }
}

/// Returns the rewritten response, or `None` if the response passes.
fn rewritten(policy: &Arc<Policy>, inner: Response<Bytes>) -> Option<Response<Bytes>> {
    let (mut request, ()) = Request::new(()).into_parts();
    let config = SessionConfig::new(policy.clone(), || std::time::UNIX_EPOCH);
    let id = || "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D".parse::<RequestId>().expect("an id");
    let ended = BodyFacts { ended: true, ..BodyFacts::default() };
    let (mut session, RequestStep::Forward(..)) = Session::begin(Arc::new(config), &mut request, ended, id) else {
        panic!("a GET without a body is forwarded")
    };
    let (mut head, body) = inner.into_parts();
    match session.respond_whole(&mut head, &body) {
        ResponseStep::Write(written) => Some(Response::from_parts(head, written.body)),
        ResponseStep::Pass(..) | ResponseStep::Resume(..) => None,
        step => panic!("{step:?}"),
    }
}
