//! Tests responses and requests of other parts of Envoy: filters before the module, and redirects that Envoy follows.

use std::sync::atomic::Ordering;

use super::super::process::Proxy;
use super::asking::{ask, code, get, start_as_written, with_route};
use super::service;
use crate::wait::until;

/// Filters that refuse each request themselves, with the status that each uses.
const BEFORE: [(&str, &str, u16); 10] = [
    (
        "rbac.v3.RBAC",
        "rules: { action: DENY, policies: { all: { permissions: [ { any: true } ], principals: [ { any: true } ] } } }",
        403,
    ),
    (
        "local_ratelimit.v3.LocalRateLimit",
        "stat_prefix: limit, token_bucket: { max_tokens: 1, tokens_per_fill: 1, fill_interval: 3600s }, \
         filter_enabled: { default_value: { numerator: 100 } }, filter_enforced: { default_value: { numerator: 100 } }",
        429,
    ),
    ("fault.v3.HTTPFault", "abort: { http_status: 503, percentage: { numerator: 100 } }", 503),
    (
        "ext_authz.v3.ExtAuthz",
        "http_service: { path_prefix: /authz, server_uri: { uri: \"http://a.example\", cluster: nobody, timeout: 1s } }",
        403,
    ),
    (
        "jwt_authn.v3.JwtAuthentication",
        "providers: { p: { issuer: i, local_jwks: { inline_string: '{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\",\"k\":\
         \"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z7CAow\"}]}' } } }, \
         rules: [ { match: { prefix: / }, requires: { provider_name: p } } ]",
        401,
    ),
    ("buffer.v3.Buffer", "max_request_bytes: 10", 413),
    (
        "lua.v3.Lua",
        "default_source_code: { inline_string: \"function envoy_on_request(handle) handle:respond({[':status'] = '403'}, 'lua-says-so') end\" }",
        403,
    ),
    ("basic_auth.v3.BasicAuth", "users: { inline_string: \"a:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=\" }", 401),
    ("api_key_auth.v3.ApiKeyAuth", "credentials: [ { key: k, client: c } ], key_sources: [ { header: x-key } ]", 401),
    ("csrf.v3.CsrfPolicy", "filter_enabled: { default_value: { numerator: 100 } }", 403),
];

/// Returns the configuration with a filter before the module, and with a service that does not exist.
fn with_filter(text: &str, kind: &str, config: &str) -> String {
    let module = "          - name: envoy.filters.http.dynamic_modules\n";
    assert!(text.contains(module), "the module");
    let filter = format!(
        "          - name: before\n            typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.filters.http.{kind}, {config} }}\n"
    );
    let nobody = "  clusters:\n  - { name: nobody, connect_timeout: 1s, load_assignment: { cluster_name: nobody, endpoints: [] } }\n";
    text.replace(module, &format!("{filter}{module}")).replace("  clusters:\n", nobody)
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_v2_what_a_filter_before_the_module_answers_passes_it() {
    for (kind, config, status) in BEFORE {
        let (upstream, seen) = service::start();
        let envoy = start_as_written("version = 1\n", upstream, |text| with_filter(&text, kind, config));
        let lines = "content-type: application/json\r\norigin: http://other.example\r\ncontent-length: 20\r\n";
        let request = [get("/ok", lines), vec![b'1'; 20]].concat();
        let request = String::from_utf8(request).expect("text").replacen("GET", "POST", 1).into_bytes();
        if kind.starts_with("local_ratelimit") {
            ask(envoy.address(), &request).expect("the one that is let through");
        }
        let calls = seen.calls.load(Ordering::SeqCst);
        let response = ask(envoy.address(), &request).unwrap_or_else(|why| panic!("{kind}: {why}"));
        assert_eq!(response.status, status, "{kind}: {response:?}");
        code(&response);
        assert_eq!(seen.calls.load(Ordering::SeqCst), calls, "{kind}: the service was called");
        until("the error is logged as the proxy's", || {
            let log = envoy.log_from(0);
            if log.contains("origin=\"proxy\"") { Ok(()) } else { Err(log) }
        });
    }
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_v2_a_redirect_that_envoy_follows_is_one_request() {
    let (upstream, seen) = service::start();
    let route = "- { match: { path: /moved-inside }, route: { cluster: upstream, internal_redirect_policy: { \
                 max_internal_redirects: 1, redirect_response_codes: [ 302 ], allow_cross_scheme_redirect: true } } }";
    for policy in ["version = 1\n", "version = 1\n[request_id]\ntrust = \"valid\"\n"] {
        let envoy = start_as_written(policy, upstream, |text| with_route(&text, route));
        let before = seen.ids.lock().expect("no panic under the lock").len();
        let response = ask(envoy.address(), &get("/moved-inside", "")).expect("an answer");
        assert_eq!((response.status, code(&response).as_str()), (404, "not_found"));
        let id = response.header("x-request-id");
        let ids = seen.ids.lock().expect("no panic under the lock").split_off(before);
        assert_eq!(ids, [id.clone(), id.clone()], "the service saw another id");
        // A client that repeats the id of a redirect has chosen no id.
        let line = format!("x-request-id: {}\r\n", id.clone().expect("an id"));
        let again = ask(envoy.address(), &get("/404", &line)).expect("an answer");
        assert_eq!(again.header("x-request-id") == id, policy.contains("valid"), "{again:?}");
        let counted = until("each error is counted, and nothing else", || {
            let count = |line: &String| line.rsplit(' ').next().and_then(|count| count.parse::<u32>().ok());
            let lines: Vec<_> = envoy.counters().into_iter().filter(|line| line.contains("_errors_total")).collect();
            let sum: u32 = lines.iter().filter_map(count).sum();
            if sum >= 2 { Ok(lines) } else { Err(lines) }
        });
        assert_eq!(counted.len(), 1, "{counted:#?}");
        let log = envoy.log_from(0);
        assert!(!log.contains("abandoned"), "{log}");
    }
}
