//! Tests that the shapes of `manual/shapes.md` are read and written as the page states (R15).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use proptest::prelude::*;
use serde_json::Value;
use tower_error_envelope::Policy;

use crate::rewriting::{ID, inner, json_value, rewritten_for};

struct Section<'a> {
    shape: &'a str,
    status: u16,
    body: &'a str,
    standard: &'a str,
    /// What clients of the shape get for the standard envelope.
    own: Option<&'a str>,
}

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/manual/shapes.md")).unwrap()
}

fn sections(page: &str) -> Vec<Section<'_>> {
    page.split("\n## ").skip(1).map(section).collect()
}

fn section(text: &str) -> Section<'_> {
    let mut blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let (kind, shape) = blocks.next().unwrap();
    assert_eq!(kind, "toml");
    assert!(shape.lines().count() <= 15, "{shape}");
    let (status, body) = blocks.next().unwrap();
    let (kind, standard) = blocks.next().unwrap();
    assert_eq!(kind, "json standard");
    let status = status.trim_start_matches("json ").parse().unwrap();
    Section { shape, status, body, standard, own: blocks.next().map(|(_, body)| body) }
}

fn policy(shape: &str, dialect: &str) -> Arc<Policy> {
    let text = format!("version = 1\n[defaults]\ndialect = {dialect:?}\nprotocols = \"rewrite\"\n{shape}");
    Arc::new(Policy::from_toml("policy.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}")))
}

fn answered(policy: &Arc<Policy>, status: u16, body: &str) -> Response<Bytes> {
    let inner = Response::builder().status(status).header("content-type", "application/json");
    rewritten_for(policy, Request::new(()), &inner.body(Bytes::copy_from_slice(body.as_bytes())).unwrap())
}

fn json(text: &str) -> Value {
    serde_json::from_str(&text.replace("$id", ID)).unwrap()
}

fn body_of(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

#[test]
fn r15_each_shape_of_the_manual_is_read() {
    for Section { shape, status, body, standard, .. } in sections(&page()) {
        assert_eq!(body_of(&answered(&policy(shape, "standard"), status, body)), json(standard), "{shape}");
    }
}

#[test]
fn r15_each_shape_of_the_manual_is_written_and_read_again() {
    let page = page();
    let mut written = 0;
    for Section { shape, status, standard, own, .. } in sections(&page) {
        let Some(own) = own else { continue };
        let name = shape.trim_start_matches("[shape.").split(']').next().unwrap();
        let policy = policy(shape, name);
        let response = answered(&policy, status, &standard.replace("$id", ID));
        assert_eq!(body_of(&response), json(own), "{shape}");
        // E7: the response passes a second gateway.
        let again = answered(&policy, status, std::str::from_utf8(response.body()).unwrap());
        assert_eq!(again.body(), response.body(), "{shape}");
        assert_eq!(again.headers()["x-error-code"], response.headers()["x-error-code"], "{shape}");
        written += 1;
    }
    assert_eq!(written, 3);
}

const ACME: &str = r#"[shape.acme]
any = { "/fault/code" = "string", "/fault/steps" = "array" }
not = { "/error" = "object" }
by_status = { 410 = "Over", 4xx = "Refused", 5xx = "Broken" }
stays = ["/fault/detail/n", "/n/0", "/a/b"]
issues = { list = "/fault/errors/*", path = "/at/field", message = "/reason", code = "/rule", notation = "pointer" }
codes = { "Throttled" = "rate_limited", "Client" = "invalid_request" }
write = '{"fault":{"code":{{name}},"text":{{message}},"detail":{{details?}},"errors":{{issues?}}},"n":[{{status}},{{retry_after}}],"id":{{request_id}}}'
"#;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn r15_whatever_comes_from_inside_leaves_as_json_in_the_shape_and_e7_once(mut inner in inner(), body in prop::option::of(json_value())) {
        let policy = policy(ACME, "acme");
        if let Some(body) = body {
            inner.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
            *inner.body_mut() = body.to_string().into();
        }
        let first = rewritten_for(&policy, Request::new(()), &inner);
        let written = body_of(&first);
        prop_assert!(written["fault"]["code"].is_string(), "{}", written);
        let second = rewritten_for(&policy, Request::new(()), &first);
        prop_assert_eq!(second.body(), first.body());
        prop_assert_eq!(second.headers(), first.headers());
    }
}
