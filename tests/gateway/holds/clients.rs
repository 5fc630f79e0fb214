//! Tests that the log and the service get each client's address.

use std::collections::BTreeSet;

use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::gateway::{Gateway, output_of};
use super::service::{Service, full};
use crate::wait::{until, when};

/// Returns a service that responds with the facts about its client.
fn echo() -> Service {
    Service::new(|request: Request<Incoming>| async move {
        let mut response = Response::new(full(forwarded_lines(request.headers())));
        if request.uri().path() == "/missing" {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        response
    })
}

fn forwarded_lines(headers: &HeaderMap) -> String {
    let of = |name: &&str| name.contains("forwarded") || name.contains("real");
    let lines = headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
    let lines: BTreeSet<_> =
        lines.filter(|(name, _)| of(name)).map(|(name, value)| format!("{name}: {value}")).collect();
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

#[test]
fn each_line_of_an_error_has_its_clients_address() {
    let service = echo();
    let gateway = Gateway::start(service.address, &[]);
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        output_of("curl", &["-sS", version, &gateway.url("/missing")]);
    }
    until("both are logged", || when(spans(&gateway.log_from(0)).len() == 2, gateway.log_from(0)));
    let client = json!([{"name": "client", "client_address": "127.0.0.1"}]);
    assert_eq!(spans(&gateway.stopped()), [client.clone(), client]);
}

#[test]
fn addresses_stay_out_of_a_log_that_is_configured_so() {
    let service = echo();
    let mut command = Gateway::command(&crate::command::binary(), &service.url());
    command.env("RUST_LOG", "info,tower_error_envelope::client=off");
    let gateway = Gateway::run(command);
    output_of("curl", &["-sS", &gateway.url("/missing")]);
    let log = gateway.stopped();
    assert_eq!(spans(&log), [json!([])], "{log}");
    assert!(!log.contains("client_address"), "{log}");
}

#[test]
fn the_service_gets_the_caller_from_the_gateway_and_not_from_the_client() {
    let service = echo();
    let rows = [
        (&[][..], "forwarded: for=127.0.0.1;proto=http\nx-forwarded-for: 127.0.0.1\nx-forwarded-proto: http"),
        (
            &["--forwarded", "append"],
            "x-forwarded-for: 192.0.2.9, 127.0.0.1\nx-forwarded-proto: http\nx-real-ip: 192.0.2.9",
        ),
        (&["--forwarded", "pass"], "x-forwarded-for: 192.0.2.9\nx-real-ip: 192.0.2.9\nx_forwarded_for: 192.0.2.9"),
    ];
    for (args, expected) in rows {
        let gateway = Gateway::start(service.address, args);
        for version in ["--http1.1", "--http2-prior-knowledge"] {
            let url = gateway.url("/");
            let mut arguments = vec!["-sS", version, &url];
            // A client that names the header as one of a single hop does not keep it from the service.
            arguments.extend(
                ["-H", "connection: x-forwarded-proto, forwarded"].into_iter().filter(|_| version == "--http1.1"),
            );
            for forged in ["x-forwarded-for: 192.0.2.9", "x_forwarded_for: 192.0.2.9", "x-real-ip: 192.0.2.9"] {
                arguments.extend(["-H", forged]);
            }
            assert_eq!(output_of("curl", &arguments), expected, "{args:?} {version}");
        }
        gateway.stopped();
    }
}

/// Returns the spans of the lines that are errors.
fn spans(log: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines = lines.filter(|line| line["fields"]["origin"].is_string());
    lines.map(|line| spans_around_the_request(&line["spans"])).collect()
}

/// Returns the spans of the connection. The request's own span is inside them.
fn spans_around_the_request(spans: &Value) -> Value {
    let spans = spans.as_array().cloned().unwrap_or_default();
    spans.into_iter().filter(|span| span["name"] != "envelope").collect()
}
