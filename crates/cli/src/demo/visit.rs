//! One request to the gateway, and the client's response.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::BoxError;

use super::acts::{DemoCase, DemoRequest};

/// The longest wait for a response. The layer waits at most 1 s for an error's body, so a response that takes longer
/// than this never comes.
const PATIENCE: Duration = Duration::from_secs(4);

/// The bodies that the demo sends.
pub(super) type RequestBody = UnsyncBoxBody<Bytes, BoxError>;

pub(super) type DemoClient = Client<HttpConnector, RequestBody>;

/// The response that a client got.
pub(super) struct DemoResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) broken: bool,
}

/// Sends the request of the act; returns an error if no response came.
pub(super) async fn visit(client: DemoClient, address: SocketAddr, act: &DemoCase) -> Result<DemoResponse, String> {
    let answer = async {
        let mut response = client.request(request(address, act)?).await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let body = converse(hyper::upgrade::on(&mut response)).await?;
            let (head, _) = response.into_parts();
            return Ok(DemoResponse { status: head.status, headers: head.headers, body, broken: false });
        }
        Ok(read(response).await)
    };
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(got) => got.map_err(|error: BoxError| format!("no answer: {error}")),
        Err(_) => Err(format!("no complete response within {PATIENCE:?}")),
    }
}

fn request(address: SocketAddr, act: &DemoCase) -> Result<Request<RequestBody>, BoxError> {
    let request = Request::builder().uri(format!("http://{address}{}", act.path));
    let empty = || Empty::new().map_err(|never| match never {}).boxed_unsync();
    let full = |size| Full::new(Bytes::from(vec![b'a'; size])).map_err(|never| match never {}).boxed_unsync();
    Ok(match act.request {
        DemoRequest::Get => request.body(empty()),
        DemoRequest::Head => request.method("HEAD").body(empty()),
        DemoRequest::Upgrade => request.header(CONNECTION, "upgrade").header(UPGRADE, "websocket").body(empty()),
        DemoRequest::Declared(size) => request.method("POST").body(full(size)),
        DemoRequest::Chunked(size) => request.method("POST").header(TRANSFER_ENCODING, "chunked").body(full(size)),
    }?)
}

async fn read(response: Response<Incoming>) -> DemoResponse {
    let (head, mut incoming) = response.into_parts();
    let mut got = DemoResponse { status: head.status, headers: head.headers, body: Vec::new(), broken: false };
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => got.body.extend_from_slice(frame.data_ref().map_or(&[], |data| data)),
            Err(_) => got.broken = true,
        }
    }
    got
}

async fn converse(upgrade: OnUpgrade) -> Result<Vec<u8>, BoxError> {
    let mut stream = TokioIo::new(upgrade.await?);
    stream.write_all(b"echo").await?;
    let mut reply = vec![0; 4];
    stream.read_exact(&mut reply).await?;
    Ok(reply)
}

impl DemoResponse {
    /// The error code in the response's head.
    pub(super) fn code(&self) -> &str {
        self.header("x-error-code")
    }

    /// The first value of a header; empty if it is absent, or not text.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The text in the JSON body at this pointer; empty if there is none.
    pub(super) fn member(&self, pointer: &str) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    }
}
