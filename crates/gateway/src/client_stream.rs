//! A client's stream for hyper. Bytes can be read from the stream before hyper's server is created, and put back when
//! that server is dropped. The stream limits how much hyper reads at once, and records whether a write is waiting.

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

/// The most bytes that are copied into one piece for a write, such as a head and a short body. Writing one piece costs
/// the system less than writing a list of pieces.
const SHORT: usize = 1024;

fn join<'a>(pieces: &[io::IoSlice<'_>], room: &'a mut [u8; SHORT]) -> Option<&'a [u8]> {
    let mut length = 0;
    for piece in pieces {
        room.get_mut(length..length + piece.len())?.copy_from_slice(piece);
        length += piece.len();
    }
    Some(&room[..length])
}

pub(super) struct ClientStream<T> {
    stream: T,
    /// Bytes that hyper reads before it reads from the stream.
    ahead: Bytes,
    size: ReadSize,
    state: Arc<ConnectionState>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> ClientStream<T> {
    pub(super) fn new(stream: T, size: ReadSize, state: Arc<ConnectionState>) -> Self {
        Self { stream, ahead: Bytes::new(), size, state }
    }

    /// Puts back bytes that hyper has read but not used. The bytes are copied, because even an empty slice of hyper's
    /// buffer would keep the whole buffer in memory.
    pub(super) fn rewind(&mut self, read: &[u8]) {
        self.ahead = [read, &self.ahead].concat().into();
    }

    /// Waits for enough bytes to find out whether the client uses HTTP/2.
    pub(super) async fn is_http2(&mut self) -> io::Result<bool> {
        while PREFACE.starts_with(&self.ahead) && self.ahead.len() < PREFACE.len() && self.read_ahead().await? {}
        Ok(self.ahead == PREFACE[..])
    }

    /// Waits for more bytes, and reads at most as many as the HTTP/2 preface still lacks. Returns false at the end of
    /// the stream.
    pub(super) async fn read_ahead(&mut self) -> io::Result<bool> {
        let mut more = [0; PREFACE.len()];
        let room = PREFACE.len().saturating_sub(self.ahead.len()).max(1);
        let count = self.stream.read(&mut more[..room]).await?;
        self.ahead = [&self.ahead, &more[..count]].concat().into();
        Ok(count > 0)
    }
}

impl<T> ClientStream<T> {
    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(1..)) = written {
            self.state.activity.wrote();
        }
        written
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ClientStream<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.ahead.is_empty() {
            let count = this.ahead.len().min(buf.remaining());
            buf.put_slice(&this.ahead.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut (&mut this.stream).take(this.size.limit())).poll_read(cx, buf))?;
        this.size.read(buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

/// Tracks whether a write is waiting. hyper flushes only when it has nothing left to write, so a flush shows that no
/// write is waiting.
impl<T: AsyncWrite + Unpin> AsyncWrite for ClientStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.state.activity.note_write(true);
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.state.activity.note_write(true);
        let mut short = [0; SHORT];
        let written = match join(bufs, &mut short) {
            Some(joined) => Pin::new(&mut self.stream).poll_write(cx, joined),
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, bufs),
        };
        self.written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.state.activity.note_write(false);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper has ended the connection and makes no further call, so the flag stays set.
        self.state.activity.note_write(true);
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
