//! A pool of HTTP/1.1 connections to the service: hyper-util's, with a rule of our own for what goes back into it.
//!
//! A service may close a connection right after its response without having said so, and a request that crosses with the
//! close is lost: it may have arrived, so that nobody may send it again. hyper-util's ready-made client gives a
//! connection out the moment its response ends, which is when that happens (1 in 200 back to back in a test). Here it
//! first shows for a moment that it stays open. Only a request of which not a byte was written goes to another one.

use std::mem;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, Uri};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::client::pool::cache;
use hyper_util::rt::TokioExecutor;
use tower::{Service, ServiceExt, service_fn};

use crate::BoxError;
use crate::connect::connect;
use crate::proxy::{Answer, Link, Lost};

/// Longer than a close takes to arrive, short enough that connections stay few.
const SETTLES: Duration = Duration::from_millis(5);
/// Shorter than what services usually wait (5 s in Node, 75 s in nginx): they seldom close under a request.
const IDLE: Duration = Duration::from_secs(4);
/// hyper's 100 is fewer than a service with many cookies sends.
const MAX_HEADERS: usize = 512;

pub(crate) fn link<B>(upstream: Authority) -> Link<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let target = upstream.clone();
    let pool = cache::builder()
        .executor(TokioExecutor::new())
        .build(service_fn(move |()| Box::pin(open(target.clone()))));
    Link::new(service_fn(move |mut request| {
        prepare(&mut request, &upstream);
        let mut pool = pool.clone();
        async move {
            loop {
                pool.retain(Connection::is_fit);
                let mut connection = pool.ready().await?.call(()).await?;
                let answer = connection.call(request);
                tokio::spawn(settle(connection));
                match answer.await {
                    Ok(response) => return Ok(response),
                    Err(Lost { unsent: Some(unsent), .. }) => request = unsent,
                    Err(Lost { error, .. }) => return Err(error.into()),
                }
            }
        }
    }))
}

/// Holds a connection until its response is through and it has shown that it stays open. Dropped, it goes back to the
/// pool; the pool forgets it where it was not ready.
async fn settle<B>(mut connection: impl Service<Request<B>>) {
    if connection.ready().await.is_ok() {
        tokio::time::sleep(SETTLES).await;
        let _ = connection.ready().await;
    }
}

/// What hyper's client expects of its user: the origin form, a host, and a word about a body of unknown length, without
/// which it would drop that of a GET.
fn prepare<B: Body>(request: &mut Request<B>, upstream: &Authority) {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(Uri::default, Uri::from);
    let (body, unknown) = (request.body(), request.body().size_hint().exact().is_none());
    let chunked = unknown && !body.is_end_stream() && !request.headers().contains_key(CONTENT_LENGTH);
    let headers = request.headers_mut();
    if chunked {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if !headers.contains_key(HOST)
        && let Ok(host) = HeaderValue::from_str(upstream.as_str())
    {
        headers.insert(HOST, host);
    }
}

async fn open<B>(upstream: Authority) -> Result<Connection<B>, BoxError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let stream = connect(&upstream).await?;
    let (mut sender, connection) = Builder::new().max_headers(MAX_HEADERS).handshake(stream).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection to the service ended");
        }
    });
    // Else a stale wish for a first request looks as if the first response were through already.
    sender.ready().await?;
    Ok(Connection { sender, ready_since: Instant::now(), fresh: true })
}

struct Connection<B> {
    sender: SendRequest<B>,
    ready_since: Instant,
    /// Whether it has neither been used nor waited in the pool.
    fresh: bool,
}

impl<B> Connection<B> {
    /// Asked of each that waits in the pool.
    fn is_fit(&mut self) -> bool {
        self.fresh = false;
        self.sender.is_ready() && self.ready_since.elapsed() < IDLE
    }
}

impl<B> Service<Request<B>> for Connection<B>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    type Response = http::Response<Incoming>;
    type Error = Lost<B>;
    type Future = Answer<Lost<B>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost<B>>> {
        ready!(self.sender.poll_ready(cx)).map_err(|error| Lost { error, unsent: None })?;
        self.ready_since = Instant::now();
        Poll::Ready(Ok(()))
    }

    /// A fresh one that fails keeps its request: a service that closes each connection would be asked for ever.
    fn call(&mut self, request: Request<B>) -> Answer<Lost<B>> {
        let fresh = mem::replace(&mut self.fresh, false);
        let answer = self.sender.try_send_request(request);
        Box::pin(async move {
            answer.await.map_err(|error| {
                let lost = Lost::from(error);
                Lost { unsent: lost.unsent.filter(|_| !fresh), ..lost }
            })
        })
    }
}
