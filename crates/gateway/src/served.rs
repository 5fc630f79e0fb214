//! Runs hyper's server for one connection. The server is dropped while the client is silent.
//!
//! hyper keeps about 16 KiB of buffers for a connection that waits for its next request, and more after a large body.
//! So over HTTP/1, hyper's server is dropped after a while without a request, and created again at the next byte. (The
//! `auto` server of hyper-util also detects the version from the first bytes, but it keeps its server. It has no
//! separate limit for the size of heads.)

use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::rt::bounds::Http2ServerConnExec;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tower::BoxError;

use super::client_stream::ClientStream;
use super::config::ClientLimits;
use super::deadlines::{Deadlines, End};
use super::read_size::{ReadSize, large};

const LOG: &str = "error_envelope::gateway::served";

/// The settings for hyper's servers, which all connections share.
pub(super) struct Servers {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    piece: u32,
}

impl Servers {
    /// Creates the settings. `half_close` stays off, because a client that has closed its writing side looks the same
    /// as a client that has left. With `half_close`, the service would continue to work for a client that has left,
    /// although such a request must be logged as abandoned (F2).
    pub(super) fn new(limits: &ClientLimits) -> Self {
        let (mut http1, mut http2) = (http1::Builder::new(), http2::Builder::new(TokioExecutor::new()));
        // hyper's own time limit for heads is turned off, because `idle` limits this time in any HTTP version.
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

/// Serves the requests of a connection until it ends.
pub(super) async fn serve<T, S, B>(servers: Arc<Servers>, stream: T, mut service: S, deadlines: Deadlines)
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>>,
    B: Body<Error: Into<BoxError>> + 'static,
    TokioExecutor: Http2ServerConnExec<S::Future, B>,
{
    // `FuturesUnordered` polls the deadline only when the deadline wakes the task, and not with each request.
    let mut deadline = FuturesUnordered::from_iter([deadlines.first()]);
    let mut stream = ClientStream::new(stream, ReadSize::new(servers.piece), Arc::clone(&deadlines.state));
    // Data that has arrived is handled before the connection may be closed.
    let is_http2 = tokio::select! {
        biased;
        is_http2 = stream.is_http2() => is_http2,
        Some(end) = deadline.next() => return close(stream, end, &deadlines).await,
    };
    if is_http2.is_ok_and(|is_http2| is_http2) {
        // The servers for HTTP/1 and HTTP/2 are boxed, so that a connection without a server needs no memory for one.
        let mut served = Box::pin(servers.http2.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            biased;
            ended = served.as_mut() => ended,
            Some(end) = deadline.next() => {
                let End::Graceful = end else { return };
                served.as_mut().graceful_shutdown();
                in_time(served, &deadlines).await
            }
        };
        return log(ended);
    }
    loop {
        let served = servers.http1.serve_connection(TokioIo::new(stream), service).with_upgrades();
        let mut served = Box::pin(served);
        let mut rest = FuturesUnordered::from_iter([deadlines.state.activity.rests()]);
        tokio::select! {
            biased;
            ended = &mut served => return log(ended),
            Some(()) = rest.next() => {}
            Some(end) = deadline.next() => {
                let End::Graceful = end else { return };
                served.as_mut().graceful_shutdown();
                return log(in_time(served, &deadlines).await);
            }
        }
        let Some(parts) = Pin::into_inner(served).into_parts() else { return };
        (stream, service) = (parts.io.into_inner(), parts.service);
        stream.rewind(&parts.read_buf);
        // The remaining bytes would keep hyper's whole buffer in memory.
        drop(parts.read_buf);
        let has_more = tokio::select! {
            biased;
            has_more = stream.read_ahead() => has_more,
            Some(end) = deadline.next() => return close(stream, end, &deadlines).await,
        };
        if !has_more.is_ok_and(|has_more| has_more) {
            // Over TLS, this sends the client a notification that the connection ends.
            return close(stream, End::Graceful, &deadlines).await;
        }
    }
}

/// Ends a connection between two requests.
async fn close(mut stream: impl AsyncWrite + Unpin, end: End, deadlines: &Deadlines) {
    if let End::Graceful = end {
        let _ = in_time(stream.shutdown(), deadlines).await;
    }
}

/// Waits for the end of a connection that is shutting down, but no longer than the deadlines allow.
async fn in_time<E>(served: impl Future<Output = Result<(), E>>, deadlines: &Deadlines) -> Result<(), E> {
    tokio::select! {
        biased;
        ended = served => ended,
        () = deadlines.last() => Ok(()),
    }
}

fn log(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(target: LOG, %error, "client connection ended with an error");
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use hyper::service::service_fn;
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};
    use tokio::sync::watch;
    use tokio::time::sleep;

    use super::*;
    use crate::connection_state::ConnectionState;
    use crate::count::Clients;
    use crate::in_flight::Stage;

    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: test.example\r\n\r\n";
    /// A time that is longer than the silence after which hyper's server is dropped.
    const LONG: Duration = Duration::from_secs(5);
    const MIB: usize = 1 << 20;

    /// Returns a client's stream, whose buffer has the size `room`, and the sender that stops the gateway. The service
    /// responds with the length and a checksum of the request body. It responds to `/early` before the body is read,
    /// and to `/long` with a mebibyte.
    fn served(room: usize) -> (DuplexStream, watch::Sender<Stage>) {
        let (client, stream) = duplex(room);
        let state = ConnectionState::new(Clients::new());
        let of_requests = Arc::clone(&state);
        let service = service_fn(move |request: Request<Incoming>| {
            let (active, body) = (of_requests.begin(request.version()), of_requests.begin_body(false));
            async move {
                let path = request.uri().path().to_owned();
                let answer = match &*path {
                    "/early" => {
                        tokio::spawn(async move {
                            sleep(3 * LONG).await;
                            drop((request, body));
                        });
                        "early".into()
                    }
                    "/long" => "x".repeat(MIB),
                    _ => {
                        let bytes = request.into_body().collect().await.unwrap().to_bytes();
                        drop(body);
                        sum(&bytes)
                    }
                };
                drop(active);
                Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(answer)))
            }
        });
        let limits = Arc::new(ClientLimits::default().max_head(8 << 10));
        let (stages, stage) = watch::channel(Stage::Serving);
        let deadlines = Deadlines { limits: Arc::clone(&limits), stage, state, alpn_is_http2: false };
        tokio::spawn(serve(Arc::new(Servers::new(&limits)), stream, service, deadlines));
        (client, stages)
    }

    fn sum(bytes: &[u8]) -> String {
        format!(
            "{} {}",
            bytes.len(),
            bytes.iter().fold(0_u64, |sum, it| sum.wrapping_mul(31).wrapping_add((*it).into()))
        )
    }

    async fn answer(client: &mut DuplexStream, ends: &str) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(ends.as_bytes()) {
            assert!(client.read_buf(&mut answer).await.unwrap() > 0, "{}", String::from_utf8_lossy(&answer));
        }
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_pauses_between_requests_and_within_a_head_loses_nothing() {
        let (mut client, _stages) = served(MIB);
        for _ in 0..3 {
            sleep(LONG).await;
            client.write_all(GET).await.unwrap();
            assert!(answer(&mut client, "0 0").await.starts_with("HTTP/1.1 200 OK\r\n"));
            sleep(LONG).await;
            for half in [&GET[..9], &GET[9..]] {
                client.write_all(half).await.unwrap();
                sleep(LONG).await;
            }
            answer(&mut client, "0 0").await;
        }
        // The client has closed its writing side, and still reads. It gets the end of the stream.
        client.shutdown().await.unwrap();
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_of_a_body_is_no_request_after_a_pause() {
        let (mut client, _stages) = served(1024);
        client.write_all(b"POST /early HTTP/1.1\r\nhost: test.example\r\ncontent-length: 39\r\n\r\n").await.unwrap();
        answer(&mut client, "early").await;
        sleep(LONG).await;
        let _ = client.write_all(GET).await;
        let mut rest = String::new();
        let _ = tokio::time::timeout(2 * LONG, client.read_to_string(&mut rest)).await;
        assert_eq!(rest, "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_late_gets_all() {
        let (mut client, _stages) = served(1024);
        client.write_all(b"GET /long HTTP/1.1\r\nhost: test.example\r\n\r\n").await.unwrap();
        sleep(LONG).await;
        answer(&mut client, &"x".repeat(MIB)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_arrives_as_it_was_sent_and_a_head_has_its_own_limit() {
        let body: Vec<u8> = (0..3 * MIB).map(|at| (at % 251) as u8).collect();
        let head = |padding: usize| {
            let (length, padding) = (body.len(), "x".repeat(padding));
            format!("POST / HTTP/1.1\r\nhost: test.example\r\nx-padding: {padding}\r\ncontent-length: {length}\r\n\r\n")
        };
        let (mut client, _stages) = served(4 * MIB);
        for padding in [1, 8_000] {
            client.write_all(head(padding).as_bytes()).await.unwrap();
            client.write_all(&body).await.unwrap();
            answer(&mut client, &sum(&body)).await;
        }
        client.write_all(head(8_200).as_bytes()).await.unwrap();
        let mut refused = String::new();
        client.read_to_string(&mut refused).await.unwrap();
        assert!(refused.starts_with("HTTP/1.1 431 "), "{refused}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_a_quiet_connection() {
        for bytes in [&b""[..], b"PRI * HT", GET] {
            let (mut client, stages) = served(MIB);
            client.write_all(bytes).await.unwrap();
            sleep(LONG).await;
            stages.send_replace(Stage::Stopping);
            let mut rest = Vec::new();
            tokio::time::timeout(LONG, client.read_to_end(&mut rest)).await.expect("it ends").unwrap();
        }
    }
}
