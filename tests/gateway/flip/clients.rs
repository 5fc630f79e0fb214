//! The requests, over connections that are kept, and their responses.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Request;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::service::PAUSE;

/// The number of clients. Each keeps its connections, and every fourth uses HTTP/2.
const CLIENTS: usize = 8;
const TOO_LONG: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Asks {
    pub(super) path: &'static str,
    sends: Sends,
}

#[derive(Clone, Copy, Debug)]
enum Sends {
    Nothing,
    /// This many bytes, with a declared length.
    Declared(usize),
    /// Two pieces of this many bytes, with a pause between them.
    Slowly(usize),
}

pub(super) const REQUESTS: [Asks; 8] = [
    Asks { path: "/ok", sends: Sends::Nothing },
    Asks { path: "/seat", sends: Sends::Nothing },
    Asks { path: "/slow-head", sends: Sends::Nothing },
    Asks { path: "/slow-body", sends: Sends::Nothing },
    Asks { path: "/page", sends: Sends::Nothing },
    Asks { path: "/guarded", sends: Sends::Nothing },
    Asks { path: "/upload", sends: Sends::Declared(100) },
    Asks { path: "/upload", sends: Sends::Slowly(24) },
];

/// A response, without the parts that differ between requests.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

type Sent = UnsyncBoxBody<Bytes, Infallible>;

pub(super) struct Clients {
    address: SocketAddr,
    clients: Vec<Client<HttpConnector, Sent>>,
}

impl Clients {
    pub(super) fn new(address: SocketAddr) -> Self {
        let client = |number: usize| {
            let mut builder = Client::builder(TokioExecutor::new());
            builder.http2_only(number.is_multiple_of(4)).retry_canceled_requests(false).build_http()
        };
        Self { address, clients: (0..CLIENTS).map(client).collect() }
    }

    /// Sends a request with one of the clients.
    pub(super) async fn ask(&self, client: usize, kind: usize) -> Result<Answer, String> {
        let client = &self.clients[client % CLIENTS];
        let Asks { path, sends } = &REQUESTS[kind];
        let request = Request::builder().uri(format!("http://{}{path}", self.address));
        let request = match sends {
            Sends::Nothing => request.body(Full::default().boxed_unsync()),
            Sends::Declared(bytes) => request.method("POST").body(Full::from(vec![b'x'; *bytes]).boxed_unsync()),
            Sends::Slowly(bytes) => request.method("POST").body(slowly(*bytes)),
        };
        let answered = async {
            let response = client.request(request.unwrap()).await.map_err(|error| format!("{error:?}"))?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| format!("{head:?}: {error:?}"))?.to_bytes();
            assert!(head.headers.contains_key("x-request-id"), "{head:?}");
            Ok(Answer { status: head.status.as_u16(), headers: headers(&head.headers), body: text(&body) })
        };
        timeout(TOO_LONG, answered).await.unwrap_or_else(|_| Err(format!("no answer in {TOO_LONG:?}")))
    }
}

fn slowly(bytes: usize) -> Sent {
    let pieces = stream::iter([None, Some(PAUSE)]).then(move |pause| async move {
        if let Some(pause) = pause {
            sleep(pause).await;
        }
        Ok(Frame::data(Bytes::from(vec![b'x'; bytes])))
    });
    StreamBody::new(pieces).boxed_unsync()
}

/// Returns the headers except those of the connection. A time of day may have one more digit.
fn headers(headers: &http::HeaderMap) -> BTreeMap<String, String> {
    const OWN: [&str; 6] = ["x-request-id", "date", "content-length", "connection", "transfer-encoding", "keep-alive"];
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let others = headers.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    others.map(|(name, value)| (name.to_string(), text(value))).collect()
}

fn text(body: &[u8]) -> String {
    let Ok(mut body) = serde_json::from_slice::<Value>(body) else { return String::from_utf8(body.to_vec()).unwrap() };
    for (within, name) in [("", "request_id"), ("/meta", "request_id"), ("/meta", "ts")] {
        if let Some(Value::Object(members)) = body.pointer_mut(within) {
            members.remove(name);
        }
    }
    body.to_string()
}
