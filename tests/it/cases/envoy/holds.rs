//! Tests what the cases cannot show: Envoy's own replies, thousands of error bodies, panics, and policies that change
//! under load.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::super::format::Case;
use super::super::process::Proxy;
use super::super::seen::End;
use super::super::value::is_request_id;
use super::super::{http1, http2};
use super::as_sent;
use super::asking::{ask, case, closed, code, get, start};
use super::processor::start_processor;
use super::service::{self, Seen};
use crate::wait::until;

/// Ends the load when dropped, also if the code that runs at the same time has failed.
pub(super) struct Stop<'s>(pub(super) &'s AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Adds a route for each kind of failure, and a filter after the module that responds itself. Other paths have no
/// route.
fn failing(text: String, refused: u16) -> String {
    let at = text.find("              - { match: { prefix: / }").expect("the route");
    let end = at + text[at..].find('\n').expect("its end");
    let route = |path: &str, to: &str| format!("              - {{ match: {{ path: {path} }}, {to} }}\n");
    let routes = [
        route("/ok", "route: { cluster: upstream, timeout: 5s }"),
        route("/garbage", "route: { cluster: upstream, timeout: 5s }"),
        route("/slow", "route: { cluster: upstream, timeout: 0.3s }"),
        route("/stalled", "route: { cluster: upstream, timeout: 0.4s }"),
        route("/refused", "route: { cluster: refused }"),
        route("/direct", "direct_response: { status: 409, body: { inline_string: envoy-says-so } }"),
        route("/moved", "redirect: { path_redirect: /ok }"),
    ];
    let text = format!("{}{}{}", &text[..at], routes.concat().trim_end_matches('\n'), &text[end..]);
    let buffer = "- name: envoy.filters.http.buffer\n            typed_config: { \"@type\": \
                  type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer, max_request_bytes: 10 }\n          ";
    let text = text.replace("- name: envoy.filters.http.router", &format!("{buffer}- name: envoy.filters.http.router"));
    let text = text.replace("request_headers_timeout: 10s", "request_headers_timeout: 0.5s");
    let cluster = format!(
        "  clusters:\n  - name: refused\n    connect_timeout: 1s\n    load_assignment: {{ cluster_name: refused, endpoints: [ {{ \
         lb_endpoints: [ {{ endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {refused} }} }} }} }} ] \
         }} ] }}\n"
    );
    // By default, Envoy itself refuses HTTP/1.0.
    text.replace("  clusters:\n", &cluster).replace("accept_http_10: true, default_host_for_http_10: test.example", "")
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_v2_its_own_replies_are_envelopes_with_its_status() {
    its_own_replies_are_envelopes(|upstream, refused| start("version = 1\n", upstream, |text| failing(text, refused)));
    let (upstream, _) = service::start();
    let envoy = start("version = 1\n", upstream, |text| failing(text, closed().1));
    let body = b"POST /ok HTTP/1.1\r\nhost: test.example\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n11111111111111111111";
    // The processor holds the head, so that a filter behind it gets the whole body at once, and forwards it.
    let response = ask(envoy.address(), body).expect("an answer");
    assert_eq!((response.status, code(&response).as_str()), (413, "payload_too_large"), "too much for a filter behind");
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_v2_its_own_replies_are_envelopes_beside_the_processor() {
    its_own_replies_are_envelopes(|upstream, refused| {
        start_processor("version = 1\n", upstream, |text| failing(as_sent(&text), refused))
    });
}

fn its_own_replies_are_envelopes<P: Proxy>(start: impl FnOnce(SocketAddr, u16) -> P) {
    let (upstream, _) = service::start();
    let (_closed, refused) = closed();
    let envoy = start(upstream, refused);
    let long = format!("x-long: {}\r\n", "a".repeat(70_000));
    for (what, request, status, wanted) in [
        ("a bad header", b"GET /ok HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n".to_vec(), 400, "bad_request"),
        ("a bad character", b"GET /ok HTTP/1.1\r\nhost: a\r\nx-a: \x01\r\n\r\n".to_vec(), 400, "bad_request"),
        ("no host", b"GET /ok HTTP/1.1\r\n\r\n".to_vec(), 400, "bad_request"),
        ("no request line", b"nonsense\r\n\r\n".to_vec(), 400, "bad_request"),
        ("no route", get("/nowhere", ""), 404, "not_found"),
        ("no end of the head", b"GET /ok HTTP/1.1\r\nhost: a\r\n".to_vec(), 408, "request_timeout"),
        ("HTTP/1.0", b"GET /ok HTTP/1.0\r\nhost: a\r\n\r\n".to_vec(), 426, "upgrade_required"),
        ("too large a head", get("/ok", &long), 431, "headers_too_large"),
        ("a coding that is none", get("/ok", "transfer-encoding: other\r\n"), 501, "not_implemented"),
        ("no head from the service", get("/garbage", ""), 502, "other"),
        ("nobody listens", get("/refused", ""), 503, "service_unavailable"),
        ("too late", get("/slow", ""), 504, "gateway_timeout"),
        ("too late while an error's body is read", get("/stalled", ""), 504, "gateway_timeout"),
        ("a route that answers", get("/direct", ""), 409, "conflict"),
    ] {
        let response = ask(envoy.address(), &request).unwrap_or_else(|why| panic!("{what}: {why}"));
        assert_eq!(response.status, status, "{what}: {response:?}");
        assert_eq!(code(&response), wanted, "{what}");
    }
    let moved = ask(envoy.address(), &get("/moved", "")).expect("a redirect");
    assert_eq!((moved.status, moved.body.len()), (301, 0));
    assert!(is_request_id(&moved.header("x-request-id").expect("an id")));
    for (path, grpc) in
        [("/refused", "14"), ("/nowhere", "12"), ("/slow", "14"), ("/garbage", "14"), ("/stalled", "14")]
    {
        let request = get(path, "content-type: application/grpc\r\nte: trailers\r\n");
        let response = ask(envoy.address(), &request).expect("an answer");
        let summary = (response.status, response.header("grpc-status"), response.body.len());
        assert_eq!(summary, (200, Some(grpc.to_owned()), 0), "{path}: {response:?}");
        let message = response.header("grpc-message").unwrap_or_default();
        assert!(
            !message.contains("upstream connect") && !message.contains("route") && !message.is_empty(),
            "{path}: {message}"
        );
        assert!(
            is_request_id(&response.header("x-request-id").expect("an id"))
                && response.header("x-error-code").is_some()
        );
    }
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_r4_a_thousand_hostile_error_bodies_are_answered_in_time_and_leave_nothing() {
    let (upstream, seen) = service::start();
    let envoy = start("version = 1\n", upstream, |text| text);
    let paths = ["/endless", "/truncated", "/large", "/gzip", "/empty", "/404", "/stalled"];
    let round = |count: usize| {
        let (next, slowest) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<&str, Duration>::new()));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::SeqCst);
                        if index >= count {
                            return;
                        }
                        // A stalled request takes a second, so there are fewer of those.
                        let path = if index % 28 == 27 { "/stalled" } else { paths[index % 6] };
                        let lines = format!("connection: close\r\nx-round: {count}-{index}\r\n");
                        let response = ask(envoy.address(), &get(path, &lines)).expect("an answer");
                        let end = Instant::now();
                        let expected = if path == "/404" { "not_found" } else { "internal_error" };
                        let wanted: &[&str] = if path == "/truncated" { &[expected, "other"] } else { &[expected] };
                        assert!(wanted.contains(&&*code(&response)), "{path}: {response:?}");
                        // A stalled response is measured from its head on, because the time of two busy cores before
                        // that is not part of the budget.
                        let head =
                            seen.stalled.lock().expect("no panic under the lock").remove(&format!("{count}-{index}"));
                        let took = head.map_or(response.whole_at, |head| end.saturating_duration_since(head));
                        let mut slowest = slowest.lock().expect("no panic under the lock");
                        let slow = slowest.entry(path).or_default();
                        *slow = took.max(*slow);
                    }
                });
            }
        });
        slowest.into_inner().expect("no panic under the lock")
    };
    round(200);
    let (before, _) = envoy.holds();
    let slowest = round(1000);
    let (after, _) = envoy.holds();
    super::super::drive::say(&format!(
        "envoy: slowest of 1,000 error bodies: {slowest:?}; {before} KiB before, {after} after"
    ));
    for (path, slow) in slowest {
        // R4 allows one second, and a busy machine may need another. Waiting for the end of a body would take much
        // longer.
        assert!(slow < Duration::from_secs(2), "{path} took {slow:?}");
    }
    assert!(after < before + 16 * 1024, "memory grew from {before} to {after} KiB");
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_r4_the_processor_answers_hostile_error_bodies_in_time() {
    let (upstream, _) = service::start();
    let envoy = start_processor("version = 1\n", upstream, |text| text);
    for (path, wanted) in [
        ("/endless", "internal_error"),
        ("/stalled", "internal_error"),
        // Envoy waits for the end of this body, and responds itself.
        ("/truncated", "other"),
        ("/large", "internal_error"),
        ("/gzip", "internal_error"),
        ("/empty", "internal_error"),
        ("/404", "not_found"),
    ] {
        for _ in 0..5 {
            let response = ask(envoy.address(), &get(path, "")).unwrap_or_else(|why| panic!("{path}: {why}"));
            assert_eq!(code(&response), wanted, "{path}: {response:?}");
            let length = response.header("content-length").and_then(|length| length.parse().ok());
            assert_eq!((length, response.header("content-encoding")), (Some(response.body.len()), None), "{path}");
            // R4 allows one second, and a busy machine may need another.
            assert!(response.whole_at < Duration::from_secs(2), "{path} took {:?}", response.whole_at);
        }
    }
    let head = http1::exchanges(envoy.address(), &case("[case.request]\nmethod = \"HEAD\"\n")).remove(0);
    let head = head.response.expect("an answer");
    assert_eq!((head.status, head.body.len(), head.end), (500, 0, End::Whole), "{:?}", head.headers);
    assert!(head.headers.iter().any(|(name, _)| name == "x-error-code"), "{:?}", head.headers);
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_g4_uploads_over_the_limit_are_answered_each_time_and_go_no_further() {
    let (upstream, seen) = service::start();
    let envoy = start(LIMITED, upstream, |text| text);
    uploads_over_the_limit_are_answered(envoy.address(), &seen);
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_g4_uploads_are_counted_by_the_processor() {
    let (upstream, seen) = service::start();
    let envoy = start_processor(LIMITED, upstream, |text| text);
    let declared = b"POST /ok HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 3000000\r\n\r\n";
    assert_eq!(ask(envoy.address(), declared).expect("an answer").status, 413);
    assert_eq!(seen.calls.load(Ordering::SeqCst), 0, "the service saw a head with too large a length");
    uploads_over_the_limit_are_answered(envoy.address(), &seen);
    let case = upload("/wide", 3_000_000);
    for round in 0..20 {
        for exchanges in [http1::exchanges(envoy.address(), &case), http2::exchanges(envoy.address(), &case)] {
            let response = exchanges[0].response.as_ref().unwrap_or_else(|why| panic!("{round}: {why}"));
            assert_eq!(response.status, 200, "{round}: {response:?}");
        }
    }
    assert_eq!(seen.longest.load(Ordering::SeqCst), 3_000_000);
}

const LIMITED: &str =
    "version = 1\n[defaults]\nbody_limit = 70000\n[[route]]\nmatch = \"/wide\"\nbody_limit = 3000000\n";

fn upload(path: &str, count: usize) -> Case {
    case(&format!(
        "[case.request]\nmethod = \"POST\"\npath = \"{path}\"\nframing = \"chunked\"\nheaders = [[\"content-type\", \"application/json\"]]\n\
         body_repeat = {{ text = \"a\", count = {count} }}\n"
    ))
}

fn uploads_over_the_limit_are_answered(address: SocketAddr, seen: &Seen) {
    for count in [70_001, 200_000, 3_000_000] {
        let case = upload("/ok", count);
        for round in 0..20 {
            for exchanges in [http1::exchanges(address, &case), http2::exchanges(address, &case)] {
                let response = exchanges[0].response.as_ref().unwrap_or_else(|why| panic!("{count}, {round}: {why}"));
                assert_eq!((response.status, code(response).as_str()), (413, "payload_too_large"), "{count}, {round}");
            }
        }
    }
    let longest = seen.longest.load(Ordering::SeqCst);
    assert!(longest <= 70_000, "the service saw {longest} bytes");
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_v4_a_thousand_panics_are_answered_and_let_nothing_in() {
    let (upstream, seen) = service::start();
    let envoy = start("version = 1\n", upstream, |text| text);
    let (stop, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                assert_eq!(ask(envoy.address(), &get("/ok", "")).expect("an answer").status, 200);
                served.fetch_add(1, Ordering::SeqCst);
            }
        });
        let _stop = Stop(&stop);
        let before = |hook: &str, body: &str| {
            let head = format!(
                "POST /ok HTTP/1.1\r\nhost: a\r\nx-panic-in: {hook}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            [head.as_bytes(), body.as_bytes()].concat()
        };
        for round in 0..1000 {
            let hook = ["request_headers", "request_body", "response_headers"][round % 3];
            let response = ask(envoy.address(), &before(hook, "{}")).unwrap_or_else(|why| panic!("{hook}: {why}"));
            assert_eq!((response.status, code(&response).as_str()), (500, "internal_error"), "{hook}");
        }
    });
    let behind = seen.calls.load(Ordering::SeqCst) - served.load(Ordering::SeqCst);
    // Requests that panic in `response_headers` had passed their guards. The end of the load may have cut off one
    // request.
    assert!(behind <= 334 + 334, "{behind} calls came through");
    let (calls, shut) =
        (seen.calls.load(Ordering::SeqCst), b"GET /ok HTTP/1.1\r\nhost: a\r\nx-panic-in: request_headers\r\n\r\n");
    for _ in 0..100 {
        assert_eq!(ask(envoy.address(), shut).expect("an answer").status, 500);
    }
    assert_eq!(seen.calls.load(Ordering::SeqCst), calls, "a request went past a panic");
    // A body that has begun ends as an error (F4).
    let cut = ask(envoy.address(), &get("/ok", "x-panic-in: response_body\r\n"));
    assert!(cut.as_ref().map_or(true, |response| response.status == 500), "{cut:?}");
    assert_eq!(ask(envoy.address(), &get("/ok", "")).expect("Envoy lives").status, 200);
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_m3_policies_change_under_load_and_no_request_sees_two() {
    let seconds = std::env::var("ENVOY_FLIP_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_u64);
    let (upstream, _) = service::start();
    let policy = |name: &str| {
        format!(
            "version = 1\n[defaults]\nbody_limit = {}\n[[code]]\ncode = \"seat_{name}\"\nstatus = 404\n[[map]]\nstatus = 404\n\
             to = \"seat_{name}\"\nsay = \"Seat {name}.\"\n",
            if name == "a" { 1000 } else { 2000 }
        )
    };
    let envoy = start(&policy("a"), upstream, |text| text);
    let (stop, ids, requests) = (AtomicBool::new(false), Mutex::new(HashSet::new()), AtomicUsize::new(0));
    let load = |kind: usize| {
        while !stop.load(Ordering::SeqCst) {
            requests.fetch_add(1, Ordering::SeqCst);
            let response = match kind % 3 {
                0 => ask(envoy.address(), &get("/ok", "connection: close\r\n")),
                1 => ask(envoy.address(), &get("/404", "connection: close\r\n")),
                _ => {
                    let body = "a".repeat(3000);
                    let head = "POST /ok HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 3000\r\n\r\n";
                    ask(envoy.address(), &[head.as_bytes(), body.as_bytes()].concat())
                }
            };
            let response = response.unwrap_or_else(|why| panic!("a request was dropped: {why}"));
            let id = response.header("x-request-id").expect("an id");
            assert!(ids.lock().expect("no panic under the lock").insert(id), "an id came twice");
            let text = String::from_utf8_lossy(&response.body).into_owned();
            match kind % 3 {
                0 => assert_eq!(response.status, 200),
                1 => {
                    let name = code(&response).replace("seat_", "");
                    assert!(text.contains(&format!("\"Seat {name}.\"")), "two policies in one answer: {text}");
                }
                _ => assert!(response.status == 413 && (text.contains(":1000}") || text.contains(":2000}")), "{text}"),
            }
        }
    };
    let warm = Instant::now();
    while warm.elapsed() < Duration::from_secs(1) {
        let _ = ask(envoy.address(), &get("/404", "connection: close\r\n"));
    }
    let (memory, files) = envoy.holds();
    std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        (0..6).for_each(|kind| drop(scope.spawn(move || load(kind))));
        for flip in 0..20 {
            envoy.reload(&policy(if flip % 2 == 0 { "b" } else { "a" }));
            std::thread::sleep(Duration::from_millis(seconds * 1000 / 20));
        }
    });
    // As many idle connections to the service remain as there were clients.
    let (after, open) = until("its connections are closed", || {
        let (after, open) = envoy.holds();
        if open <= files + 8 { Ok((after, open)) } else { Err((after, open)) }
    });
    let requests = requests.load(Ordering::SeqCst);
    super::super::drive::say(&format!(
        "envoy: {requests} requests over 20 flips; {memory} KiB and {files} files before, {after} and {open} after"
    ));
    assert!(after < memory + 24 * 1024, "memory grew from {memory} to {after} KiB");
}
