//! Tests how much of an error's body is read and for how long, and that the body is still there.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, StreamBody};
use tokio::time::Instant;
use tower::{Layer, ServiceExt, service_fn};
use tower_error_envelope::client::{ClientError, ErrorReader, ReadErrorLayer};

const ENVELOPE: &str = r#"{"error":{"code":"conflict","message":"Taken."},"request_id":"r1"}"#;

type Frames = Vec<Result<Frame<Bytes>, io::Error>>;

fn data(text: &str) -> Result<Frame<Bytes>, io::Error> {
    Ok(Frame::data(Bytes::copy_from_slice(text.as_bytes())))
}

fn failed() -> Result<Frame<Bytes>, io::Error> {
    Err(io::ErrorKind::ConnectionReset.into())
}

fn trailers() -> Result<Frame<Bytes>, io::Error> {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-end", "1".parse().unwrap());
    Ok(Frame::trailers(trailers))
}

fn answer(status: u16, frames: Frames) -> Response<impl Body<Data = Bytes, Error = io::Error>> {
    let body = StreamBody::new(Box::pin(stream::iter(frames)));
    Response::builder().status(status).header("x-error-code", "conflict").body(body).unwrap()
}

/// Returns the error, the part of the body that arrived after that, how the body ended, and its trailers.
async fn through<B: Body<Data = Bytes, Error = io::Error>>(
    response: Response<B>,
) -> (Option<ClientError>, String, bool, Option<HeaderMap>) {
    let mut response = Some(response);
    let inner = service_fn(move |_: Request<()>| std::future::ready(Ok::<_, Infallible>(response.take().unwrap())));
    let reader = ErrorReader::new().limit(ENVELOPE.len()).time(Duration::from_secs(2));
    let response = ReadErrorLayer::new(reader).layer(inner).oneshot(Request::new(())).await.unwrap();
    let (head, body) = response.into_parts();
    let (mut body, mut text, mut ended, mut end) = (Box::pin(body), String::new(), true, None);
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => text.push_str(str::from_utf8(&data).unwrap()),
            Ok(Err(frame)) => end = frame.into_trailers().ok(),
            Err(_) => {
                ended = false;
                break;
            }
        }
    }
    assert!(!ended || body.is_end_stream() || body.frame().await.is_none());
    (head.extensions.get().cloned(), text, ended, end)
}

#[tokio::test(start_paused = true)]
async fn a_body_is_read_and_there_still() {
    let (half, rest) = ENVELOPE.split_at(20);
    let (error, text, ended, end) = through(answer(409, vec![data(half), data(rest), trailers()])).await;
    assert_eq!(error.unwrap().message(), "Taken.");
    assert_eq!((&*text, ended, end.is_some()), (ENVELOPE, true, true));
}

#[tokio::test(start_paused = true)]
async fn of_a_long_body_or_one_that_breaks_off_the_head_decides() {
    let more = vec![data(ENVELOPE), data(" "), data(" "), trailers()];
    for (frames, whole, ends) in [(more, 2, true), (vec![data(ENVELOPE), failed()], 0, false)] {
        let (error, text, ended, _) = through(answer(409, frames)).await;
        let error = error.unwrap();
        assert_eq!((error.code().as_str(), error.shape()), ("conflict", None));
        assert_eq!((text.len(), ended), (ENVELOPE.len() + whole, ends));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let stuck = StreamBody::new(stream::iter(vec![data("{")]).chain(stream::pending()).boxed());
    let response = Response::builder().status(503).body(stuck).unwrap();
    let begun = Instant::now();
    let reader = ErrorReader::new().time(Duration::from_secs(2));
    let error = reader.check(response).await.map(|_| ()).unwrap_err();
    assert_eq!((error.code().as_str(), begun.elapsed().as_secs()), ("service_unavailable", 2));
}

#[tokio::test]
async fn what_is_no_error_passes_unread() {
    let (error, text, ended, end) = through(answer(200, vec![data("a"), data("b"), failed()])).await;
    assert!(error.is_none() && !ended && end.is_none());
    assert_eq!(text, "ab");
    let call = |status: &str| {
        let head = Response::builder().header("content-type", "application/grpc").header("grpc-status", status);
        head.body(Empty::<Bytes>::new()).unwrap()
    };
    assert!(ErrorReader::new().check(call("0")).await.is_ok());
    assert!(ErrorReader::new().check(call("five")).await.is_ok());
    assert_eq!(ErrorReader::new().check(call("5")).await.map(|_| ()).unwrap_err().grpc(), Some(5));
}
