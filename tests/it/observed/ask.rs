//! One request over HTTP/1 or HTTP/2, and everything that a client sees of its response.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{Request, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// The longest time of a response that comes at all.
const TOO_LONG: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct Ask {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    sends: Sends,
    http2: bool,
    /// The number of bytes that suffices for an endless body.
    enough: usize,
}

#[derive(Clone, Debug)]
enum Sends {
    Nothing,
    Declared(Sent),
    /// A body whose length is not stated.
    Chunked(Sent),
}

#[derive(Clone, PartialEq)]
struct Sent(Bytes);

/// The response that a client sees.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    body: Sent,
    trailers: Option<Vec<(String, String)>>,
    broken: bool,
}

impl Ask {
    pub(super) fn new(method: &'static str, path: &str) -> Self {
        let (headers, sends, http2) = (Vec::new(), Sends::Nothing, false);
        Self { method, path: path.to_owned(), headers, sends, http2, enough: usize::MAX }
    }

    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn declared(self, body: impl Into<Bytes>) -> Self {
        Self { sends: Sends::Declared(Sent(body.into())), ..self }
    }

    pub(super) fn chunked(self, body: impl Into<Bytes>) -> Self {
        Self { sends: Sends::Chunked(Sent(body.into())), ..self }
    }

    pub(super) fn enough(self, enough: usize) -> Self {
        Self { enough, ..self }
    }

    pub(super) fn over_http2(self) -> Self {
        Self { http2: true, ..self }
    }

    /// Returns the response, or `None` if no head arrives.
    pub(super) async fn send(&self, address: SocketAddr) -> Option<Seen> {
        tokio::time::timeout(TOO_LONG, self.sent(address)).await.unwrap_or_else(|_| panic!("no end: {self:?}"))
    }

    async fn sent(&self, address: SocketAddr) -> Option<Seen> {
        let mut builder = Client::builder(TokioExecutor::new());
        let client = builder.http2_only(self.http2).retry_canceled_requests(false).build_http();
        let mut request = Request::builder().method(self.method).uri(format!("http://{address}{}", self.path));
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let (head, body) = client.request(request.body(self.body()).unwrap()).await.ok()?.into_parts();
        let headers = lines(&head.headers);
        let mut seen =
            Seen { status: head.status.as_u16(), headers, body: Sent(Bytes::new()), trailers: None, broken: false };
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Some(seen);
        }
        let (mut body, mut read) = (body, Vec::new());
        while let Some(frame) = body.frame().await {
            match frame.map(Frame::into_data) {
                Ok(Ok(data)) => read.extend_from_slice(&data),
                Ok(Err(frame)) => seen.trailers = frame.trailers_ref().map(lines),
                Err(_) => {
                    seen.broken = true;
                    break;
                }
            }
            if read.len() >= self.enough {
                read.truncate(self.enough);
                break;
            }
        }
        seen.body = Sent(read.into());
        Some(seen)
    }

    fn body(&self) -> UnsyncBoxBody<Bytes, Infallible> {
        match &self.sends {
            Sends::Nothing => Full::default().boxed_unsync(),
            Sends::Declared(Sent(body)) => Full::new(body.clone()).boxed_unsync(),
            Sends::Chunked(Sent(body)) => StreamBody::new(stream::iter([Ok(Frame::data(body.clone()))])).boxed_unsync(),
        }
    }
}

impl Seen {
    pub(super) fn id(&self) -> String {
        self.header("x-request-id").expect("every answer of the layer has an id").clone()
    }

    /// Returns the code of an error that the layer wrote.
    pub(super) fn code(&self) -> Option<&String> {
        self.header("x-error-code")
    }

    fn header(&self, name: &str) -> Option<&String> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub(super) fn is_but_for_the_id(&self, bare: &Self) -> bool {
        self.without_what_differs() == bare.without_what_differs()
    }

    /// The axum example writes its id into a body, and a date depends on the second.
    fn without_what_differs(&self) -> Self {
        let others = |(name, _): &&(String, String)| name != "x-request-id" && name != "date";
        let mut body = self.body.0.to_vec();
        if let Some(at) = body.windows(4).position(|part| part == b"req_") {
            body.drain(at..at + 30);
        }
        let headers = self.headers.iter().filter(others).cloned().collect();
        Self {
            status: self.status,
            headers,
            body: Sent(body.into()),
            trailers: self.trailers.clone(),
            broken: self.broken,
        }
    }
}

/// Returns the lines in their order.
fn lines(headers: &http::HeaderMap) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into())).collect()
}

impl std::fmt::Debug for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes {:?}", self.0.len(), self.0.slice(..self.0.len().min(80)))
    }
}
