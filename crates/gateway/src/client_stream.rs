//! A client's stream for hyper: it limits how much is read at once, notes whether a write is waiting, and keeps bytes
//! that hyper has read without using them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::connection_state::ConnectionState;
use super::read_size::ReadSize;

/// The first bytes of a client that uses HTTP/2 (RFC 9113 §3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) struct ClientStream<T> {
    stream: T,
    /// Bytes to read again before the stream.
    ahead: Bytes,
    size: ReadSize,
    /// Where to store whether a write is waiting: only over HTTP/1, where one task does everything.
    state: Option<Arc<ConnectionState>>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> ClientStream<T> {
    pub(super) fn new(stream: T, size: ReadSize, state: Arc<ConnectionState>) -> Self {
        Self { stream, ahead: Bytes::new(), size, state: Some(state) }
    }

    /// Notes that several tasks share the stream from now on.
    pub(super) fn set_shared(&mut self) {
        self.state = None;
    }

    /// Puts back bytes that hyper has read but not used. They are copied, because even an empty slice would keep
    /// hyper's whole buffer.
    pub(super) fn rewind(&mut self, read: &[u8]) {
        self.ahead = [read, &self.ahead].concat().into();
    }

    /// Whether the stream begins like HTTP/2. Pending until the first bytes show it; false if the stream ends before.
    pub(super) fn poll_is_http2(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while PREFACE.starts_with(&self.ahead) {
            if self.ahead.len() == PREFACE.len() {
                return Poll::Ready(Ok(true));
            }
            let mut more = [0; PREFACE.len()];
            let mut more = ReadBuf::new(&mut more[self.ahead.len()..]);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut more))?;
            if more.filled().is_empty() {
                break;
            }
            self.ahead = [&self.ahead, more.filled()].concat().into();
        }
        Poll::Ready(Ok(false))
    }

    /// Whether there are bytes to read, and not the stream's end.
    pub(super) fn poll_has_bytes(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.ahead.is_empty() {
            let mut more = [0; PREFACE.len()];
            let mut more = ReadBuf::new(&mut more);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut more))?;
            self.ahead = Bytes::copy_from_slice(more.filled());
        }
        Poll::Ready(Ok(!self.ahead.is_empty()))
    }

    fn note_write(&self, waits: bool) {
        if let Some(state) = &self.state {
            state.activity.note_write(waits);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ClientStream<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // The bytes are returned together with those that follow: if a head came in two pieces, hyper's buffer would
        // double.
        let count = this.ahead.len().min(buf.remaining());
        buf.put_slice(&this.ahead.split_to(count));
        let before = buf.filled().len();
        let read = Pin::new(&mut (&mut this.stream).take(this.size.limit())).poll_read(cx, buf);
        match read {
            Poll::Ready(Ok(())) => this.size.read(buf.filled().len() - before),
            Poll::Pending if count > 0 => return Poll::Ready(Ok(())),
            _ => {}
        }
        read
    }
}

/// hyper flushes once nothing is left to write, so a flush shows that no write is waiting.
impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.note_write(true);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.note_write(true);
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.note_write(false);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // No later call resets this: hyper has ended the connection.
        self.note_write(true);
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
