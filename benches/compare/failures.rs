//! The twelve failures, and what a client gets of each at the end of a connection.

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;

use crate::service::SECRET;
use crate::stacks::Stack;

const JSON: &str = "application/json";
const GRPC: &str = "application/grpc";
/// The length of a body over axum's own limit, which is 2 MB.
const TOO_LONG: usize = 3 * 1024 * 1024;

pub(crate) struct Failure {
    /// The status that any stack should return.
    pub(crate) status: u16,
    pub(crate) name: &'static str,
    method: Method,
    path: &'static str,
    content_type: Option<&'static str>,
    body: &'static [u8],
    /// A header that must also reach the client.
    kept: Option<HeaderName>,
}

pub(crate) fn failures() -> [Failure; 12] {
    let get = |status, name, path| Failure {
        status,
        name,
        method: Method::GET,
        path,
        content_type: None,
        body: b"",
        kept: None,
    };
    let post = |status, name, path, content_type, body| Failure {
        method: Method::POST,
        content_type: Some(content_type),
        body,
        ..get(status, name, path)
    };
    [
        get(404, "empty", "/nothing"),
        Failure { kept: Some(ALLOW), ..get(405, "with `Allow`", "/orders") },
        post(422, "rejected JSON", "/orders", JSON, br#"{"quantity":"many"}"#),
        get(500, "panic", "/panics"),
        post(413, "long body", "/orders", JSON, &[b' '; TOO_LONG]),
        get(408, "time limit", "/waits"),
        get(500, "with secret", "/fails"),
        Failure { kept: Some(RETRY_AFTER), ..get(429, "with `Retry-After`", "/limited") },
        Failure { method: Method::HEAD, ..get(404, "to HEAD", "/nothing") },
        get(404, "proxied HTML", "/proxied"),
        get(500, "by `anyhow`", "/stock"),
        post(404, "to gRPC", "/shop.Orders/Place", GRPC, b"\0\0\0\0\0"),
    ]
}

impl Failure {
    /// Returns a cell of the table. It has the status if that is wrong, the form of the body, leaked texts and missing
    /// parts.
    pub(crate) async fn seen(&self, stack: Stack) -> String {
        let Some((head, body, trailers)) = self.provoke(stack).await else { return "no response".to_owned() };
        if let Some(status) = trailers.get("grpc-status").or(head.headers.get("grpc-status")) {
            return format!("`grpc-status: {}`", status.to_str().expect("a number"));
        }
        let status = if head.status == self.status { String::new() } else { format!("{} ", head.status.as_u16()) };
        let mut cell = format!("{status}{}", self.body(&head, &body));
        if body.windows(SECRET.len()).any(|it| it == SECRET.as_bytes()) {
            cell += ", secret";
        }
        if let Some(kept) = self.kept.as_ref().filter(|name| !head.headers.contains_key(*name)) {
            cell += &format!(", no `{}`", if *kept == ALLOW { "Allow" } else { "Retry-After" });
        }
        cell
    }

    fn body(&self, head: &response::Parts, body: &[u8]) -> String {
        let content_type = head.headers.get(CONTENT_TYPE).map_or("", |it| it.to_str().expect("a media type"));
        let has_id = head.headers.contains_key("x-request-id");
        let json: Option<Value> = serde_json::from_slice(body).ok();
        let has = |pointer| json.as_ref().and_then(|it| it.pointer(pointer)).is_some_and(Value::is_string);
        let is_full = if self.method == Method::HEAD { has_id } else { has("/error/code") && has("/request_id") };
        let kind = match content_type.split(';').next() {
            Some(JSON) if is_full => return "full".to_owned(),
            Some(JSON | "application/problem+json") => "JSON",
            Some("text/html") => "HTML",
            Some("text/plain") => "text",
            _ => "empty",
        };
        format!("{kind}{}", if has_id { ", id" } else { "" })
    }

    /// Sends the request. Returns `None` if the connection breaks first.
    async fn provoke(&self, stack: Stack) -> Option<(response::Parts, Bytes, HeaderMap)> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        tokio::spawn(stack.service().serve(theirs));
        let (head, body) = self.send(TokioIo::new(ours)).await.ok()?.into_parts();
        let body = body.collect().await.ok()?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Some((head, body.to_bytes(), trailers))
    }

    /// Sends the request. gRPC needs HTTP/2; all others are sent as curl sends them.
    async fn send(&self, io: TokioIo<tokio::io::DuplexStream>) -> hyper::Result<Response<Incoming>> {
        let request = Request::builder().method(self.method.clone()).header(HOST, "shop.example");
        let request = match self.content_type {
            Some(content_type) => request.header(CONTENT_TYPE, content_type),
            None => request,
        };
        let body = Full::new(Bytes::from_static(self.body));
        if self.content_type == Some(GRPC) {
            let request = request.uri(format!("http://shop.example{}", self.path)).header("te", "trailers").body(body);
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            return sender.send_request(request.expect("a request")).await;
        }
        let (mut sender, connection) = http1::handshake(io).await?;
        tokio::spawn(connection);
        sender.send_request(request.uri(self.path).body(body).expect("a request")).await
    }
}

/// The requests whose cost is counted, with the status that proves that each was handled.
pub(crate) const COUNTED: [(&str, &str, StatusCode); 2] =
    [("200", "/", StatusCode::OK), ("404", "/nothing", StatusCode::NOT_FOUND)];
