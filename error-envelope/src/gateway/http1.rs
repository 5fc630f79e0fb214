//! A pool of HTTP/1.1 connections to the service: hyper-util's, with a rule of our own for what goes back into it.
//!
//! A service may close a connection right after its response without having said so, and a request that crosses with the
//! close is lost: it may have arrived, so that nobody may send it again. hyper-util's ready-made client gives a
//! connection out the moment its response ends, which is when that happens (1 in 200 back to back in a test). Here it
//! first shows for a moment that it stays open. Only a request of which not a byte was written goes to another one.

use std::mem;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::uri::{Authority, Uri};
use http_body::Body;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::client::pool::cache;
use hyper_util::rt::TokioExecutor;
use tower::{Service, ServiceExt, service_fn};

use super::BoxError;
use super::connect::connect;
use super::limits::UpstreamLimits;
use super::proxy::Remote;
use super::upstream::Upstream;

/// How often those that nobody asks for are looked at.
const SWEEP: Duration = Duration::from_secs(1);

pub(crate) fn connections<B>(upstream: Upstream, limits: UpstreamLimits) -> Remote<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let target = upstream.clone();
    let pool = cache::builder()
        .executor(TokioExecutor::new())
        .build(service_fn(move |()| Box::pin(open(target.clone(), limits))));
    let mut idle = pool.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(SWEEP).await;
            idle.retain(Connection::is_fit);
        }
    });
    Remote::new(service_fn(move |mut request| {
        prepare(&mut request, &upstream.authority);
        let mut pool = pool.clone();
        async move {
            loop {
                pool.retain(Connection::is_fit);
                let mut connection = pool.ready().await?.call(()).await?;
                let fresh = mem::take(&mut connection.inner_mut().fresh);
                let answer = connection.inner_mut().sender.try_send_request(request);
                // Dropped at the end, it goes back to the pool.
                tokio::spawn(async move { connection.inner_mut().settle().await });
                match answer.await {
                    Ok(response) => return Ok(response),
                    Err(mut error) => match error.take_message() {
                        Some(unsent) if !fresh => request = unsent,
                        _ => return Err(error.into_error().into()),
                    },
                }
            }
        }
    }))
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

async fn open<B>(upstream: Upstream, limits: UpstreamLimits) -> Result<Connection<B>, BoxError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let stream = connect(&upstream).await?;
    let mut client = Builder::new();
    client.max_headers(limits.upstream_headers as usize).max_buf_size(limits.upstream_buffer.in_memory());
    let (mut sender, connection) = client.handshake(stream).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection to the service ended");
        }
    });
    // hyper's task asks for a first request once it runs; asked too late, it would look like the end of a response.
    sender.ready().await?;
    Ok(Connection { sender, limits, idle_since: Instant::now(), fresh: true })
}

struct Connection<B> {
    sender: SendRequest<B>,
    limits: UpstreamLimits,
    idle_since: Instant,
    /// Neither used nor kept waiting. One that fails all the same is not replaced, or a service that closes each would be
    /// asked for ever.
    fresh: bool,
}

impl<B> Connection<B> {
    /// Waits until the response is through, and then whether the connection stays open.
    async fn settle(&mut self) {
        if self.sender.ready().await.is_ok() {
            tokio::time::sleep(*self.limits.upstream_settle).await;
            self.idle_since = Instant::now();
        }
    }

    /// Asked of each that waits in the pool.
    fn is_fit(&mut self) -> bool {
        self.fresh = false;
        self.sender.is_ready() && self.idle_since.elapsed() < *self.limits.upstream_idle_timeout
    }
}
