//! Closes clients' sockets in such a way that the client still gets the response.
//!
//! If a socket with unread bytes is closed, the kernel resets the connection, and the reset overtakes the response. So
//! a client that is still sending its body would never read a 413. Therefore only the writing side is closed at first.
//! The gateway then reads and drops the client's bytes for a while (RFC 9112 §9.6). This is the part of rule G5 that a
//! layer cannot implement.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Sleep;

use super::config::ClientLimits;
use super::connection_state::OpenConnection;
use super::read_size::{Room, large};

/// A permit for one of the connections that `--max-connections` allows.
pub(crate) type ConnectionSlot = OwnedSemaphorePermit;

/// A client's stream that lingers when it is dropped: its socket is closed only after the client's remaining bytes were
/// read. The stream does not linger if the client has already closed its side, or if a reset must show the client that
/// its response was cut off. If the client reads nothing for a while, the connection is reset.
pub(crate) struct Lingering {
    /// The stream and the state of its socket. The value is `None` only while `Lingering` is being dropped.
    open: Option<(TcpStream, Box<SocketState>)>,
    client_closed: bool,
    limits: Arc<ClientLimits>,
    /// The timer for a write that waits because the client does not read.
    clock: Option<Pin<Box<Sleep>>>,
}

/// State that exists as long as the socket, even after an upgrade and while the socket lingers.
struct SocketState {
    connection: OpenConnection,
    unsent: Unsent,
    _slot: Option<ConnectionSlot>,
}

/// Limits how much unsent data the kernel accepts for a client's socket.
///
/// By default, the kernel accepts megabytes for a client that reads slowly. It reports that more can be written only
/// once a third of them are sent, so a slow client would look like a stalled client. A fast client gets a higher limit,
/// as long as there is [`Room`].
struct Unsent {
    small: u32,
    room: Option<Room>,
}

impl Unsent {
    /// The time within which a fast client reads half of the waiting data. Such a client reads several MB per second.
    const FAST: Duration = Duration::from_millis(20);
    const SLOW: Duration = Duration::from_millis(500);

    fn new(small: u32, stream: &TcpStream) -> Self {
        let unsent = Self { small, room: None };
        unsent.set_unsent_limit(stream);
        unsent
    }

    /// Adjusts the socket's limit for unsent data. `time` is how long the last write had to wait for the client.
    fn adjust_after_wait(&mut self, time: Duration, stream: &TcpStream) {
        let large = large(self.small);
        match &self.room {
            None if time < Self::FAST => self.room = Room::take(large),
            Some(_) if time > Self::SLOW => self.room = None,
            _ => return,
        }
        self.set_unsent_limit(stream);
    }

    fn set_unsent_limit(&self, stream: &TcpStream) {
        let bytes = if self.room.is_some() { u32::try_from(large(self.small)).unwrap_or(u32::MAX) } else { self.small };
        // This fails if the socket is already closed. The next read then returns an error, so the result is ignored.
        #[cfg(target_os = "linux")]
        let _ = SockRef::from(stream).set_tcp_notsent_lowat(bytes);
        #[cfg(not(target_os = "linux"))]
        let _ = (stream, bytes);
    }
}

impl Lingering {
    pub(crate) fn new(
        stream: TcpStream,
        slot: Option<ConnectionSlot>,
        connection: OpenConnection,
        limits: Arc<ClientLimits>,
    ) -> Self {
        let unsent = Unsent::new(limits.stream_buffer, &stream);
        let socket = Box::new(SocketState { connection, unsent, _slot: slot });
        Self { open: Some((stream, socket)), client_closed: false, limits, clock: None }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.open.as_mut().map(|(stream, _)| Pin::new(stream)).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Returns the result of a write, or a timeout error if the write has waited for the client for too long.
    fn limit_write_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() && self.clock.is_none() {
            return written;
        }
        let limit = self.limits.write_timeout;
        let Some((stream, socket)) = &mut self.open else { return written };
        if written.is_ready() {
            if let Some(clock) = self.clock.take() {
                socket.unsent.adjust_after_wait((clock.deadline() - limit).elapsed(), stream);
            }
            return written;
        }
        ready!(self.clock.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx));
        socket.connection.state().give_up();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read its response")))
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let Some((stream, socket)) = self.open.take() else { return };
        if socket.connection.state().reset.needs_reset() {
            let _ = stream.set_zero_linger();
        } else if let (false, Ok(runtime)) = (self.client_closed, Handle::try_current()) {
            let (time, most) = (self.limits.linger_timeout, self.limits.linger_bytes);
            runtime.spawn(async move {
                let _ = tokio::time::timeout(time, drain(stream, most)).await;
                drop(socket);
            });
            return;
        }
        // The socket is closed first, and its permit for `--max-connections` is released afterwards.
        drop(stream);
    }
}

/// Reads and drops the bytes that the client still sends. The task yields after each read, so that a client that sends
/// much does not block other clients. A silent client uses no buffer.
async fn drain(mut stream: TcpStream, mut most: u64) -> io::Result<()> {
    stream.shutdown().await?;
    while most > 0 {
        stream.readable().await?;
        match drop_piece(&stream, most) {
            Ok(0) => break,
            Ok(read) => most -= read as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// The flag with which Linux drops the bytes that TCP has received, without copying them (`MSG_TRUNC`, tcp(7)).
#[cfg(target_os = "linux")]
const DROP: i32 = rustix::net::RecvFlags::TRUNC.bits().cast_signed();
#[cfg(not(target_os = "linux"))]
const DROP: i32 = 0;

fn drop_piece(stream: &TcpStream, most: u64) -> io::Result<usize> {
    let mut piece = [MaybeUninit::uninit(); 64 << 10];
    let most = usize::try_from(most).unwrap_or(usize::MAX).min(piece.len());
    let socket = SockRef::from(stream);
    stream.try_io(Interest::READABLE, || socket.recv_with_flags(&mut piece[..most], DROP))
}

impl AsyncRead for Lingering {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (before, room) = (buf.filled().len(), buf.remaining() > 0);
        let read = ready!(self.stream()?.poll_read(cx, buf));
        self.client_closed |= read.is_err() || (room && buf.filled().len() == before);
        Poll::Ready(read)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write(cx, buf);
        self.limit_write_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.stream()?.poll_write_vectored(cx, bufs);
        self.limit_write_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.open.as_ref().is_some_and(|(stream, _)| stream.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}
