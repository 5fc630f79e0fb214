//! The checks of each app, and their results in a few words.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Method, Request, Response, request};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Incoming;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, Protocol, Upload};
use crate::kit::{Answer, SECRET, answer};

/// The address of the routes that each app has.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) prefix: &'static str,
    pub(crate) protocol: Protocol,
}

pub(crate) struct Check {
    pub(crate) name: &'static str,
    /// Runs the check. Returns `None` if the check does not apply to the protocol.
    pub(crate) run: fn(Target) -> BoxFuture<'static, Option<String>>,
}

macro_rules! checks {
    ($($name:literal => $run:ident),* $(,)?) => {
        pub(crate) const CHECKS: &[Check] =
            &[$(Check { name: $name, run: |target| async move { $run(target).await.into() }.boxed() }),*];
    };
}

checks! {
    "no such path" => no_such_path,
    "another method" => another_method,
    "a rejection: JSON of a wrong type" => rejection,
    "panic in the handler" => panic_in_handler,
    "panic in the response body" => panic_in_body,
    "over the limit, declared" => declared,
    "over the limit, chunked" => chunked,
    "HEAD of no such path" => head,
    "the handler's id, and the client's" => id,
    "trailers" => trailers,
    "server-sent events" => events,
    "WebSocket" => websocket,
}

async fn no_such_path(target: Target) -> String {
    summary(&target.ask(Method::GET, "/missing").await)
}

async fn another_method(target: Target) -> String {
    let answer = target.ask(Method::PUT, "/ok").await;
    let allow = if answer.header("allow").is_some() { ", `allow` kept" } else { "" };
    summary(&answer) + allow
}

async fn rejection(target: Target) -> String {
    let request = target.request(Method::POST, "/json").header("content-type", "application/json");
    summary(&target.send(request, full("\"no number\"")).await)
}

/// Checks a panic. The next request uses the same connection, so a panic affects no other request.
async fn panic_in_handler(target: Target) -> String {
    let mut client = target.connect().await;
    let panicked = client.send(target.request(Method::GET, "/panic").body(empty()).unwrap()).await.unwrap();
    let panicked = answer(panicked).await;
    let next = client.send(target.request(Method::GET, "/ok").body(empty()).unwrap()).await.unwrap();
    format!("{}, then {}", summary(&panicked), next.status().as_u16())
}

async fn panic_in_body(target: Target) -> String {
    let mut response = target.respond(Method::GET, "/panic-in-body").await;
    assert_eq!((response.status().as_u16(), first(&mut response).await), (200, Bytes::from("begun")));
    let broken = response.body_mut().frame().await.is_some_and(|frame| frame.is_err());
    let next = target.ask(Method::GET, "/ok").await;
    format!("{}, then {}", if broken { "broken off" } else { "ended as if whole" }, next.head.status.as_u16())
}

/// One byte more than the default limit.
const TOO_MUCH: usize = 1024 * 1024 + 1;

async fn declared(target: Target) -> String {
    summary(&target.send(target.request(Method::POST, "/upload"), full(vec![b'x'; TOO_MUCH])).await)
}

async fn chunked(target: Target) -> String {
    let piece = Bytes::from(vec![b'x'; TOO_MUCH]);
    let pieces = (0..TOO_MUCH).step_by(16 * 1024).map(move |at| piece.slice(at..TOO_MUCH.min(at + 16 * 1024)));
    let body = StreamBody::new(futures_util::stream::iter(pieces.map(|piece| Ok::<_, Infallible>(Frame::data(piece)))));
    summary(&target.send(target.request(Method::POST, "/upload"), Upload::new(body)).await)
}

/// Checks that the headers are those of GET, except those that differ between requests (E5).
async fn head(target: Target) -> String {
    let own = |answer: &Answer| {
        let mut headers = answer.head.headers.clone();
        let length = headers.remove("content-length");
        for each_its_own in ["x-request-id", "date"] {
            headers.remove(each_its_own);
        }
        (headers, length)
    };
    let get = target.ask(Method::GET, "/missing").await;
    let head = target.ask(Method::HEAD, "/missing").await;
    assert_eq!(head.body, "");
    head.id();
    let code = head.header("x-error-code").unwrap_or("no code");
    let ((get, length), (head_only, its_length)) = (own(&get), own(&head));
    assert_eq!(get, head_only);
    let but = if length == its_length { "" } else { ", another `content-length`" };
    format!("{} `{code}`{but}", head.head.status.as_u16())
}

async fn id(target: Target) -> String {
    let request = target.request(Method::GET, "/id").header("x-request-id", "a-guess");
    let answer = target.send(request, empty()).await;
    if answer.body == answer.id() { "the same".into() } else { format!("{:?} and {}", answer.body, answer.id()) }
}

/// Checks trailers. The app returns the trailer that it got, or `none`.
async fn trailers(target: Target) -> String {
    let sum = HeaderMap::from_iter([(http::HeaderName::from_static("content-digest"), HeaderValue::from_static("7"))]);
    let frames = [Frame::data(Bytes::from("abc")), Frame::trailers(sum)].map(Ok::<_, Infallible>);
    let body = Upload::new(StreamBody::new(futures_util::stream::iter(frames)));
    let request =
        target.request(Method::POST, "/trailers").header("te", "trailers").header("trailer", "content-digest");
    let response = target.connect().await.send(request.body(body).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap();
    match body.trailers().and_then(|trailers| trailers.get("content-digest")).and_then(|sum| sum.to_str().ok()) {
        Some("7") => "both ways".into(),
        Some("none") => "of the response; it shows no request's".into(),
        Some(other) => other.into(),
        None => "it has none".into(),
    }
}

/// Checks that the first event is not held back for the second one, which never comes.
async fn events(target: Target) -> String {
    let mut response = target.respond(Method::GET, "/events").await;
    assert_eq!(response.headers()["content-type"].to_str().unwrap().split(';').next(), Some("text/event-stream"));
    let event = first(&mut response).await;
    let text = String::from_utf8_lossy(&event);
    if text.trim().replace(": ", ":") == "data:one" { "one by one".into() } else { text.into_owned() }
}

async fn websocket(target: Target) -> Option<String> {
    if target.protocol == Protocol::Http2 {
        return None;
    }
    let stream = TcpStream::connect(target.address).await.unwrap();
    let uri = format!("ws://test{}/ws", target.prefix);
    let (mut socket, response) = match tokio_tungstenite::client_async(uri, stream).await {
        Ok(connected) => connected,
        Err(tokio_tungstenite::tungstenite::Error::Http(refused)) => {
            return Some(format!("refused: {}", refused.status().as_u16()));
        }
        Err(error) => panic!("{error}"),
    };
    assert!(response.headers().contains_key("x-request-id"), "I1: also on 101");
    // A server that does not allow upgrades closes the connection here.
    let _ = socket.send(Message::text("echo")).await;
    Some(match socket.next().await {
        Some(Ok(echo)) if echo == Message::text("echo") => "echoes".into(),
        Some(Err(_)) => "its server has none".into(),
        other => format!("{other:?}"),
    })
}

/// Describes a response of the layer, or any other response.
fn summary(answer: &Answer) -> String {
    let status = answer.head.status.as_u16();
    assert!(!String::from_utf8_lossy(&answer.body).contains(SECRET));
    match answer.header("x-error-code") {
        Some(code) => {
            answer.expect_envelope(status, code);
            format!("{status} `{code}`")
        }
        None => format!("{status} as it came"),
    }
}

async fn first(response: &mut Response<Incoming>) -> Bytes {
    response.body_mut().frame().await.unwrap().unwrap().into_data().unwrap()
}

fn empty() -> Upload {
    Upload::new(Empty::new())
}

fn full(body: impl Into<Bytes>) -> Upload {
    Upload::new(Full::new(body.into()))
}

impl Target {
    async fn connect(self) -> Client {
        Client::connect(self.address, self.protocol).await
    }

    fn request(self, method: Method, path: &str) -> request::Builder {
        Request::builder().method(method).uri(format!("{}{path}", self.prefix))
    }

    async fn respond(self, method: Method, path: &str) -> Response<Incoming> {
        let request = self.request(method, path).body(empty()).unwrap();
        let mut client = self.connect().await;
        client.send(request).await.unwrap()
    }

    async fn ask(self, method: Method, path: &str) -> Answer {
        self.send(self.request(method, path), empty()).await
    }

    async fn send(self, request: request::Builder, body: Upload) -> Answer {
        let mut client = self.connect().await;
        answer(client.send(request.body(body).unwrap()).await.unwrap()).await
    }
}
