//! The body of a request that is sent to the service, and the state of a request on its connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tower::BoxError;

use super::shared::PoolSlot;
use crate::pace::{Pace, Permit};
use crate::read_size::ReadSize;

/// A body that can be forwarded.
pub(crate) trait ForwardBody: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static> ForwardBody for B {}

/// The body of a request to the service. The end of the body is recorded in the exchange. A request without a body has
/// an empty `Outgoing`, so that the request can be copied.
pub(crate) struct Outgoing<B> {
    // The body is boxed, so that a request without a body needs no room for one.
    body: Option<Box<Pieces<B>>>,
    exchange: Option<Arc<Exchange>>,
}

struct Pieces<B> {
    body: B,
    /// The next frame, which waits until the previous frame is written. The next frame is read in advance. Otherwise
    /// the pool could not detect whether the request waits for the client or for the service.
    next: Option<Frame<Bytes>>,
    pace: Pace,
    /// The request's permit. It is `None` once the body has ended.
    permit: Option<Permit>,
}

impl<B: ForwardBody> Pieces<B> {
    /// Polls for the next frame of the body.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        self.pace.note(polled.is_pending());
        let frame = ready!(polled);
        if frame.is_none() || self.body.is_end_stream() {
            self.pace.end();
        }
        if !matches!(frame, Some(Ok(_))) {
            self.permit = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.next.is_none() && self.body.is_end_stream()
    }
}

impl<B: ForwardBody> Outgoing<B> {
    /// Wraps a body. The result records the body's progress in `pace`, and keeps the permit until the body ends.
    pub(crate) fn new(body: B, pace: Pace, permit: Permit) -> Self {
        Self { body: Some(Box::new(Pieces { body, next: None, pace, permit: Some(permit) })), exchange: None }
    }

    pub(crate) fn empty() -> Self {
        Self { body: None, exchange: None }
    }

    /// Records that the request begins on the connection of this exchange.
    pub(crate) fn begin(&mut self, exchange: &Arc<Exchange>) {
        exchange.begin(!self.is_end_stream());
        self.exchange = Some(Arc::clone(exchange));
    }
}

impl<B: ForwardBody> Body for Outgoing<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        let Some(pieces) = &mut this.body else { return Poll::Ready(None) };
        let frame = match pieces.next.take() {
            Some(frame) => Some(Ok(frame)),
            None => ready!(pieces.poll_body(cx)),
        };
        let frame = match frame {
            // If the service does not read, hyper gets one piece at a time, so that its buffer does not fill. Once the
            // piece is written, hyper polls again.
            Some(Ok(frame)) if frame.is_data() && this.exchange.as_ref().is_some_and(|it| it.is_held_up()) => {
                pieces.next = Some(frame);
                return Poll::Pending;
            }
            frame => frame,
        };
        let has_ended = frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
        if has_ended || pieces.body.is_end_stream() {
            this.exchange.as_ref().inspect(|exchange| exchange.end_body());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_deref().is_none_or(Pieces::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_deref().map_or(SizeHint::with_exact(0), |pieces| pieces.body.size_hint())
    }
}

/// The state of the current request and its response on one connection. Tasks pass requests and responses through
/// channels, so the values that one task stores here are visible to the next task.
///
/// The state is updated by the task that reads and writes the bytes. So it shows reliably whether a response began
/// before its request ended.
#[derive(Default)]
pub(crate) struct Exchange {
    body_is_open: AtomicBool,
    bytes_wait: AtomicBool,
    /// True if a byte of the request was written.
    is_written: AtomicBool,
    answered: AtomicBool,
    answered_early: AtomicBool,
}

impl Exchange {
    /// Records that the next request begins.
    pub(crate) fn begin(&self, has_body: bool) {
        self.body_is_open.store(has_body, Relaxed);
        self.is_written.store(false, Relaxed);
        self.answered.store(false, Relaxed);
    }

    /// Returns true if a byte of the request was written.
    pub(super) fn is_written(&self) -> bool {
        self.is_written.load(Relaxed)
    }

    /// Records that the request's body was handed to hyper completely.
    pub(super) fn end_body(&self) {
        self.body_is_open.store(false, Relaxed);
    }

    /// Returns true if any byte of a response came, even of an interim response.
    pub(crate) fn is_answered(&self) -> bool {
        self.answered.load(Relaxed)
    }

    /// Returns true if a response came before its request was completely sent. The service may then not read the rest
    /// of the request.
    pub(crate) fn was_answered_early(&self) -> bool {
        self.answered_early.load(Relaxed)
    }

    /// Excludes the connection from further requests. The service may not have read the whole request, or may send more
    /// bytes.
    pub(crate) fn refuse_reuse(&self) {
        self.answered_early.store(true, Relaxed);
    }

    /// Returns true if earlier bytes still wait, because the service does not read them.
    pub(super) fn is_held_up(&self) -> bool {
        self.bytes_wait.load(Relaxed)
    }

    fn read(&self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.answered.store(true, Relaxed);
        let unsent = self.body_is_open.load(Relaxed) || self.bytes_wait.load(Relaxed);
        if unsent && !is_interim(bytes) {
            self.answered_early.store(true, Relaxed);
        }
    }

    fn wrote(&self, written: &Poll<io::Result<usize>>, wanted: usize) {
        let all = matches!(written, Poll::Ready(Ok(count)) if *count == wanted);
        self.bytes_wait.store(!all, Relaxed);
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.is_written.store(true, Relaxed);
        }
    }

    /// Records whether written bytes still wait to be sent. Only a flush shows that bytes are sent, because TLS buffers
    /// bytes while the socket accepts no data.
    fn flushed(&self, flushed: &Poll<io::Result<()>>) {
        match flushed {
            Poll::Pending => self.bytes_wait.store(true, Relaxed),
            Poll::Ready(Ok(())) => self.bytes_wait.store(false, Relaxed),
            Poll::Ready(Err(_)) => {}
        }
    }
}

/// Returns true if the bytes consist only of complete heads of interim responses. Such a response (for example `100
/// Continue`) may come before the body is sent.
fn is_interim(bytes: &[u8]) -> bool {
    let is_one = bytes.starts_with(b"HTTP/1.1 1") && bytes.ends_with(b"\r\n\r\n");
    let ends = bytes.windows(4).filter(|window| window == b"\r\n\r\n").count();
    let begins = bytes.windows(10).filter(|window| window == b"HTTP/1.1 1").count();
    is_one && ends == begins
}

/// A stream that records in the exchange what is read and written. It keeps its slot in the pool until it is closed.
pub(crate) struct Observed<S> {
    stream: S,
    exchange: Arc<Exchange>,
    size: ReadSize,
    _place: PoolSlot,
}

impl<S> Observed<S> {
    pub(crate) fn new(stream: S, exchange: Arc<Exchange>, place: PoolSlot, size: ReadSize) -> Self {
        Self { stream, exchange, size, _place: place }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Observed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (this, before) = (&mut *self, buf.filled().len());
        let read = ready!(Pin::new(&mut (&mut this.stream).take(this.size.limit())).poll_read(cx, buf));
        let bytes = &buf.filled()[before..];
        this.size.read(bytes.len());
        this.exchange.read(bytes);
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Observed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.exchange.wrote(&written, buf.len());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.exchange.wrote(&written, bufs.iter().map(|buf| buf.len()).sum());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.exchange.flushed(&flushed);
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
