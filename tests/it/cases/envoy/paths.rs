//! Tests that the guards, Envoy's routes and the service use the same path (G0).

use std::sync::atomic::Ordering;

use super::super::process::Proxy;
use super::asking::{ask, get, start_as_written, with_route};
use super::service;

const POLICY: &str = r#"
version = 1
[auth.keys]
scheme = "bearer"
keys = [{ id = "a", sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" }]
[[route]]
match = "/locked/{*rest}"
auth = ["keys"]
[[route]]
match = "/locked"
auth = ["keys"]
"#;

/// Spellings of `/locked/door` that a normalisation may read as that path.
const RESPELT: [&str; 27] = [
    "/locked/door",
    "//locked/door",
    "///locked//door",
    "/open/../locked/door",
    "/open/%2e%2e/locked/door",
    "/open/%2E%2E/locked/door",
    "/open/.%2e/locked/door",
    "/open/..%2flocked/door",
    "/open%2f..%2flocked%2fdoor",
    "/open%2F..%2Flocked/door",
    "/./locked/door",
    "/%2e/locked/door",
    "/%2flocked/door",
    "/%2Flocked/door",
    "/locked%2fdoor",
    "/locked%2Fdoor",
    "/locked%5cdoor",
    "/locked%5Cdoor",
    "/%6cocked/door",
    "/%6Cocke%64/door",
    "/open/..;/../locked/door",
    "/locked/./door",
    "\\locked\\door",
    "/open\\..\\locked\\door",
    "/.locked/../locked/door",
    "/locked/door?x=/../open",
    "http://test.example/open/../locked/door",
];

/// Returns the path as a service reads it that decodes it, and then removes dot segments and double slashes.
fn as_a_service_reads(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().replace('\\', "/");
    let mut segments = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_g0_no_spelling_of_a_path_slips_past_its_guard() {
    let (upstream, seen) = service::start();
    let envoy = start_as_written(POLICY, upstream, |text| {
        // Envoy's own route must agree: it adds a header where the policy guards.
        let locked = "- { match: { prefix: /locked }, request_headers_to_add: [ { header: { key: x-route, value: locked } } ], \
                      route: { cluster: upstream, timeout: 30s } }";
        with_route(&text, locked)
    });
    let open = ask(envoy.address(), &get("/open", "")).expect("an answer");
    assert_eq!((open.status, seen.calls.load(Ordering::SeqCst)), (200, 1), "what is open is open");
    let mut mismatches = Vec::new();
    for target in RESPELT {
        let response = ask(envoy.address(), &get(target, "")).unwrap_or_else(|why| panic!("{target}: {why}"));
        let target_now = response.header("location").unwrap_or_default();
        mismatches.push((target, response.status, target_now.clone()));
        match response.status {
            // The guard refused the request, or Envoy refused an invalid path.
            401 | 400 => {}
            // Envoy has decoded the escaped slashes, and redirects to that path.
            307 => {
                let path = target_now.trim_start_matches("http://test.example");
                let again = ask(envoy.address(), &get(path, "")).expect("an answer");
                assert_eq!(again.status, 401, "{target}, then {path}");
            }
            // The request passed, so it must have another path for every service.
            200 => {
                let targets = seen.targets.lock().expect("no panic under the lock");
                let (last, route) = targets.last().expect("it came");
                assert_eq!(*route, None, "{target} came through by the route of what is locked");
                assert!(!as_a_service_reads(last).starts_with("/locked"), "{target} came through as {last}");
            }
            other => panic!("{target}: {other}"),
        }
    }
    super::super::drive::say(&format!("envoy: what became of a path without its key: {mismatches:?}"));
    // With the key, each accepted request arrives with the one path, or with one that the service reads as that path.
    let key = "authorization: Bearer x\r\n";
    for (target, status, _) in mismatches {
        if status != 401 {
            continue;
        }
        let response = ask(envoy.address(), &get(target, key)).expect("an answer");
        assert_eq!(response.status, 200, "{target} with its key");
        let targets = seen.targets.lock().expect("no panic under the lock");
        let (last, route) = targets.last().expect("it came");
        assert_eq!(
            route.as_deref(),
            Some("locked"),
            "{target} was guarded as what is locked, and routed as what is open"
        );
        assert_eq!(as_a_service_reads(last), "/locked/door", "{target} came as {last}");
    }
}
