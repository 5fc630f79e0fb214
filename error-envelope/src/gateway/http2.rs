//! One HTTP/2 connection to the service, by prior knowledge, made again when it is gone: hyper-util's `Singleton`.
//!
//! hyper-util's ready-made client keeps a connection for each authority, and in HTTP/2 the authority is what the client
//! asked for: strangers would open as many as they can think of names.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::client::pool::singleton::Singleton;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::{Service, ServiceExt, service_fn};

use super::connect::connect;
use super::limits::UpstreamLimits;
use super::proxy::Remote;
use super::upstream::Upstream;
use super::{BoxError, headers};

pub(crate) fn connections<B>(upstream: Upstream, limits: UpstreamLimits) -> Remote<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let target = upstream.clone();
    let pool = Singleton::new(service_fn(move |()| open(target.clone(), limits)));
    Remote::new(service_fn(move |mut request| {
        prepare(&mut request, &upstream);
        let mut pool = pool.clone();
        async move {
            // Once: a service that closes each connection would be asked for ever.
            let mut again = true;
            loop {
                pool.retain(|connection| !connection.0.is_closed());
                let mut connection = pool.ready().await?.call(()).await?;
                match connection.call(request).await {
                    Ok(response) => return Ok(response),
                    Err(mut error) => match error.take_message() {
                        // Not a byte of it was written: the connection was on its way out.
                        Some(unsent) if mem::take(&mut again) => request = unsent,
                        _ => return Err(error.into_error().into()),
                    },
                }
            }
        }
    }))
}

/// `:authority` is what `host` said (RFC 9113 §8.3.1).
fn prepare<B>(request: &mut Request<B>, upstream: &Upstream) {
    *request.version_mut() = Version::HTTP_2;
    let host = request.headers_mut().remove(HOST);
    let asked = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    *request.uri_mut() = headers::target(
        upstream.scheme(),
        asked.as_ref().unwrap_or(&upstream.authority),
        request.uri().path_and_query(),
    );
}

async fn open<B>(upstream: Upstream, limits: UpstreamLimits) -> Result<Connection<SendRequest<B>>, BoxError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let stream = connect(&upstream).await?;
    let (sender, connection) = client(limits).handshake(stream).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the HTTP/2 connection to the service ended");
        }
    });
    Ok(Connection(sender))
}

fn client(limits: UpstreamLimits) -> Builder<TokioExecutor> {
    let mut client = Builder::new(TokioExecutor::new());
    client
        .timer(TokioTimer::new())
        .keep_alive_interval(*limits.upstream_ping_interval)
        .keep_alive_timeout(*limits.upstream_ping_timeout)
        // All requests go over it: one that has died in silence would be found by the next of them.
        .keep_alive_while_idle(true)
        .initial_stream_window_size(limits.upstream_stream_window.window())
        .initial_connection_window_size(limits.upstream_connection_window.window())
        .max_send_buf_size(limits.upstream_stream_window.in_memory());
    client
}

#[derive(Clone)]
struct Connection<S>(S);

impl<B> Service<Request<B>> for Connection<SendRequest<B>>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    type Response = Response<Incoming>;
    type Error = TrySendError<Request<B>>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    /// Never fails: `Singleton` would forget whatever connection it has by then, even one that others are waiting for.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(self.0.try_send_request(request))
    }
}
