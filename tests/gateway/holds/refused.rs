//! Tests that an upload over the limit gets its whole response, with any client (rules G4, G5).

use std::net::SocketAddr;

use http::Response;
use serde_json::Value;

use super::gateway::{Folder, Gateway, events, output_of, script};
use super::service::{Service, count, full};

/// A number of bytes that is more than sockets, the drain and the service hold together. A client that is not read
/// stops.
const BYTES: u64 = 40 * 1000 * 1000;

/// The number of tries of each way, which is as many as a race would need to show.
const TIMES: usize = 3;

#[test]
fn curl_reads_its_413_with_a_length_and_without() {
    let (folder, gateway) = (Folder::new("refused"), gateway());
    let (file, url) = (folder.zeros(BYTES), gateway.url("/upload"));
    let http1 = ["--http1.1"];
    let ways: [&[&str]; 5] = [
        &[&http1[..], &["-H", "expect:"]].concat(),
        &[&http1[..], &["-H", "expect: 100-continue"]].concat(),
        &[&http1[..], &["-H", "expect:", "-H", "transfer-encoding: chunked"]].concat(),
        &["--http2-prior-knowledge"],
        // An upload of unknown length in HTTP/2.
        &["--http2-prior-knowledge", "-H", "content-length:"],
    ];
    for way in ways {
        for _ in 0..TIMES {
            let written = "\n%{http_code} %header{x-error-code} %header{x-request-id}";
            let answer = output_of("curl", &[way, &["-sS", "-X", "POST", "-T", &file, "-w", written, &url]].concat());
            let (body, head) = answer.split_once('\n').expect(&answer);
            let id = head.strip_prefix("413 payload_too_large ").unwrap_or_else(|| panic!("{way:?}: {answer}"));
            assert_envelope(body, id);
        }
    }
    assert_each_logged_once(gateway, ways.len() * TIMES);
}

#[test]
fn python_reads_its_413_with_a_length_and_without() {
    let gateway = gateway();
    let address = SocketAddr::to_string(&gateway.address);
    for framing in ["length", "chunked"] {
        for _ in 0..TIMES {
            let answer = output_of("python3", &[&script("upload.py"), &address, framing, &BYTES.to_string()]);
            let (body, head) = answer.trim().split_once('\n').expect(&answer);
            let body = body.strip_prefix("413 ").unwrap_or_else(|| panic!("{framing}: {answer}"));
            assert_envelope(body, head.strip_prefix("payload_too_large ").expect(&answer));
        }
    }
    assert_each_logged_once(gateway, 2 * TIMES);
}

fn gateway() -> Gateway {
    // The service lives in the process of the test, for as long as that process.
    let service = Box::leak(Box::new(Service::new(|request| async move {
        Response::new(full(format!("{:?}", count(request.into_body()).await)))
    })));
    Gateway::start(service.address, &[])
}

fn assert_envelope(body: &str, id: &str) {
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    assert_eq!(body["error"]["code"], "payload_too_large");
    assert_eq!(body["error"]["details"]["limit_bytes"], 1024 * 1024);
    assert_eq!(body["request_id"], id);
}

/// Checks that each request is logged once. A line may be missing when the client gets its response, but not when the
/// gateway has ended.
fn assert_each_logged_once(gateway: Gateway, requests: usize) {
    let mut ids: Vec<_> = events(&gateway.stopped()).into_iter().map(|event| (event.id, event.code)).collect();
    assert_eq!(ids.len(), requests, "{ids:?}");
    assert!(ids.iter().all(|(_, code)| code.as_deref() == Some("payload_too_large")), "{ids:?}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), requests, "{ids:?}");
}
