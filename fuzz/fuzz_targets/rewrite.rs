//! Any head and body of an inner error: an envelope comes out, and a second pass changes nothing (E1, E2, E7).
#![no_main]

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use libfuzzer_sys::{Corpus, arbitrary::Arbitrary, fuzz_target};
use tower_error_envelope::exchange::{Admission, BodyFacts, Collected, Exchange, ResponsePlan, Rewritten};
use tower_error_envelope::{Policy, RequestId};

#[derive(Arbitrary, Debug)]
struct Inner<'a> {
    status: u16,
    content_type: Option<&'a [u8]>,
    headers: Vec<(&'a str, &'a [u8])>,
    request: Vec<(&'a str, &'a [u8])>,
    body: &'a [u8],
}

fuzz_target!(|inner: Inner<'_>| -> Corpus {
    let policy = Arc::new(Policy::default());
    let mut response = Response::new(inner.body.to_vec());
    *response.status_mut() = StatusCode::from_u16(400 + inner.status % 200).expect("an error");
    put(response.headers_mut(), &inner.headers);
    if let Some(Ok(value)) = inner.content_type.map(HeaderValue::from_bytes) {
        response.headers_mut().insert("content-type", value);
    }
    let once = rewritten(&policy, &inner.request, response);
    if once.headers().get("x-content-type-options").is_none() {
        return Corpus::Keep;
    }
    let text = std::str::from_utf8(once.body()).expect("UTF-8");
    assert!(text.starts_with("{\"error\":{\"code\":\""), "{text}");
    assert!(text.contains("\"},\"request_id\":\"req_") || text.contains("},\"request_id\":\"req_"), "{text}");
    assert_eq!(once.headers()["content-length"], once.body().len().to_string());
    let body = once.body().clone();
    let twice = rewritten(&policy, &inner.request, once);
    assert_eq!(*twice.body(), body);
    Corpus::Keep
});

fn put(headers: &mut http::HeaderMap, lines: &[(&str, &[u8])]) {
    for (name, value) in lines.iter().take(32) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(*name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
}

fn rewritten(policy: &Arc<Policy>, asked: &[(&str, &[u8])], inner: Response<Vec<u8>>) -> Response<Vec<u8>> {
    let (mut request, ()) = Request::new(()).into_parts();
    put(&mut request.headers, asked);
    let id = || "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D".parse::<RequestId>().expect("an id");
    let ended = BodyFacts { ended: true, ..BodyFacts::default() };
    let Admission::Forward(exchange, _) = Exchange::begin(policy.clone(), &mut request, ended, id) else {
        panic!("a GET without a body is forwarded")
    };
    let (mut head, body) = inner.into_parts();
    let facts = BodyFacts { ended: body.is_empty(), lower: body.len() as u64, upper: Some(body.len() as u64) };
    let body = match exchange.response_head(&mut head, facts) {
        ResponsePlan::Rewrite(written) => written.body.to_vec(),
        ResponsePlan::Collect(exchange, ..) => match exchange.response_body(&mut head, Collected::Whole(&body)) {
            Rewritten::Rewrite(written) => written.body.to_vec(),
            Rewritten::Restore(..) => body,
        },
        ResponsePlan::Pass(..) => body,
        plan => panic!("{plan:?}"),
    };
    Response::from_parts(head, body)
}
