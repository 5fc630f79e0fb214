//! A client that records what it read. It reads the whole response, and then passes it on.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use tonic::body::Body;
use tower::BoxError;
use tower_service::Service;

use super::Headers;

/// A response from the wire.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Raw {
    status: StatusCode,
    headers: Headers,
    data: Vec<u8>,
    trailers: Option<Headers>,
}

#[derive(Clone, Default)]
pub(super) struct Recorder(Arc<Mutex<Option<Raw>>>);

impl Recorder {
    pub(super) fn take(&self) -> Raw {
        self.0.lock().unwrap().take().expect("there was a response")
    }
}

impl Service<Request<Body>> for Recorder {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let kept = self.0.clone();
        Box::pin(async move {
            let client = legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
            let (head, body) = client.request(request).await?.into_parts();
            let body = body.collect().await?;
            let trailers = body.trailers().cloned();
            let data = body.to_bytes();
            *kept.lock().unwrap() = Some(Raw::new(&head, &data, trailers.as_ref()));
            Ok(Response::from_parts(head, replayed(data, trailers)))
        })
    }
}

fn replayed(data: Bytes, trailers: Option<HeaderMap>) -> Body {
    let frames = [(!data.is_empty()).then(|| Frame::data(data)), trailers.map(Frame::trailers)];
    let frames = frames.into_iter().flatten().map(Ok::<_, BoxError>);
    Body::new(StreamBody::new(stream::iter(frames.collect::<Vec<_>>())))
}

impl Raw {
    fn new(head: &http::response::Parts, data: &[u8], trailers: Option<&HeaderMap>) -> Self {
        let headers = others(&head.headers);
        Self { status: head.status, headers, data: data.to_vec(), trailers: trailers.map(others) }
    }

    /// Returns true if the first message's flag states compression.
    pub(super) fn is_compressed(&self) -> bool {
        self.data.first() == Some(&1)
    }
}

/// Returns the headers in order, without the id and the time.
pub(super) fn others(headers: &HeaderMap) -> Headers {
    let others = headers.iter().filter(|(name, _)| *name != "x-request-id" && *name != "date");
    others.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
}
