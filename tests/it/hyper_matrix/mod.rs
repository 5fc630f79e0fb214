//! Tests drain, peek and overflow on a real hyper server (rules G3, G4, G5): {declared, chunked} × {HTTP/1, HTTP/2} ×
//! {slow, eager, late reader}.
//!
//! A slow reader sends one piece, and waits for the head before the next piece if the head comes at once. An eager one
//! reads while it sends. A late one sends everything before it reads. The order proves "at once", not a clock: the
//! client keeps its last piece until the head has arrived. `timing` tests what takes time, on a simulated clock.

mod client;
mod http1;
mod http2;
mod loose_ends;
mod server;
mod timing;

use std::time::Duration;

use client::{Framing, Reader, Seen, Upload};
use server::{Inner, LIMIT, Server};

/// A size that exceeds the buffers of any socket, so that a missing drain is noticed.
const LATE_SIZE: usize = 4 * 1024 * 1024;
const SIZE: usize = 300 * 1024;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Version {
    Http1,
    Http2,
}

/// A kind of refusal.
#[derive(Clone, Copy, Debug)]
struct Scenario {
    path: &'static str,
    framing: Framing,
    inner: Inner,
    status: u16,
    code: &'static str,
    /// True if the layer responds after the head or the first byte, before the client has sent everything.
    at_once: bool,
}

const fn scenario(path: &'static str, framing: Framing, inner: Inner, status: u16, code: &'static str) -> Scenario {
    Scenario { path, framing, inner, status, code, at_once: status == 415 || matches!(framing, Framing::Declared) }
}

const SCENARIOS: [Scenario; 8] = [
    scenario("/any", Framing::Declared, Inner::Fails, 413, "payload_too_large"),
    scenario("/any", Framing::Chunked, Inner::Fails, 413, "payload_too_large"),
    scenario("/any", Framing::Chunked, Inner::Says(400), 413, "payload_too_large"),
    scenario("/any", Framing::Chunked, Inner::Says(500), 413, "payload_too_large"),
    scenario("/any", Framing::Chunked, Inner::Says(200), 413, "payload_too_large"),
    scenario("/any", Framing::Chunked, Inner::Panics, 413, "payload_too_large"),
    scenario("/json", Framing::Declared, Inner::Fails, 415, "unsupported_media_type"),
    scenario("/json", Framing::Chunked, Inner::Fails, 415, "unsupported_media_type"),
];

#[tokio::test]
async fn g5_a_slow_reader_on_http1_reads_its_answer() {
    all(Version::Http1, Reader::Slow).await;
}

#[tokio::test]
async fn g5_an_eager_reader_on_http1_reads_its_answer() {
    all(Version::Http1, Reader::Eager).await;
}

#[tokio::test]
async fn g5_a_late_reader_on_http1_is_not_reset() {
    all(Version::Http1, Reader::Late).await;
}

#[tokio::test]
async fn g5_a_slow_reader_on_http2_reads_its_answer() {
    all(Version::Http2, Reader::Slow).await;
}

#[tokio::test]
async fn g5_an_eager_reader_on_http2_reads_its_answer() {
    all(Version::Http2, Reader::Eager).await;
}

#[tokio::test]
async fn g5_a_late_reader_on_http2_is_not_reset() {
    all(Version::Http2, Reader::Late).await;
}

async fn all(version: Version, reader: Reader) {
    for scenario in SCENARIOS {
        let context = format!("{version:?}, {reader:?} reader, {scenario:?}");
        let run = tokio::time::timeout(Duration::from_secs(60), one(version, reader, scenario));
        let seen = run.await.unwrap_or_else(|_| panic!("{context}: no answer"));
        judge(scenario, version, seen.unwrap_or_else(|error| panic!("{context}: {error}")), &context);
    }
}

async fn one(version: Version, reader: Reader, scenario: Scenario) -> std::io::Result<(Seen, usize)> {
    let size = if reader == Reader::Late { LATE_SIZE } else { SIZE };
    let Scenario { path, framing, inner, at_once, .. } = scenario;
    let upload = Upload { path, framing, size, reader, at_once };
    let server = Server::start(inner).await;
    let seen = match version {
        Version::Http1 => http1::upload(server.connect().await, upload).await,
        Version::Http2 => http2::upload(server.connect().await, upload).await,
    };
    Ok((seen?, server.calls()))
}

fn judge(scenario: Scenario, version: Version, (seen, calls): (Seen, usize), context: &str) {
    println!("{context}: {:?}", seen.answer); // shown by a failing test alone
    let Scenario { status, code, at_once, .. } = scenario;
    let error = seen.answer.expect_envelope(status, code);
    assert_eq!(status == 413, error["details"]["limit_bytes"] == LIMIT, "{context}: {error}");
    assert!(seen.answer.header("content-length").is_some(), "{context}");
    assert_eq!(calls, usize::from(!at_once), "{context}: a guard's answer calls nobody");
    // A body that was drained in place is complete, so the connection goes on.
    let closes = version == Version::Http1 && at_once;
    assert_eq!(seen.answer.header("connection"), closes.then_some("close"), "{context}");
    assert_eq!(seen.lives_on, !closes, "{context}");
}
