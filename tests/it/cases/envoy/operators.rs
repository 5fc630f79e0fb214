//! Tests what operators see of an error: a line of Envoy's access log, a span of its tracer, and a counter in its
//! stats.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::super::policy::Folder;
use super::super::process::Proxy;
use super::super::seen::Response;
use super::super::wire::{Framing, Timed, Wire};
use super::asking::{ask, case, closed, code, get, start_as_written, with_key, with_route};
use super::processor::start_processor;
use super::service;
use crate::wait::until;

const POLICY: &str = r#"
version = 1
[auth.keys]
scheme = "bearer"
keys = [{ id = "a", sha256 = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" }]
[[route]]
match = "/locked"
auth = ["keys"]
[[route]]
match = "/404"
[[route]]
match = "/empty"
mode = "observe"
"#;

/// Adds a route to a port without a listener.
fn with_refused(text: String, refused: u16) -> String {
    with_route(&text, "- { match: { path: /refused }, route: { cluster: refused } }")
        .replace("  clusters:\n", &format!("  clusters:\n{}", cluster("refused", refused)))
}

fn cluster(name: &str, port: u16) -> String {
    format!(
        "  - name: {name}\n    connect_timeout: 1s\n    load_assignment: {{ cluster_name: {name}, endpoints: [ {{ lb_endpoints: [ {{ \
         endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }} }} ] }} ] }}\n"
    )
}

fn id(response: &Response) -> String {
    response.header("x-request-id").expect("an id")
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_l1_an_error_s_line_in_the_access_log_says_what_became_of_it() {
    the_access_log_says_what_became_of_errors(|upstream, refused, log| {
        start_as_written(POLICY, upstream, |text| with_refused(logged_to(&text, log), refused))
    });
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_l1_the_access_log_says_what_became_of_errors_with_the_processor() {
    the_access_log_says_what_became_of_errors(|upstream, refused, log| {
        start_processor(POLICY, upstream, |text| with_refused(logged_to(&text, log), refused))
    });
}

fn the_access_log_says_what_became_of_errors<P: Proxy>(start: impl FnOnce(SocketAddr, u16, &Path) -> P) {
    let (upstream, _) = service::start();
    let (_closed, refused) = closed();
    let folder = Folder::with(&case(""));
    let log = folder.path().join("access.log");
    let envoy = start(upstream, refused, &log);
    let mut wanted = Vec::new();
    for (path, status, details) in [
        ("/locked", 401, "code=auth_missing origin=guard route=/locked mode=enforce"),
        ("/404", 404, "code=not_found origin=inner route=/404 mode=enforce"),
        ("/large", 500, "code=internal_error origin=inner route=- mode=enforce"),
        ("/refused", 503, "code=service_unavailable origin=proxy route=- mode=enforce"),
        ("/ok", 200, "code=- origin=- route=- mode=-"),
    ] {
        let response = ask(envoy.address(), &get(path, "")).unwrap_or_else(|why| panic!("{path}: {why}"));
        assert_eq!(response.status, status, "{path}");
        if status >= 400 {
            code(&response);
        }
        wanted.push((format!(" GET {status} "), format!(" id={} {details}", id(&response))));
    }
    // A watched error is reported, and has no code that the client has seen (M1).
    let watched = ask(envoy.address(), &get("/empty", "")).expect("an answer");
    assert_eq!((watched.status, watched.header("x-error-code")), (500, None));
    wanted.push((" GET 500 ".to_owned(), " code=- origin=inner route=/empty mode=observe".to_owned()));
    has_lines(&log, &wanted);
}

/// Adds an access log with this file.
fn logged_to(text: &str, log: &Path) -> String {
    let stdout = "stream.v3.StdoutAccessLog\n";
    assert!(text.contains(stdout), "an access log");
    text.replace(stdout, &format!("file.v3.FileAccessLog\n              path: {}\n", log.display()))
}

/// Asserts that the log has exactly these lines: each contains the first text, and ends with the second.
fn has_lines(log: &Path, wanted: &[(String, String)]) {
    let lines = until("the access log has a line of each", || {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= wanted.len() { Ok(lines) } else { Err(lines) }
    });
    assert_eq!(lines.len(), wanted.len(), "{lines:#?}");
    for ((start, end), line) in wanted.iter().zip(&lines) {
        assert!(line.contains(start) && line.ends_with(end), "{line} has no {start}…{end}");
    }
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_l1_metadata_that_is_turned_off_leaves_dashes_and_every_answer_as_it_was() {
    let (upstream, _) = service::start();
    let folder = Folder::with(&case(""));
    let log = folder.path().join("access.log");
    let envoy = start_as_written(POLICY, upstream, |text| {
        let stalled = "- { match: { path: /stalled }, route: { cluster: upstream, timeout: 0.4s } }";
        with_route(&with_key(&logged_to(&text, &log), "metadata = false"), stalled)
    });
    let mut wanted = Vec::new();
    for (path, status, its_code, details) in [
        ("/locked", 401, "auth_missing", "code=- origin=-"),
        ("/404", 404, "not_found", "code=- origin=-"),
        // Envoy writes this response by its `local_reply_config`, from the noted error (V3).
        ("/stalled", 504, "gateway_timeout", "code=gateway_timeout origin=-"),
    ] {
        let response = ask(envoy.address(), &get(path, "")).unwrap_or_else(|why| panic!("{path}: {why}"));
        assert_eq!((response.status, code(&response).as_str()), (status, its_code), "{path}");
        wanted.push((format!(" GET {status} "), format!(" id={} {details} route=- mode=-", id(&response))));
    }
    has_lines(&log, &wanted);
}

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_l2_errors_and_reloads_are_counted_among_envoy_s_stats() {
    let (upstream, _) = service::start();
    let (_closed, refused) = closed();
    let envoy = start_as_written(POLICY, upstream, |text| with_refused(text, refused));
    for path in ["/locked", "/404", "/locked", "/refused", "/empty", "/ok", "/locked"] {
        ask(envoy.address(), &get(path, "")).unwrap_or_else(|why| panic!("{path}: {why}"));
    }
    let line = |labels: [&str; 7], count: u32| {
        let [code, status, would_be_code, would_be, origin, route, mode] = labels;
        format!(
            "envoy_dynamicmodulescustom_error_envelope_errors_total{{code=\"{code}\",status=\"{status}\",\
             grpc_status=\"none\",would_be_code=\"{would_be_code}\",would_be_status=\"{would_be}\",origin=\"{origin}\",route=\"{route}\",scope=\"none\",mode=\"{mode}\",dialect=\"…\"}} {count}"
        )
    };
    let mut wanted = [
        line(["auth_missing", "401", "none", "none", "guard", "/locked", "enforce"], 3),
        line(["not_found", "404", "none", "none", "inner", "/404", "enforce"], 1),
        line(["service_unavailable", "503", "none", "none", "proxy", "none", "enforce"], 1),
        line(["none", "500", "internal_error", "500", "inner", "/empty", "observe"], 1),
    ];
    wanted.sort();
    let counted = until("each error is counted", || {
        // The library decides which shape the service used, so the test ignores it.
        let shapeless = |line: String| match line.split_once("dialect=\"") {
            Some((start, end)) => format!("{start}dialect=\"…{}", &end[end.find('"').unwrap_or_default()..]),
            None => line,
        };
        let mut lines: Vec<_> = envoy.counters().into_iter().map(shapeless).collect();
        lines.sort();
        if lines == wanted { Ok(lines) } else { Err(lines) }
    });
    // No other request is made, and the reload is still counted.
    envoy.reload("version = 1\n");
    let reload = "envoy_dynamicmodulescustom_error_envelope_policy_reloads_total{outcome=\"taken\"} 1";
    until("the reload is counted", || {
        let lines = envoy.counters();
        if lines.iter().any(|line| line == reload) && lines.len() == counted.len() + 1 { Ok(()) } else { Err(lines) }
    });
}

/// Starts the collector of spans, which come as Zipkin's JSON.
fn collector() -> (SocketAddr, Arc<Mutex<Vec<Value>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let spans = Arc::<Mutex<Vec<Value>>>::default();
    let shared = spans.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let reading = stream.try_clone().expect("a socket");
            let mut wire = Wire::new(Timed { stream: reading, deadline: Instant::now() + Duration::from_secs(300) });
            while let Ok(head) = wire.head() {
                let mut body = Vec::new();
                let framing = head.framing(Framing::None).expect("Envoy frames well");
                wire.body(framing, |piece| body.extend_from_slice(piece)).expect("a whole request");
                let sent: Vec<Value> = serde_json::from_slice(&body).expect("a list of spans");
                shared.lock().expect("no panic under the lock").extend(sent);
                let _ = stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n");
            }
        }
    });
    (address, spans)
}

/// The settings that a tracing section needs in addition to its provider. Without them, Envoy samples no request whose
/// id is no UUID.
const TRACING: &str = "
          request_id_extension:
            typed_config:
              \"@type\": type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig
              use_request_id_for_trace_sampling: false
          tracing:
            provider:
              name: envoy.tracers.zipkin
              typed_config:
                \"@type\": type.googleapis.com/envoy.config.trace.v3.ZipkinConfig
                collector_cluster: collector
                collector_endpoint: /api/v2/spans
                collector_endpoint_version: HTTP_JSON
";

#[test]
#[ignore = "needs Envoy, which `.ci/envoy` brings"]
fn envoy_l1_an_error_s_span_has_its_id_and_its_code() {
    let (upstream, _) = service::start();
    let (_closed, refused) = closed();
    let (collector, spans) = collector();
    let envoy = start_as_written(POLICY, upstream, |text| {
        let stat = "stat_prefix: edge\n";
        assert!(text.contains(stat), "the connection manager");
        let text = text.replace("  clusters:\n", &format!("  clusters:\n{}", cluster("collector", collector.port())));
        with_refused(text.replace(stat, &format!("{stat}{}", TRACING.trim_start_matches('\n'))), refused)
    });
    let mut wanted = Vec::new();
    // Envoy sends five spans at a time.
    for path in ["/locked", "/404", "/refused", "/large", "/ok"] {
        let response = ask(envoy.address(), &get(path, "")).unwrap_or_else(|why| panic!("{path}: {why}"));
        wanted.push((path, response.header("x-error-code"), id(&response)));
    }
    let spans = until("the collector has five spans", || {
        let spans = spans.lock().expect("no panic under the lock").clone();
        if spans.len() >= wanted.len() { Ok(spans) } else { Err(spans) }
    });
    for (path, code, id) in wanted {
        let of_path = |span: &&Value| span["tags"]["http.url"].as_str().is_some_and(|url| url.ends_with(path));
        let tags = &spans.iter().find(of_path).unwrap_or_else(|| panic!("no span of {path}: {spans:#?}"))["tags"];
        let recorded = (tags["error_envelope.code"].as_str(), tags["error_envelope.request_id"].as_str());
        // A success has no error to report.
        let wanted = (code.as_deref(), code.as_ref().map(|_| id.as_str()));
        assert_eq!(recorded, wanted, "{path}: {tags:#}");
    }
}
