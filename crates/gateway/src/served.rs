//! hyper's server for one connection, which is dropped while the client is silent.
//!
//! hyper keeps some 16 KiB of buffers for a connection that waits for its next request, and more once a body has gone
//! through them. So after a while without a request over HTTP/1, its server is dropped, and created again at the first
//! byte. A silent connection then needs as little memory as one that has not sent anything yet, and the memory of many
//! silent connections is soon free for others. (hyper-util's `auto` also detects the version by the first bytes, but
//! keeps its server, and limits heads only together with everything else that is read.)

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
use super::deadlines::End;
use super::limits::ClientLimits;
use super::poll_on_wake::PollOnWake;
use super::read_size::{ReadSize, large};

/// How long a connection must be silent before its server is dropped: a client with a single request is done by then.
const SHORT_SILENCE: Duration = Duration::from_millis(100);
/// The same for a client that sent another request soon after its server was dropped, or that has sent a part of a
/// head. It is longer than the pauses of a busy client, and short compared with the time that a client may be idle.
const LONG_SILENCE: Duration = Duration::from_secs(2);

/// How hyper serves each connection.
pub(super) struct Servers {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    piece: u32,
}

impl Servers {
    /// `half_close` stays off. A client that has closed its writing side looks the same as one that has gone: with
    /// `half_close`, the service would continue to work for a lost client, whose request must be logged as abandoned
    /// (rule F2).
    pub(super) fn new(limits: &ClientLimits) -> Self {
        let (mut http1, mut http2) = (http1::Builder::new(), http2::Builder::new(TokioExecutor::new()));
        // hyper's own time limit for heads is off, because it sets a timer for each head: `idle` limits that time
        // instead.
        http1.header_read_timeout(None).max_header_size(limits.max_head as usize);
        http1.max_buf_size(large(limits.stream_buffer).max(limits.max_head as usize));
        // `client` adds the date to each response. In HTTP/1, the error responses that hyper makes itself have hyper's
        // date.
        http2
            .auto_date_header(false)
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
///
/// With many connections, this one's memory has left all caches when its next request comes. So the fields that each
/// poll reads are close together, and the others are in a box.
pub(super) struct Served<T, S: HttpService<Incoming>> {
    state: State<T, S>,
    waits: PollOnWake<Box<Waits>>,
    servers: Arc<Servers>,
    connection: Arc<ConnectionState>,
    /// When its server was last dropped.
    server_dropped: Option<Instant>,
}

enum State<T, S: HttpService<Incoming>> {
    Quiet(Box<QuietConnection<T, S>>),
    Http1(Box<http1::UpgradeableConnection<Io<T>, S>>),
    Http2(Pin<Box<http2::Connection<Io<T>, S, TokioExecutor>>>),
    /// The connection is closed between two requests: over TLS the client gets a notice first.
    Closing(Box<ClientStream<T>>),
    Ended,
}

/// A connection without a server.
struct QuietConnection<T, S> {
    stream: ClientStream<T>,
    service: S,
    is_new: bool,
}

/// What a connection waits for besides its requests.
struct Waits {
    /// Set while there is a server that can be dropped.
    silence: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    deadline: Pin<Box<dyn Future<Output = End> + Send>>,
}

/// Which of [`Waits`] resolved.
enum WaitOutcome {
    Silent,
    Deadline(End),
}

impl Future for Waits {
    type Output = WaitOutcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<WaitOutcome> {
        if self.silence.as_mut().is_some_and(|silence| silence.as_mut().poll(cx).is_ready()) {
            self.silence = None;
            return Poll::Ready(WaitOutcome::Silent);
        }
        self.deadline.as_mut().poll(cx).map(WaitOutcome::Deadline)
    }
}

/// The result of a step.
#[derive(Debug)]
pub(super) enum Step {
    /// The connection has ended, with the result of hyper's future.
    Ended(Result<(), BoxError>),
    Deadline(End),
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
    /// `deadline` resolves once the connection must end.
    pub(super) fn new(
        servers: Arc<Servers>,
        stream: T,
        service: S,
        connection: Arc<ConnectionState>,
        deadline: impl Future<Output = End> + Send + 'static,
    ) -> Self {
        let stream = ClientStream::new(stream, ReadSize::new(servers.piece), Arc::clone(&connection));
        let state = State::Quiet(Box::new(QuietConnection { stream, service, is_new: true }));
        let waits = PollOnWake::new(Box::new(Waits { silence: None, deadline: Box::pin(deadline) }));
        Self { state, waits, servers, connection, server_dropped: None }
    }

    /// Ends the connection after its current requests, but at `deadline` at the latest.
    pub(super) fn graceful_shutdown(&mut self, deadline: impl Future<Output = End> + Send + 'static) {
        // `silence: None`, since the server must not be dropped now: a new one would not be shutting down.
        **self.waits.get_mut() = Waits { silence: None, deadline: Box::pin(deadline) };
        self.state = match std::mem::replace(&mut self.state, State::Ended) {
            State::Quiet(quiet) => State::Closing(Box::new(quiet.stream)),
            State::Http1(mut server) => {
                Pin::new(&mut *server).graceful_shutdown();
                State::Http1(server)
            }
            State::Http2(mut server) => {
                server.as_mut().graceful_shutdown();
                State::Http2(server)
            }
            ends @ (State::Closing(_) | State::Ended) => ends,
        };
    }

    /// Creates the server for the client's HTTP version, once the client has begun to send.
    fn poll_new_server(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let State::Quiet(quiet) = &mut self.state else { return Poll::Ready(Ok(())) };
        let is_http2 = if quiet.is_new { ready!(quiet.stream.poll_is_http2(cx))? } else { false };
        let begins = is_http2 || ready!(quiet.stream.poll_has_bytes(cx))?;
        let State::Quiet(quiet) = std::mem::replace(&mut self.state, State::Ended) else {
            return Poll::Ready(Ok(()));
        };
        let QuietConnection { mut stream, service, .. } = *quiet;
        self.state = if !begins {
            State::Closing(Box::new(stream))
        } else if is_http2 {
            stream.set_shared();
            State::Http2(Box::pin(self.servers.http2.serve_connection(TokioIo::new(stream), service)))
        } else {
            let (connection, least) = (Arc::clone(&self.connection), self.shortest_silence());
            self.waits.get_mut().silence =
                Some(Box::pin(async move { connection.activity.wait_for_silence(least, LONG_SILENCE).await }));
            State::Http1(Box::new(self.servers.http1.serve_connection(TokioIo::new(stream), service).with_upgrades()))
        };
        Poll::Ready(Ok(()))
    }

    /// How long the connection must be silent before a new server is dropped, at least.
    fn shortest_silence(&self) -> Duration {
        match self.server_dropped {
            Some(server_dropped) if server_dropped.elapsed() < LONG_SILENCE => LONG_SILENCE,
            _ => SHORT_SILENCE,
        }
    }

    /// Drops the server, between two requests.
    fn drop_server(&mut self) {
        self.server_dropped = Some(Instant::now());
        let State::Http1(server) = std::mem::replace(&mut self.state, State::Ended) else { return };
        if let Some(parts) = server.into_parts() {
            let mut stream = parts.io.into_inner();
            stream.rewind(&parts.read_buf);
            self.state = State::Quiet(Box::new(QuietConnection { stream, service: parts.service, is_new: false }));
        }
    }

    /// Ready once the connection has ended, or must end.
    pub(super) fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        loop {
            // The server is polled first, so that it handles everything that has arrived before it may be dropped.
            let ended = match &mut self.state {
                State::Quiet(_) => match self.poll_new_server(cx) {
                    Poll::Ready(Ok(())) => continue,
                    other => other,
                },
                State::Http1(server) => Pin::new(&mut **server).poll(cx).map_err(Into::into),
                State::Http2(server) => server.as_mut().poll(cx).map_err(Into::into),
                State::Closing(stream) => Pin::new(&mut **stream).poll_shutdown(cx).map_err(Into::into),
                State::Ended => Poll::Ready(Ok(())),
            };
            if let Poll::Ready(ended) = ended {
                return Poll::Ready(Step::Ended(ended));
            }
            match ready!(Pin::new(&mut self.waits).poll(cx)) {
                WaitOutcome::Silent => self.drop_server(),
                WaitOutcome::Deadline(end) => return Poll::Ready(Step::Deadline(end)),
            }
        }
    }
}

#[cfg(test)]
mod tests;
