//! hyper's server of one connection, and none while its client says nothing.
//!
//! Of a connection that waits for its next request hyper keeps some 16 KiB of buffers, and more once a body has gone through
//! them. So after a while without a request over HTTP/1 its server is taken down, and made anew from the first byte on: a
//! connection that says nothing costs the same whether it has said something before, and what many held at once is soon there
//! for the next ones. (hyper-util's `auto` also chooses by the first bytes, but keeps its server, and has no limit for heads
//! apart from the one for all that is read.)

use std::future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, Service};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tower::BoxError;

use super::client_stream::ClientStream;
use super::connection_state::ConnectionState;
use super::limits::ClientLimits;
use super::rarely::{Rarely, Wakes};
use super::read_size::{ReadSize, large};

/// A client that asks once is done by then.
const SHORT_REST: Duration = Duration::from_millis(100);
/// Longer than the pauses of a client that is at work, and short beside the time that it may be idle. It also holds for a
/// client that speaks again so soon after its server was taken down, or has sent half a head.
const LONG_REST: Duration = Duration::from_secs(2);

/// How hyper serves each connection.
pub(super) struct Servers {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    piece: u32,
}

impl Servers {
    /// `half_close` stays off: a client that has closed its writing side looks like one that is gone, and the service would
    /// work on for nobody (rule F2 logs such a request as abandoned).
    pub(super) fn new(limits: &ClientLimits) -> Self {
        let (mut http1, mut http2) = (http1::Builder::new(), http2::Builder::new(TokioExecutor::new()));
        // What a head may take is a matter of `idle`: hyper has a timer of its own for each.
        http1.header_read_timeout(None).max_header_size(limits.max_head as usize);
        http1.max_buf_size(large(limits.stream_buffer).max(limits.max_head as usize));
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(limits.ping_interval)
            .keep_alive_timeout(limits.ping_timeout)
            .max_concurrent_streams(limits.max_streams)
            .max_send_buf_size(limits.stream_buffer as usize)
            .initial_stream_window_size(limits.stream_buffer)
            .initial_connection_window_size(limits.connection_window)
            .max_header_list_size(limits.max_head);
        Self { http1, http2, piece: limits.stream_buffer }
    }
}

type Io<T> = TokioIo<ClientStream<T>>;

/// A connection, from its first byte to its end.
pub(super) struct Served<T, S: HttpService<Incoming>> {
    servers: Arc<Servers>,
    connection: Arc<ConnectionState>,
    /// Of what waits beside the server.
    wakes: Arc<Wakes>,
    state: State<T, S>,
    /// When its server was last taken down.
    rested: Option<Instant>,
    /// It was asked to end: a new server would not know.
    ends: bool,
}

enum State<T, S: HttpService<Incoming>> {
    Quiet {
        stream: ClientStream<T>,
        service: S,
        is_new: bool,
    },
    Http1 {
        server: Box<http1::UpgradeableConnection<Io<T>, S>>,
        rests: Rarely<Pin<Box<dyn Future<Output = ()> + Send>>>,
    },
    Http2(Pin<Box<http2::Connection<Io<T>, S, TokioExecutor>>>),
    /// It ends between two requests: TLS says so to the client.
    Closing(ClientStream<T>),
    Ended,
}

impl<T, S, B> Served<T, S>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    B: Body + 'static,
    B::Error: Into<BoxError>,
    TokioExecutor: Http2ServerConnExec<S::Future, B>,
{
    pub(super) fn new(
        servers: Arc<Servers>,
        stream: T,
        service: S,
        connection: Arc<ConnectionState>,
        wakes: Arc<Wakes>,
    ) -> Self {
        let stream = ClientStream::new(stream, ReadSize::new(servers.piece), Arc::clone(&connection));
        let state = State::Quiet { stream, service, is_new: true };
        Self { servers, connection, wakes, state, rested: None, ends: false }
    }

    /// How it ended, as hyper's connections resolve.
    pub(super) fn ended(&mut self) -> impl Future<Output = Result<(), BoxError>> {
        future::poll_fn(|cx| self.poll(cx))
    }

    /// It ends with what is under way.
    pub(super) fn graceful_shutdown(&mut self) {
        self.ends = true;
        match &mut self.state {
            State::Quiet { .. } => {
                if let State::Quiet { stream, .. } = std::mem::replace(&mut self.state, State::Ended) {
                    self.state = State::Closing(stream);
                }
            }
            State::Http1 { server, .. } => Pin::new(&mut **server).graceful_shutdown(),
            State::Http2(server) => server.as_mut().graceful_shutdown(),
            State::Closing(_) | State::Ended => {}
        }
    }

    /// What serves its client, once it has begun to speak.
    fn poll_speaks(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let State::Quiet { stream, is_new, .. } = &mut self.state else { return Poll::Ready(Ok(())) };
        let is_http2 = if *is_new { ready!(stream.poll_is_http2(cx))? } else { false };
        let begins = is_http2 || ready!(stream.poll_begins(cx))?;
        let State::Quiet { mut stream, service, .. } = std::mem::replace(&mut self.state, State::Ended) else {
            return Poll::Ready(Ok(()));
        };
        self.state = if !begins {
            State::Closing(stream)
        } else if is_http2 {
            stream.is_shared();
            State::Http2(Box::pin(self.servers.http2.serve_connection(TokioIo::new(stream), service)))
        } else {
            let server = self.servers.http1.serve_connection(TokioIo::new(stream), service).with_upgrades();
            let (connection, least) = (Arc::clone(&self.connection), self.shortest_rest());
            let rests: Pin<Box<dyn Future<Output = ()> + Send>> =
                Box::pin(async move { connection.activity.rests_for(least, LONG_REST).await });
            State::Http1 { server: Box::new(server), rests: Rarely::new(rests, Arc::clone(&self.wakes)) }
        };
        Poll::Ready(Ok(()))
    }

    /// How long a new server waits at least before it is taken down.
    fn shortest_rest(&self) -> Duration {
        match self.rested {
            Some(rested) if rested.elapsed() < LONG_REST => LONG_REST,
            _ => SHORT_REST,
        }
    }

    /// Takes its server down, between two requests.
    fn rest(&mut self) {
        self.rested = Some(Instant::now());
        let State::Http1 { server, .. } = std::mem::replace(&mut self.state, State::Ended) else { return };
        if let Some(parts) = server.into_parts() {
            let mut stream = parts.io.into_inner();
            stream.rewind(&parts.read_buf);
            self.state = State::Quiet { stream, service: parts.service, is_new: false };
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        loop {
            ready!(self.poll_speaks(cx))?;
            match &mut self.state {
                State::Http1 { server, rests } => {
                    // First the server: what it has heard by now is done before it rests.
                    if let Poll::Ready(ended) = Pin::new(&mut **server).poll(cx) {
                        return Poll::Ready(ended.map_err(Into::into));
                    }
                    if self.ends {
                        return Poll::Pending;
                    }
                    ready!(Pin::new(rests).poll(cx));
                    self.rest();
                }
                State::Http2(server) => return server.as_mut().poll(cx).map_err(Into::into),
                State::Closing(stream) => return Pin::new(stream).poll_shutdown(cx).map_err(Into::into),
                State::Quiet { .. } | State::Ended => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests;
