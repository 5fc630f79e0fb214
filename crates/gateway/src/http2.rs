//! HTTP/2 connections to the service. TLS negotiates HTTP/2 by ALPN. Without TLS, the gateway assumes that the service
//! supports HTTP/2 ("prior knowledge").
//!
//! hyper-util's client is not used, because it keeps a connection for each authority. In HTTP/2, the client's request
//! contains the authority. So unauthenticated clients could make the gateway open a connection for each name that they
//! invent.

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use error_envelope_core::policy::UpstreamUrl;
use h2::Reason;
use http::header::HOST;
use http::uri::{self, Authority, PathAndQuery, Uri};
use http::{Request, Response, Version, request};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tower::BoxError;

use super::config::UpstreamLimits;
use super::connect::connect;
use super::pool::{Connection, ForwardBody, Observed, Outgoing, PoolSlot, Reached, Sends, Unanswered};
use super::read_size::ReadSize;
use super::upstream::Upstream;

/// Prepares a head for HTTP/2. `:authority` gets the value of `host` (RFC 9113 §8.3.1).
pub(crate) fn prepare(head: &mut request::Parts, service: &UpstreamUrl) {
    head.version = Version::HTTP_2;
    let host = head.headers.remove(HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let mut parts = uri::Parts::default();
    parts.scheme = Some(service.scheme().clone());
    parts.authority = Some(authority.unwrap_or_else(|| service.authority().clone()));
    let path = head.uri.path_and_query().cloned();
    parts.path_and_query = Some(path.unwrap_or(PathAndQuery::from_static("/")));
    head.uri = Uri::from_parts(parts).unwrap_or_default();
}

/// The number of streams that h2 reports until the service's settings arrive. The settings cannot contain this value.
const UNKNOWN: usize = usize::MAX - 1;

/// The interval between checks for the settings, which come with the service's first bytes.
const CHECK_EVERY: Duration = Duration::from_millis(1);

/// Opens a connection to the service.
pub(crate) async fn open<B: ForwardBody>(upstream: Upstream, slot: PoolSlot) -> Result<Http2<B>, BoxError> {
    let limits = upstream.limits;
    let (stream, _) = connect(&upstream).await?;
    let stream = Observed::new(stream, Arc::default(), slot, ReadSize::new(limits.buffer));
    let (sender, mut connection) = client(limits).handshake(TokioIo::new(stream)).await?;
    while connection.current_max_send_streams() == UNKNOWN {
        if let Ok(ended) = tokio::time::timeout(CHECK_EVERY, &mut connection).await {
            ended?;
            return Err(not_connected("the service closed the connection before it sent its HTTP/2 settings"));
        }
    }
    if connection.current_max_send_streams() == 0 {
        return Err(not_connected("the service allows no HTTP/2 streams"));
    }
    let connection = Arc::new(Mutex::new(Some(connection)));
    let polled = Arc::clone(&connection);
    tokio::spawn(poll_fn(move |cx| {
        let mut guard = polled.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(connection) = guard.as_mut() else { return Poll::Ready(()) };
        if let Err(error) = ready!(Pin::new(connection).poll(cx)) {
            tracing::debug!(target: "error_envelope::gateway::http2", %error, "HTTP/2 connection to the service ended with an error");
        }
        let ended = guard.take();
        drop(guard);
        drop(ended);
        Poll::Ready(())
    }));
    let last = AtomicUsize::new(UNKNOWN);
    let room = move || {
        // If the connection's task holds the lock, the last known value is returned. The pool is locked here, so this
        // function must not wait.
        if let Ok(connection) = connection.try_lock() {
            last.store(connection.as_ref().map_or(0, |it| it.current_max_send_streams()), Relaxed);
        }
        last.load(Relaxed)
    };
    Ok(Http2 { sender, room: Arc::new(room) })
}

/// Returns the error for a service that accepts no requests on a new connection. Such a service is treated as
/// unreachable (F4a).
fn not_connected(text: &'static str) -> BoxError {
    io::Error::new(io::ErrorKind::NotConnected, text).into()
}

/// The factor by which the size limit for a response head is higher than over HTTP/1. HTTP/2 counts more bytes for each
/// header line. If a head exceeds this limit, only its own request fails (F7). h2 ends the whole connection only if a
/// head exceeds the limit by a further quarter.
const HEAD_FACTOR: u32 = 4;

fn client(limits: UpstreamLimits) -> Builder<TokioExecutor> {
    let mut client = Builder::new(TokioExecutor::new());
    client
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.ping_interval)
        .keep_alive_timeout(limits.ping_timeout)
        // Many requests share a connection. Without pings while it is idle, only the next request would detect that the
        // connection has died silently.
        .keep_alive_while_idle(true)
        .initial_max_send_streams(UNKNOWN)
        .initial_stream_window_size(limits.stream_window)
        .initial_connection_window_size(limits.connection_window)
        .max_send_buf_size(limits.stream_window as usize)
        .max_header_list_size(limits.buffer.saturating_mul(HEAD_FACTOR));
    client
}

/// A handle to a connection to the service.
pub(crate) struct Http2<B> {
    sender: SendRequest<Outgoing<B>>,
    /// Returns the number of streams that the service currently allows. Two handles belong to the same connection if
    /// they share this function.
    room: Arc<dyn Fn() -> usize + Send + Sync>,
}

impl<B: Send + 'static> Connection for Http2<B> {
    const IS_SHARED: bool = true;

    fn is_fit(&self) -> bool {
        !self.sender.is_closed()
    }

    fn has_ended(&self) -> bool {
        self.sender.is_closed()
    }

    fn room(&self) -> usize {
        (self.room)()
    }

    fn share(&self) -> Option<Self> {
        Some(Self { sender: self.sender.clone(), room: Arc::clone(&self.room) })
    }

    fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.room, &other.room)
    }

    fn poll_reusable(&mut self, _: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(self.is_fit())
    }
}

impl<B: ForwardBody> Sends<B> for Http2<B> {
    fn send(
        &mut self,
        request: Request<Outgoing<B>>,
    ) -> impl Future<Output = Result<Response<Incoming>, Unanswered<B>>> + Send {
        self.sender.try_send_request(request)
    }

    fn reached(&self, error: &hyper::Error) -> Reached {
        reached(error)
    }
}

/// Returns how far a request got. A reset is the service's response to one request, unless its code means that the
/// request was not processed (RFC 9113 §8.7). GOAWAY means that the service did not process the requests after the last
/// request that GOAWAY names.
fn reached(error: &hyper::Error) -> Reached {
    match error.source().and_then(|source| source.downcast_ref::<h2::Error>()) {
        Some(error) if error.is_remote() && error.is_go_away() => Reached::Unprocessed,
        Some(error) if error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM) => Reached::Unprocessed,
        Some(error) if error.is_reset() => Reached::Response,
        _ => Reached::Service,
    }
}
