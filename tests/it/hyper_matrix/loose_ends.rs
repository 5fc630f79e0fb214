//! Tests clients that break off, frame wrongly or stall, and small bodies that keep the connection (F1, F2, G4, G5).

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Sleep, sleep};
use tower::{Layer, ServiceBuilder, service_fn};
use tower_error_envelope::middleware::RequestBody;
use tower_error_envelope::session::BoxError;

use super::client::{Framing, Reader, Upload};
use super::http1::Wire;
use super::server::{Inner, LIMIT, layer, pipe_to, respond, socket};
use super::{http1, http2};
use crate::kit::{Breaking, logged, only};

type Arriving = Request<RequestBody<Incoming>>;

#[tokio::test]
async fn g4_exactly_the_limit_passes() {
    for framing in [Framing::Declared, Framing::Chunked] {
        let size = usize::try_from(LIMIT).unwrap();
        let upload = Upload { path: "/any", framing, size, reader: Reader::Late, at_once: false };
        let over_http1 = http1::upload(socket(Inner::Fails).await.0, upload).await.unwrap();
        let over_http2 = http2::upload(socket(Inner::Fails).await.0, upload).await.unwrap();
        for seen in [over_http1, over_http2] {
            assert_eq!(seen.answer.body, format!("{LIMIT} bytes, 0 trailers"));
            assert!(seen.lives_on);
        }
    }
}

#[tokio::test]
async fn g5_a_declared_rest_of_at_most_64_kib_keeps_the_connection() {
    for (size, lives_on) in [(1, true), (64 * 1024, true), (64 * 1024 + 1, false)] {
        let mut wire = Wire::new(socket(Inner::Fails).await.0);
        let head = format!("POST /json HTTP/1.1\r\nhost: test\r\ncontent-length: {size}\r\n\r\n");
        wire.send(head.as_bytes()).await.unwrap();
        let head = wire.head().await.unwrap();
        wire.send(&vec![b'x'; size]).await.unwrap();
        let answer = wire.rest(head).await.unwrap();
        answer.expect_envelope(415, "unsupported_media_type");
        assert_eq!(answer.header("connection"), (!lives_on).then_some("close"), "{size} bytes");
        assert_eq!(if lives_on { wire.hello().await.unwrap() } else { wire.ended().await.unwrap() }, lives_on);
    }
}

#[test]
fn f1_broken_chunks_are_the_clients_fault() {
    for broken in ["zz\r\nabc\r\n", "3\r\nabcd\r\n0\r\n\r\n", "ffffffffffffffffff\r\n", "3;\n\nabc\r\n"] {
        let (answer, lines) = logged(async {
            let (stream, _) = socket(Inner::Fails).await;
            let mut wire = Wire::new(stream);
            wire.send(b"POST /any HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
            wire.send(broken.as_bytes()).await.unwrap();
            let answer = wire.answer().await.unwrap();
            wire.ended().await.unwrap();
            answer
        });
        answer.expect_envelope(400, "bad_request");
        let line = only(&lines);
        assert_eq!((&*line.level, line.field("code")), ("INFO", Some("bad_request")), "{broken:?}");
        assert_eq!(line.field("request_id"), Some(&*answer.id()));
    }
}

#[test]
fn f1_a_body_that_ends_short_is_the_clients_fault() {
    let (answer, lines) = logged(async {
        let (mut stream, _) = socket(Inner::Fails).await;
        stream.write_all(b"POST /any HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\nabc").await.unwrap();
        stream.shutdown().await.unwrap();
        Wire::new(stream).answer().await.unwrap()
    });
    answer.expect_envelope(400, "bad_request");
    only(&lines);
}

/// The client leaves at each place of its own request. The connection's task ends, and one line reports it.
#[test]
fn f2_a_client_that_goes_away_is_logged_once() {
    for (what, head) in [
        ("while the service reads", "POST /any HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\nabc"),
        (
            "while the service reads",
            "POST /any HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ),
        ("before the first byte", "POST /json HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n"),
        ("while it is drained", "POST /any HTTP/1.1\r\nhost: test\r\ncontent-length: 1000000\r\n\r\nabc"),
    ] {
        for inner in [Inner::Fails, Inner::Says(500)] {
            let ((), lines) = logged(async {
                let (mut stream, served) = socket(inner).await;
                stream.write_all(head.as_bytes()).await.unwrap();
                drop(stream);
                served.await.expect("the connection's task does not panic");
            });
            println!("{what}, {inner:?}: {lines:?}"); // shown by a failing test alone
            only(&lines);
        }
    }
}

#[test]
fn f2_a_stream_that_the_client_resets_is_logged_once_and_the_next_request_is_served() {
    let (answer, lines) = logged(async {
        let (stream, _) = socket(Inner::Fails).await;
        let mut connection = http2::connect(stream).await.unwrap();
        let head = Request::post("http://test/any").body(()).unwrap();
        let (response, mut body) = http2::start(&mut connection, head.clone()).await.unwrap();
        http2::send(&mut body, &Bytes::from_static(b"abc"), false).await.unwrap();
        body.send_reset(h2::Reason::CANCEL);
        assert!(response.await.is_err());
        let (response, mut body) = http2::start(&mut connection, head).await.unwrap();
        http2::send(&mut body, &Bytes::from_static(b"abc"), true).await.unwrap();
        http2::read(response.await.unwrap()).await.unwrap()
    });
    assert_eq!(answer.body, "3 bytes, 0 trailers");
    only(&lines);
}

/// The head was sent, so the body ends early, and nothing is appended (F4).
#[test]
fn f4_a_response_that_breaks_ends_short_on_the_wire() {
    for (panics, origin) in [(true, "panic"), (false, "error")] {
        let (text, lines) = logged(async {
            let mut stream = pipe_to(layer().layer(service_fn(move |_: Arriving| breaks(panics))));
            stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            text
        });
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\n5\r\nbegun\r\n"), "{text}");
        assert_eq!(only(&lines).field("origin"), Some(origin));

        let (error, lines) = logged(async {
            let mut connection =
                http2::connect(pipe_to(layer().layer(service_fn(move |_: Arriving| breaks(panics))))).await.unwrap();
            let head = Request::get("http://test/").body(()).unwrap();
            let (response, _) = connection.send_request(head, true).unwrap();
            let mut body = response.await.unwrap().into_body();
            assert_eq!(body.data().await.unwrap().unwrap(), "begun");
            body.data().await.unwrap().unwrap_err()
        });
        assert!(error.is_reset(), "{error:?}");
        assert_eq!(only(&lines).field("origin"), Some(origin));
    }
}

async fn breaks(panics: bool) -> Result<Response<Breaking>, Infallible> {
    Ok(Response::new(Breaking::new(panics)))
}

/// A time-out of the client's body, as a server sets it.
#[test]
fn f1_a_body_that_came_too_slowly_is_408() {
    let ((answer, swallowed), lines) =
        logged(async { (stalled(Inner::Fails).await.unwrap(), stalled(Inner::Says(200)).await.unwrap()) });
    answer.expect_envelope(408, "request_timeout");
    assert_eq!(swallowed.head.status, 200, "the service's own word holds, but for a body over its limit");
    assert_eq!(only(&lines).field("code"), Some("request_timeout"));
}

async fn stalled(inner: Inner) -> io::Result<crate::kit::Answer> {
    let service = ServiceBuilder::new()
        .map_request(|request: Request<Incoming>| request.map(Paced::new))
        .layer(layer())
        .service(service_fn(move |request| respond::<Paced>(inner, request)));
    let mut wire = Wire::new(pipe_to(service));
    wire.send(b"POST /any HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\nabc").await?;
    wire.answer().await
}

/// A body with a limit of five seconds.
struct Paced {
    body: Incoming,
    timer: Pin<Box<Sleep>>,
}

impl Paced {
    fn new(body: Incoming) -> Self {
        Self { body, timer: Box::pin(sleep(Duration::from_secs(5))) }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.timer.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
        }
        Pin::new(&mut self.body).poll_frame(cx).map_err(Into::into)
    }
}
