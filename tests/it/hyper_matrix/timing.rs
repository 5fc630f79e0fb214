//! Tests what takes time, on a simulated clock: the peek takes 10 s, the drain 2 s, and nothing else waits (G3, G5).

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::{Layer, service_fn};
use tower_error_envelope::ErrorEnvelopeLayer;

use super::http1::Wire;
use super::http2;
use super::server::{Inner, pipe, pipe_to, policy, respond};
use crate::kit::Answer;

const CHUNKED_JSON: &str = "POST /json HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n";
const TOO_LARGE: &str = "POST /any HTTP/1.1\r\nhost: test\r\ncontent-length: 1000000\r\n";

const PEEK: Duration = Duration::from_secs(10);
const DRAIN: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn g3_a_first_byte_that_does_not_come_on_http1_is_awaited_for_ten_seconds() {
    let start = Instant::now();
    let mut wire = Wire::new(pipe(Inner::Fails));
    wire.send(CHUNKED_JSON.as_bytes()).await.unwrap();
    let head = wire.head().await.unwrap();
    took(start, PEEK);
    let answer = wire.rest(head).await.unwrap();
    took(start, PEEK + DRAIN);
    answer.expect_envelope(408, "request_timeout");
    assert_eq!(answer.header("connection"), Some("close"));
    wire.ended().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn g3_an_empty_chunked_body_on_http1_is_forwarded() {
    let start = Instant::now();
    let mut wire = Wire::new(pipe(Inner::Fails));
    wire.send(CHUNKED_JSON.as_bytes()).await.unwrap();
    wire.send(b"0\r\n\r\n").await.unwrap();
    assert_eq!(wire.answer().await.unwrap().body, "0 bytes, 0 trailers");
    took(start, Duration::ZERO);
    assert!(wire.hello().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn g3_a_first_byte_that_comes_late_on_http1_is_a_body() {
    let start = Instant::now();
    let mut wire = Wire::new(pipe(Inner::Fails));
    wire.send(CHUNKED_JSON.as_bytes()).await.unwrap();
    let just_in_time = PEEK - Duration::from_millis(1);
    tokio::time::sleep(just_in_time).await;
    wire.send(b"1\r\nx\r\n0\r\n\r\n").await.unwrap();
    wire.answer().await.unwrap().expect_envelope(415, "unsupported_media_type");
    took(start, just_in_time);
}

#[tokio::test(start_paused = true)]
async fn g3_a_first_byte_that_does_not_come_on_http2_is_awaited_for_ten_seconds() {
    let start = Instant::now();
    let answer = stream(|_| Ok(())).await.unwrap();
    took(start, PEEK + DRAIN);
    answer.expect_envelope(408, "request_timeout");
}

#[tokio::test(start_paused = true)]
async fn g3_an_empty_body_on_http2_is_forwarded() {
    let start = Instant::now();
    let answer = stream(|body| {
        body.send_data(Bytes::new(), false)?;
        body.send_data(Bytes::new(), true)
    });
    assert_eq!(answer.await.unwrap().body, "0 bytes, 0 trailers");
    took(start, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn g3_trailers_that_the_peek_met_on_http2_reach_the_service() {
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("content-digest"), HeaderValue::from_static("x"))]);
    let answer = stream(|body| body.send_trailers(trailers)).await.unwrap();
    assert_eq!(answer.body, "0 bytes, 1 trailers");
}

#[tokio::test(start_paused = true)]
async fn g5_a_refused_upload_that_stalls_has_its_head_at_once_and_its_body_after_two_seconds() {
    let start = Instant::now();
    let mut wire = Wire::new(pipe(Inner::Fails));
    wire.send(format!("{TOO_LARGE}\r\nthe first of a million bytes").as_bytes()).await.unwrap();
    let head = wire.head().await.unwrap();
    took(start, Duration::ZERO);
    let answer = wire.rest(head).await.unwrap();
    took(start, DRAIN);
    answer.expect_envelope(413, "payload_too_large");
    assert_eq!(answer.header("connection"), Some("close"));
    wire.ended().await.unwrap();
    took(start, DRAIN);
}

#[tokio::test(start_paused = true)]
async fn g5_a_cut_upload_that_stalls_is_drained_for_two_seconds() {
    for inner in [Inner::Fails, Inner::Says(400), Inner::Says(200)] {
        let start = Instant::now();
        let mut wire = Wire::new(pipe(inner));
        wire.send(b"POST /any HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n20000\r\n").await.unwrap();
        wire.send(&[b'x'; 0x12000]).await.unwrap();
        let answer = wire.answer().await.unwrap();
        took(start, DRAIN);
        answer.expect_envelope(413, "payload_too_large");
        assert_eq!(answer.header("connection"), Some("close"), "bytes are still on the way: {inner:?}");
        wire.ended().await.unwrap();
    }
}

/// A client that sends more than the budget gets a response, and is cut off. Nobody can upload for ever.
#[tokio::test(start_paused = true)]
async fn g5_a_drain_ends_at_its_budget_of_bytes() {
    let policy = policy().drain(1000, Duration::from_secs(300)).build().unwrap();
    let layer = ErrorEnvelopeLayer::new().policy(policy);
    let chunked = "POST /any HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n100000\r\n";
    for (head, length) in [(format!("{TOO_LARGE}\r\n"), 4000), (chunked.to_owned(), 0x40000)] {
        let start = Instant::now();
        let service = layer.layer(service_fn(|request| respond::<Incoming>(Inner::Fails, request)));
        let mut wire = Wire::new(pipe_to(service));
        wire.send(head.as_bytes()).await.unwrap();
        // The server may close the connection meanwhile.
        let _ = wire.send(&vec![b'x'; length]).await;
        let answer = wire.answer().await.unwrap();
        answer.expect_envelope(413, "payload_too_large");
        assert_eq!(answer.header("connection"), Some("close"));
        wire.ended().await.unwrap();
        took(start, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn g4_a_client_that_waits_for_100_continue_gets_413_instead_and_nothing_is_awaited() {
    let start = Instant::now();
    let mut wire = Wire::new(pipe(Inner::Fails));
    wire.send(format!("{TOO_LARGE}expect: 100-continue\r\n\r\n").as_bytes()).await.unwrap();
    let answer = wire.answer().await.unwrap();
    answer.expect_envelope(413, "payload_too_large");
    assert_eq!(answer.header("connection"), Some("close"));
    wire.ended().await.unwrap();
    took(start, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn g4_a_client_that_waits_for_100_continue_within_the_limit_gets_it() {
    let mut wire = Wire::new(pipe(Inner::Fails));
    wire.send(b"POST /any HTTP/1.1\r\nhost: test\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n").await.unwrap();
    assert_eq!(wire.head().await.unwrap().status, 100);
    wire.send(b"abc").await.unwrap();
    assert_eq!(wire.answer().await.unwrap().body, "3 bytes, 0 trailers");
}

/// The peek reads the first byte, and so invites the upload. `Expect` gets its response, and G5 holds as for any
/// upload.
#[tokio::test(start_paused = true)]
async fn g5_an_upload_that_the_peek_invited_is_drained() {
    let mut wire = Wire::new(pipe(Inner::Fails));
    let head = CHUNKED_JSON.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    wire.send(head.as_bytes()).await.unwrap();
    assert_eq!(wire.head().await.unwrap().status, 100);
    wire.send(b"400000\r\n").await.unwrap();
    for _ in 0..0x40 {
        wire.send(&[b'x'; 0x10000]).await.expect("the server reads the upload that it invited");
    }
    wire.send(b"\r\n0\r\n\r\n").await.expect("the server reads the upload that it invited");
    wire.answer().await.unwrap().expect_envelope(415, "unsupported_media_type");
}

/// Sends a request without a content type or a length over HTTP/2. The client sends what `send` does, and waits.
async fn stream(send: impl FnOnce(&mut h2::SendStream<Bytes>) -> Result<(), h2::Error>) -> io::Result<Answer> {
    let mut connection = http2::connect(pipe(Inner::Fails)).await?;
    let head = Request::post("http://test/json").body(()).unwrap();
    let (response, mut body) = http2::start(&mut connection, head).await?;
    send(&mut body).map_err(io::Error::other)?;
    http2::read(response.await.map_err(io::Error::other)?).await
}

/// Simulated time jumps to the next timer, and tokio may round by a few milliseconds.
#[track_caller]
fn took(start: Instant, wanted: Duration) {
    let took = start.elapsed();
    assert!(took >= wanted && took < wanted + Duration::from_millis(10), "took {took:?} instead of {wanted:?}");
}
