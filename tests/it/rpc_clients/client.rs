//! Clients of each kind with one type, and what each call saw.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::Uri;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use tokio::time::timeout;
use tonic::metadata::MetadataMap;
use tonic::transport::Endpoint;
use tonic::{Request, Response, Status, Streaming};
use tonic_web::GrpcWebClientLayer;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Layer, Service, ServiceExt};

use super::expected::Row;
use crate::rpc_app::SCENARIO;
use crate::rpc_app::pb::Words;
use crate::rpc_app::pb::echo_client::EchoClient;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
pub(super) enum Call {
    Say,
    Collect,
    Repeat,
    Talk,
}

pub(super) const CALLS: [Call; 4] = [Call::Say, Call::Collect, Call::Repeat, Call::Talk];

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Transport {
    /// tonic's channel, which ends a call at its own deadline.
    Channel,
    /// hyper's client, which leaves deadlines to the server.
    Http2,
    Web1,
    Web2,
}

/// The result of a call.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) head: MetadataMap,
    pub(super) words: Vec<Words>,
    pub(super) failed: Option<Status>,
}

pub(super) struct Client(Wire, Uri);

type Wire = BoxCloneSyncService<http::Request<tonic::body::Body>, http::Response<Body>, BoxError>;

impl Transport {
    /// Returns true if the transport can play the row. tonic's channel would not wait for the server's status.
    pub(super) fn can(self, row: &Row) -> bool {
        self != Self::Channel || row.deadline_ms.is_none()
    }
}

impl Client {
    pub(super) async fn new(transport: Transport, address: SocketAddr) -> Self {
        let uri = Uri::try_from(format!("http://{address}")).unwrap();
        let mut hyper = legacy::Client::builder(TokioExecutor::new());
        let web = GrpcWebClientLayer::new();
        let wire = match transport {
            Transport::Channel => boxed(Endpoint::from(uri.clone()).connect().await.unwrap()),
            Transport::Http2 => boxed(hyper.http2_only(true).build_http()),
            Transport::Web1 => boxed(web.layer(hyper.build_http())),
            Transport::Web2 => boxed(web.layer(hyper.http2_only(true).build_http())),
        };
        Self(wire, uri)
    }

    /// Makes a call with one text, with three, or with one text three times. The call has its own time limit.
    pub(super) async fn call(&self, call: Call, row: &Row) -> Seen {
        timeout(PATIENCE, self.asking(call, row)).await.unwrap_or_default()
    }

    /// Sends all of these texts, in a row.
    pub(super) async fn collect(&self, texts: &[String]) -> Seen {
        let mut client = EchoClient::with_origin(self.0.clone(), self.1.clone());
        let all = texts.iter().map(|text| words(text)).collect::<Vec<_>>();
        Seen::of_one(client.collect(stream::iter(all)).await)
    }

    async fn asking(&self, call: Call, row: &Row) -> Seen {
        let mut client = EchoClient::with_origin(at_service(&row.service, self.0.clone()), self.1.clone());
        let last = words(&if row.big { "x".repeat(LIMIT + 1) } else { "hello".to_owned() });
        let all = stream::iter([words("one"), words("two"), last.clone()]);
        match call {
            Call::Say => Seen::of_one(client.say(row.request(last)).await),
            Call::Collect => Seen::of_one(client.collect(row.request(all)).await),
            Call::Repeat => Seen::of_many(client.repeat(row.request(last)).await).await,
            Call::Talk => Seen::of_many(client.talk(row.request(all)).await).await,
        }
    }
}

impl Row {
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(SCENARIO, self.scenario.parse().unwrap());
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        if let Some(deadline) = self.deadline_ms {
            request.set_timeout(Duration::from_millis(deadline));
        }
        request
    }
}

impl Seen {
    fn of_one(answer: Result<Response<Words>, Status>) -> Self {
        match answer {
            Ok(response) => {
                Self { head: response.metadata().clone(), words: vec![response.into_inner()], failed: None }
            }
            Err(status) => Self { failed: Some(status), ..Self::default() },
        }
    }

    async fn of_many(answer: Result<Response<Streaming<Words>>, Status>) -> Self {
        let mut seen = Self::default();
        match answer {
            Err(status) => seen.failed = Some(status),
            Ok(response) => {
                seen.head = response.metadata().clone();
                let mut stream = response.into_inner();
                while let Some(words) = stream.message().await.unwrap_or_else(|status| {
                    seen.failed = Some(status);
                    None
                }) {
                    seen.words.push(words);
                }
            }
        }
        seen
    }

    /// Returns true if this is the success of a valid call.
    pub(super) fn succeeded(&self, call: Call) -> bool {
        let texts = self.words.iter().map(|words| &*words.text).collect::<Vec<_>>();
        let expected = match call {
            Call::Say => vec!["hello"],
            Call::Collect => vec!["onetwohello"],
            Call::Repeat => vec!["hello"; 3],
            Call::Talk => vec!["one", "two", "hello"],
        };
        let greeted = self.head.get("x-greeting").is_some_and(|greeting| greeting == "hello");
        self.failed.is_none() && greeted && self.head.contains_key("x-request-id") && texts == expected
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

/// The layer's default for a message.
const LIMIT: usize = 1024 * 1024;

fn words(text: &str) -> Words {
    Words { text: text.to_owned(), count: 3 }
}

/// The other service of the proto has the same methods.
fn at_service(service: &str, wire: Wire) -> Wire {
    let path = format!("/echo.v1.{service}/");
    boxed(wire.map_request(move |mut request: http::Request<_>| {
        let uri = request.uri().to_string().replacen("/echo.v1.Echo/", &path, 1);
        *request.uri_mut() = uri.parse().unwrap();
        request
    }))
}

fn boxed<S, R>(service: S) -> Wire
where
    S: Service<http::Request<tonic::body::Body>, Response = http::Response<R>> + Clone + Send + Sync + 'static,
    S: Service<http::Request<tonic::body::Body>, Error: Into<BoxError>, Future: Send>,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    BoxCloneSyncService::new(
        service.map_err(Into::into).map_response(|response: http::Response<R>| response.map(Body::new)),
    )
}
