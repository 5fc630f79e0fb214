//! Connects to the service. Over such a connection, the gateway can still read the service's last response after the
//! service has stopped reading.
//!
//! A service that refuses an upload may respond and close the connection while the gateway is still sending the body.
//! The next write then fails. hyper would give up without reading the response, and the client would get 502 instead of
//! the service's 403. So a failed write is treated as a success, and the service's response is read. If the service
//! sent no response, the read fails.

use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use error_envelope_core::cause;
use error_envelope_core::session::{ProxyError, ProxyFailure};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, rustls};

use super::upstream::{Upstream, UpstreamTls};

/// A connection to the service, with TLS or without.
pub(crate) type Connection = Box<dyn Stream>;

/// A stream of bytes in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects to the service. The error's text names the service. The layer treats errors of this kind as failures of the
/// service.
pub(crate) async fn connect(upstream: &Upstream) -> io::Result<(Connection, Probe)> {
    let named = |error: io::Error| {
        // `io::ErrorKind` has no kind for a name that does not resolve. So such an error also gets the kind of a
        // service that cannot be reached.
        let kind = if error.kind() == io::ErrorKind::TimedOut { error.kind() } else { io::ErrorKind::NotConnected };
        let text = format!("cannot connect to {}: {error}", upstream.url.authority());
        io::Error::new(kind, ProxyFailure::new(proxy_error(&error), text))
    };
    let (host, port) = (upstream.url.host(), upstream.url.port());
    let stream = upstream.resolver.connect(host, port, upstream.response_timeout).await.map_err(named)?;
    set_socket_options(&stream)?;
    let stream = Arc::new(stream);
    let probe = Probe(Arc::downgrade(&stream));
    let stream = ServiceStream { stream, has_stopped_reading: false };
    let stream: Connection = match &upstream.tls {
        None => Box::new(stream),
        Some(tls) => Box::new(start_tls(stream, tls).await.map_err(named)?),
    };
    Ok((stream, probe))
}

/// Returns the type of a failure to connect, for `Proxy-Status` (L4).
fn proxy_error(error: &io::Error) -> ProxyError {
    use rustls::Error::InvalidCertificate;

    let tls = cause::find::<rustls::Error>(error);
    match (cause::find::<ProxyFailure>(error), error.kind()) {
        (Some(known), _) => known.kind(),
        _ if matches!(tls, Some(InvalidCertificate(_))) => ProxyError::TlsCertificateError,
        _ if tls.is_some() => ProxyError::TlsProtocolError,
        (None, io::ErrorKind::ConnectionRefused) => ProxyError::ConnectionRefused,
        (None, io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof) => ProxyError::ConnectionTerminated,
        (None, io::ErrorKind::TimedOut) => ProxyError::ConnectionTimeout,
        (None, _) => ProxyError::DestinationUnavailable,
    }
}

/// Checks whether a connection that has no request in flight is still open.
pub(crate) struct Probe(Weak<TcpStream>);

impl Probe {
    /// Returns true if the service has closed the connection, or sent bytes without a request. The check makes a system
    /// call, because tokio reports a close only a moment later. A request that is sent in that moment would be lost.
    pub(crate) fn has_ended(&self) -> bool {
        let Some(stream) = self.0.upgrade() else { return true };
        let peeked = SockRef::from(&*stream).peek(&mut [MaybeUninit::uninit()]);
        !matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

async fn start_tls(stream: ServiceStream, tls: &UpstreamTls) -> io::Result<impl Stream + use<>> {
    let stream =
        TlsConnector::from(Arc::clone(&tls.config)).connect(tls.name.clone(), stream).await.map_err(|error| {
            let kind = proxy_error(&error);
            io::Error::new(error.kind(), ProxyFailure::new(kind, format!("TLS: {error}")))
        })?;
    let wants_http2 = tls.config.alpn_protocols.iter().any(|protocol| protocol == b"h2");
    if wants_http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        let wrong = "TLS: the service does not offer HTTP/2";
        return Err(io::Error::other(ProxyFailure::new(ProxyError::TlsProtocolError, wrong)));
    }
    Ok(stream)
}

/// A stream to a service. The service may have stopped reading, and may still write.
struct ServiceStream {
    /// The socket. A [`Probe`] has only a weak reference to the socket, and does not keep it open.
    stream: Arc<TcpStream>,
    has_stopped_reading: bool,
}

impl ServiceStream {
    /// Calls `call` once the socket is ready for reading or writing.
    fn poll_try<T>(
        &self,
        cx: &mut Context<'_>,
        interest: Interest,
        mut call: impl FnMut(&TcpStream) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(match interest {
                Interest::READABLE => self.stream.poll_read_ready(cx),
                _ => self.stream.poll_write_ready(cx),
            })?;
            match call(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                called => return Poll::Ready(called),
            }
        }
    }

    /// Reads what has arrived. A read that does not fill the buffer has emptied the socket, so `WouldBlock` makes tokio
    /// wait for the next event, and saves a system call that would read nothing. `try_io` notes the last event before
    /// the read, so that an event in the meantime is not lost.
    fn try_read(&self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        let mut has_read = false;
        let read = self.stream.try_io(Interest::READABLE, || {
            let room = buf.remaining();
            let bytes = self.stream.try_read_buf(buf)?;
            has_read = true;
            if (1..room).contains(&bytes) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        if has_read { Ok(()) } else { read }
    }

    /// Returns the result of a write, or `done` if the write failed because the service no longer reads.
    fn or_done_if_unread<T>(&mut self, written: io::Result<T>, done: T) -> io::Result<T> {
        use io::ErrorKind::{BrokenPipe, ConnectionReset};
        match written {
            Err(error) if matches!(error.kind(), BrokenPipe | ConnectionReset) => {
                self.has_stopped_reading = true;
                Ok(done)
            }
            written => written,
        }
    }
}

impl AsyncRead for ServiceStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_try(cx, Interest::READABLE, |_| self.try_read(buf))
    }
}

impl AsyncWrite for ServiceStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.has_stopped_reading {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = ready!(self.poll_try(cx, Interest::WRITABLE, |stream| stream.try_write(buf)));
        Poll::Ready(self.or_done_if_unread(written, buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all = bufs.iter().map(|buf| buf.len()).sum();
        if self.has_stopped_reading {
            return Poll::Ready(Ok(all));
        }
        let written = ready!(self.poll_try(cx, Interest::WRITABLE, |stream| stream.try_write_vectored(bufs)));
        Poll::Ready(self.or_done_if_unread(written, all))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // This stream has no buffer that could be flushed.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&*self.stream).shutdown(Shutdown::Write))
    }
}

/// The time without data before the first probe. It is as long as the default interval of HTTP/2 pings to clients.
/// Firewalls forget a silent connection only after minutes.
const QUIET: Duration = Duration::from_secs(30);
/// The time between two probes. It is longer than any network round trip.
const AGAIN: Duration = Duration::from_secs(10);
/// The number of unanswered probes after which a connection is closed. A network may lose one packet, but hardly three
/// in a row.
const TIMES: u32 = 3;

/// Lets the kernel send small writes at once, and enables its keep-alive probes (RFC 9293 §3.8.4). The probes begin
/// after 30 s without data. The kernel closes a dead connection about a minute after the last data.
///
/// If a machine loses its power, or a firewall drops a connection, no packet reports the loss. On an upgraded
/// connection, and within the service's response, the other side may be silent without a time limit. In these cases,
/// only the probes detect the loss.
pub(super) fn set_socket_options(stream: &TcpStream) -> io::Result<()> {
    // Without this option, the kernel delays a small write until the previous write is acknowledged.
    stream.set_nodelay(true)?;
    let often = TcpKeepalive::new().with_time(QUIET).with_interval(AGAIN).with_retries(TIMES);
    SockRef::from(stream).set_tcp_keepalive(&often)
}
