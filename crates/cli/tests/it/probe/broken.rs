//! Tests services that break one rule each. Each service is the gateway behind a proxy that changes a request or its
//! response.

use super::servers::{Answers, Proxy};
use super::{Gateway, POLICY, broken, probe, report};

const KEY: &str = "x-api-key: probe-key-0123456789\r\n";

/// Adds a line to heads that lack the header.
fn with_header(head: &str, line: &str) -> String {
    let (name, _) = line.split_once(':').unwrap();
    let lines = head.trim_end().lines().filter(|line| !line.starts_with(name)).collect::<Vec<_>>().join("\r\n");
    format!("{lines}\r\n{line}\r\n")
}

/// Returns the value of a header of a head.
fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Returns the rules that `probe` finds broken behind this proxy.
fn found(change_request: fn(&str) -> String, change_response: fn(&str, &str) -> String) -> Vec<String> {
    let gateway = Gateway::start(POLICY);
    let proxy = Proxy::start(&gateway.url, change_request, change_response);
    let json = probe(&proxy.url, &["--policy", POLICY, "--panic-path", "/panic", "--format", "json"]);
    let told = report(&json);
    let broken: Vec<_> = broken(&told).into_iter().map(str::to_owned).collect();
    assert_eq!(json.code, Some(u8::from(!broken.is_empty()).into()), "{}", json.out);
    broken
}

fn responds(change: fn(&str, &str) -> String) -> Vec<String> {
    found(str::to_owned, change)
}

fn requests(change: fn(&str) -> String) -> Vec<String> {
    found(change, |_, response| response.to_owned())
}

#[test]
fn a_proxy_that_changes_nothing_breaks_nothing() {
    assert_eq!(responds(|_, response| response.to_owned()), [""; 0]);
}

#[test]
fn a_response_that_breaks_one_rule_is_reported_by_it() {
    type Change = fn(&str, &str) -> String;
    let changes: &[(&str, Change)] = &[
        ("E1", |_, response| response.replace("{\"error\":", "{\"errxr\":")),
        ("E4", |_, response| response.replace("nosniff", "sniffff")),
        ("E5", |request, response| match request.starts_with("HEAD ") {
            true => response.replace("connection: close\r\n", "") + "a body",
            false => response.to_owned(),
        }),
        ("E8", |_, response| response.replace("{\"issues\":", "{\"issuez\":")),
        ("G4", |_, response| response.replace("payload_too_large", "precondition_abcd")),
        ("I1", |_, response| match value(response, "x-request-id") {
            Some(id) => response.replace(id, "req_01JD2V5W8Z3Q4R6T8Y0A1B2C3E"),
            None => response.to_owned(),
        }),
        ("I2", |request, response| match (value(request, "x-request-id"), value(response, "x-request-id")) {
            (Some(sent), Some(id)) if sent.starts_with("req_") && !request.contains("not an id") => {
                response.replace(id, sent)
            }
            _ => response.to_owned(),
        }),
        ("R1", |_, response| response.replace("415 Unsupported Media Type", "400 Bad Request")),
        ("R7", |_, response| response.replace("cache-control: no-store", "cache-control: private")),
        ("R11", |_, response| response.replace("application/problem+json", "application/json")),
        ("F2", |request, response| match request.starts_with("GET /panic") {
            true => response.replace("internal_error", "other_errorish"),
            false => response.to_owned(),
        }),
    ];
    for (rule, change) in changes {
        let found = responds(*change);
        assert!(found.iter().any(|found| found == rule), "{rule}: {found:?}");
        assert!(found.len() <= 2, "{rule}: {found:?}");
    }
}

#[test]
fn a_guard_that_is_not_there_is_reported_by_its_rule() {
    assert_eq!(requests(|head| with_header(head, KEY)), ["G0", "G2"]);
    assert_eq!(requests(|head| with_header(head, "x-tenant: acme\r\n")), ["G1"]);
    assert_eq!(requests(|head| with_header(head, "content-type: application/json\r\n")), ["G3"]);
}

#[test]
fn a_service_that_sends_no_response_breaks_f1_and_is_left_alone_after_three_requests() {
    let silent = Answers::silent();
    let json = probe(&silent.url, &["--timeout", "100ms", "--format", "json"]);
    let told = report(&json);
    assert_eq!((json.code, broken(&told), &told["failed"]), (Some(1), vec!["F1"], &3.into()), "{}", json.out);
}
