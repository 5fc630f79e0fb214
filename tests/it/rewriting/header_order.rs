//! Tests that the kept part of an inner head (R6, R7) has the same lines in the same order, however many errors
//! preceded.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use proptest::prelude::*;
use tower_error_envelope::Policy;
use tower_error_envelope::policy::Dialect;

use super::rewritten;

const LINES: [(&str, &[&str]); 21] = [
    ("content-type", &["text/plain", "text/html"]),
    ("content-length", &["7"]),
    ("retry-after", &["7", "120", "Wed, 21 Oct 2026 07:28:00 GMT"]),
    ("set-cookie", &["a=1", "b=2; Path=/"]),
    ("www-authenticate", &["Basic realm=x", "Bearer"]),
    ("location", &["/x", "/y"]),
    ("x-custom", &["1", "no-store", "not_found", "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D", ""]),
    ("x-other", &["a", "b"]),
    ("x-content-type-options", &["nosniff", "x"]),
    ("x-error-code", &["conflict", "Not A Code"]),
    ("x-request-id", &["theirs"]),
    ("request-id", &["theirs"]),
    ("vary", &["origin", "accept", "*"]),
    ("cache-control", &["max-age=60", "no-store"]),
    ("expires", &["0"]),
    ("etag", &["\"x\""]),
    ("connection", &["x-custom, close", "upgrade"]),
    ("upgrade", &["h2c"]),
    ("content-range", &["bytes */7"]),
    ("access-control-allow-origin", &["*"]),
    ("access-control-expose-headers", &["x-custom"]),
];

/// Generates responses with the same lines.
fn inners() -> impl Strategy<Value = Vec<Response<Bytes>>> {
    let line = (prop::sample::select(&LINES[..]), any::<prop::sample::Index>())
        .prop_map(|((name, values), at)| (name, *at.get(values)));
    let status = prop::sample::select(vec![400_u16, 401, 404, 409, 412, 416, 418, 422, 426, 429, 499, 500, 503]);
    let body =
        prop::sample::select(vec!["", "Slow down.", "{\"message\":\"Slow down.\"}", "{\"code\":\"rate_limited\"}"]);
    (prop::collection::vec((status, body), 1..5), prop::collection::vec(line, 0..6)).prop_map(|(inners, lines)| {
        let response = |(status, body): (u16, &'static str)| {
            let mut response = Response::new(Bytes::from_static(body.as_bytes()));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in &lines {
                let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
                if name == "set-cookie" {
                    response.headers_mut().append(name, value);
                } else {
                    response.headers_mut().insert(name, value);
                }
            }
            response
        };
        inners.into_iter().map(response).collect()
    })
}

fn policy(dialect: Dialect) -> Arc<Policy> {
    Policy::builder().dialect(dialect).build().unwrap().into()
}

/// Returns everything that is sent, with the lines in their order.
fn sent(policy: &Arc<Policy>, inner: &Response<Bytes>) -> (StatusCode, Vec<(HeaderName, HeaderValue)>, Bytes) {
    let response = rewritten(policy, inner);
    let lines = response.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    (response.status(), lines, response.into_body())
}

/// Returns the same response, with an additional line whose name no other line has.
fn with_stranger(inner: &Response<Bytes>, at: usize) -> Response<Bytes> {
    let mut stranger = inner.clone();
    let name = HeaderName::try_from(format!("x-stranger-{at}")).unwrap();
    stranger.headers_mut().clear();
    stranger.headers_mut().insert(name, HeaderValue::from_static("1"));
    stranger
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn r6_what_is_kept_is_kept_alike_by_the_first_error_and_the_hundredth(
        dialect in prop::sample::select(vec![Dialect::Standard, Dialect::Problem, Dialect::Anthropic, Dialect::Google]),
        inners in inners(),
    ) {
        let remembers = policy(dialect);
        let strangers = policy(dialect);
        for inner in &inners {
            for at in 0..8 {
                sent(&strangers, &with_stranger(inner, at));
            }
        }
        for inner in &inners {
            let expected = sent(&strangers, inner);
            prop_assert_eq!(&sent(&remembers, inner), &expected);
            prop_assert_eq!(&sent(&remembers, inner), &expected);
        }
        for inner in &inners {
            prop_assert_eq!(&sent(&remembers, inner), &sent(&policy(dialect), inner));
        }
    }
}
