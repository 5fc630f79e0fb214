//! Streams of messages without Envoy and without a socket: every one ends with an error, and no panic lets a request pass.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap as EnvoyHeaders, HeaderValue as EnvoyLine};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Verdict;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpBody, HttpHeaders, ProcessingRequest, ProcessingResponse};
use error_envelope_core::loader::PolicyLoader;
use error_envelope_runtime::{PolicyHandle, RequestMetrics};
use futures_util::{StreamExt, stream};
use tonic::{Code, Status};

use super::{ProcessingStream, Received};
use crate::service::replies;

const POLICY: &str = "version = 1\n[defaults]\nbody_limit = 4\n[auth.keys]\nscheme = \"bearer\"\nkeys = [{ id = \"a\", sha256 = \"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\" }]\n\
                      [[route]]\nmatch = \"/locked\"\nauth = [\"keys\"]\n[[route]]\nmatch = \"/buffered\"\next_proc_bodies = \"buffered\"\n";

fn stream_of() -> ProcessingStream {
    let policy = PolicyLoader::new().parse("policy.toml", POLICY).unwrap().into_policy();
    ProcessingStream::new(PolicyHandle::fixed(policy), RequestMetrics::default())
}

fn head(lines: &[(&str, &str)], end_of_stream: bool) -> HttpHeaders {
    let line = |(key, value): &(&str, &str)| EnvoyLine {
        key: (*key).to_owned(),
        value: String::new(),
        raw_value: value.as_bytes().to_vec(),
    };
    let headers = EnvoyHeaders { headers: lines.iter().map(line).collect() };
    HttpHeaders { headers: Some(headers), end_of_stream, ..HttpHeaders::default() }
}

fn message(request: Received) -> Result<ProcessingRequest, Status> {
    Ok(ProcessingRequest { request: Some(request), ..ProcessingRequest::default() })
}

fn get(path: &str) -> Result<ProcessingRequest, Status> {
    let lines = [(":method", "GET"), (":path", path), (":authority", "a"), (":scheme", "http")];
    message(Received::RequestHeaders(head(&lines, true)))
}

fn post(path: &str) -> Result<ProcessingRequest, Status> {
    let lines = [(":method", "POST"), (":path", path), (":authority", "a"), ("content-type", "application/json")];
    message(Received::RequestHeaders(head(&lines, false)))
}

fn failed(more: &[(&str, &str)]) -> Result<ProcessingRequest, Status> {
    let lines = [&[(":status", "409"), ("content-type", "application/json")], more].concat();
    message(Received::ResponseHeaders(head(&lines, false)))
}

async fn run(messages: Vec<Result<ProcessingRequest, Status>>) -> Vec<Result<ProcessingResponse, Status>> {
    replies(stream_of(), stream::iter(messages)).collect().await
}

/// As [`run`], with a stream that Envoy keeps open: the replies up to a number.
async fn run_open(messages: Vec<Result<ProcessingRequest, Status>>, count: usize) -> Vec<Verdict> {
    let messages = stream::iter(messages).chain(stream::pending());
    let replies = replies(stream_of(), messages).take(count).collect::<Vec<_>>().await;
    replies.into_iter().map(|reply| reply.unwrap().response.unwrap()).collect()
}

fn status(verdict: &Verdict) -> i32 {
    match verdict {
        Verdict::ImmediateResponse(reply) => reply.status.unwrap().code,
        _ => 0,
    }
}

#[tokio::test]
async fn v4_each_stream_ends_with_an_error_whatever_came() {
    for messages in [
        vec![],
        vec![Err(Status::internal("reset"))],
        vec![get("/")],
        vec![get("/locked")],
        vec![get("/"), get("/")],
        vec![Ok(ProcessingRequest::default())],
        vec![failed(&[])],
        vec![get("/"), failed(&[("content-length", "2")])],
    ] {
        let replies = run(messages).await;
        assert!(replies.last().unwrap().is_err(), "{replies:?}");
        assert_eq!(replies.iter().filter(|reply| reply.is_err()).count(), 1, "{replies:?}");
        assert!(replies.iter().all(|reply| !reply.as_ref().is_err_and(|status| status.code() == Code::Ok)));
    }
}

#[tokio::test]
async fn g2_a_request_without_credentials_gets_an_immediate_response() {
    let replies = run_open(vec![get("/locked")], 1).await;
    assert_eq!(status(&replies[0]), 401);
    assert!(matches!(run_open(vec![get("/")], 1).await[0], Verdict::RequestHeaders(_)));
}

#[tokio::test]
async fn g4_a_body_is_counted_and_answered_at_its_limit() {
    let piece = |body: &[u8]| message(Received::RequestBody(HttpBody { body: body.to_vec(), ..HttpBody::default() }));
    let replies = run_open(vec![post("/"), piece(b"1234"), piece(b"5")], 3).await;
    assert!(matches!(replies[1], Verdict::RequestBody(_)));
    assert_eq!(status(&replies[2]), 413);
}

#[tokio::test]
async fn r4_a_head_without_a_length_decides_and_a_declared_length_is_read() {
    assert_eq!(status(&run_open(vec![get("/"), failed(&[])], 2).await[1]), 409);
    let body = br#"{"error":{"code":"not_found","message":"No seat."}}"#.to_vec();
    let body = message(Received::ResponseBody(HttpBody { body, end_of_stream: true, ..HttpBody::default() }));
    let replies = run_open(vec![get("/"), failed(&[("content-length", "51")]), body], 3).await;
    assert!(matches!(replies[1], Verdict::ResponseHeaders(_)));
    let Verdict::ImmediateResponse(reply) = &replies[2] else { panic!("{replies:?}") };
    assert!(String::from_utf8_lossy(&reply.body).contains("No seat."));
}

#[tokio::test(start_paused = true)]
async fn r4_a_body_that_stalls_is_answered_within_its_time() {
    let start = tokio::time::Instant::now();
    for messages in [vec![get("/"), failed(&[("content-length", "51")])], vec![get("/buffered"), failed(&[])]] {
        let replies = run_open(messages, 3).await;
        assert_eq!(status(&replies[2]), 409);
    }
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
