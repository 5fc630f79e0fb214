//! The body of a response to a client. If the body is cut off, the client can detect this.
//!
//! In HTTP/1.0, a body without a length ends with the connection, so a body that was cut off looks complete. Only a
//! reset can signal the difference. In HTTP/1.1, the last chunk is missing. In HTTP/2, hyper sends RST_STREAM. But
//! RST_STREAM drops the data of the stream that is not written yet, even the head (h2's `send_reset` clears the queue).
//! Another task writes this data, so the body waits a moment before it returns its error.

use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::client::ClientRequest;
use super::connection_state::ResponseProgress;
use super::pool::is_bodiless;

/// The time for which a body that was cut off waits until its last bytes are written. The time is much longer than a
/// write takes, and too short for a client to notice.
const LEAVES: Duration = Duration::from_millis(20);

pin_project! {
    /// A response body that records whether it is cut off, and how much of it the client has received.
    pub(super) struct ResponseBody<B: Body> {
        #[pin]
        body: Option<B>,
        request: ClientRequest,
        broken: Option<Broken<B::Error>>,
        ended: bool,
        polled: bool,
        progress: Arc<ResponseProgress>,
    }

    impl<B: Body> PinnedDrop for ResponseBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // A client may leave as soon as it has received the declared length, even if the rest of its request is
            // still being read (G5).
            let is_at_end = |body: Pin<&B>| body.is_end_stream() || body.size_hint().exact() == Some(0);
            let is_whole = *this.ended || this.body.as_ref().as_pin_ref().is_none_or(is_at_end);
            if !is_whole {
                this.progress.cut_off();
                if !*this.polled {
                    this.progress.was_not_polled();
                }
            }
            this.request.end(|| this.body.set(None));
        }
    }
}

/// The error of the body, which is returned only after all earlier data has been sent.
struct Broken<E> {
    error: E,
    left: Pin<Box<Sleep>>,
}

impl<B: Body> ResponseBody<B> {
    /// Wraps the body of a response with this status.
    pub(super) fn new(body: B, status: StatusCode, request: ClientRequest, progress: Arc<ResponseProgress>) -> Self {
        let ended = is_bodiless(request.is_head, status);
        Self { body: Some(body), request, broken: None, ended, polled: false, progress }
    }
}

impl<B: Body<Data = Bytes>> Body for ResponseBody<B> {
    type Data = TrackedData;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<TrackedData>, B::Error>>> {
        let this = self.project();
        *this.polled = true;
        if this.progress.is_held_up() {
            // If the client does not read, only one piece is read in advance, and not as many as hyper's buffer can
            // contain.
            return Poll::Pending;
        }
        if let (None, Some(body)) = (&this.broken, this.body.as_pin_mut()) {
            match ready!(this.request.span.in_scope(|| body.poll_frame(cx))) {
                Some(Err(error)) => {
                    *this.broken = Some(Broken { error, left: Box::pin(sleep(LEAVES)) });
                }
                Some(Ok(frame)) => {
                    // Trailers are the last frame, and over HTTP/2 hyper does not poll again after them.
                    *this.ended |= frame.is_trailers();
                    return Poll::Ready(Some(Ok(
                        frame.map_data(|data| TrackedData::new(data, Arc::clone(this.progress)))
                    )));
                }
                None => {
                    *this.ended = true;
                    return Poll::Ready(None);
                }
            }
        }
        if let Some(broken) = this.broken {
            ready!(broken.left.as_mut().poll(cx));
        }
        this.progress.ends_broken();
        *this.ended = true;
        Poll::Ready(this.broken.take().map(|broken| Err(broken.error)))
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

/// A piece of response data that was passed to hyper. It records how much of the data was sent.
pub(crate) struct TrackedData {
    data: Bytes,
    progress: Arc<ResponseProgress>,
}

impl TrackedData {
    pub(crate) fn new(data: Bytes, progress: Arc<ResponseProgress>) -> Self {
        progress.gave(data.len());
        Self { data, progress }
    }
}

impl Buf for TrackedData {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
        self.progress.took(count);
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.progress.took(length);
        self.data.copy_to_bytes(length)
    }
}

impl Drop for TrackedData {
    fn drop(&mut self) {
        if self.data.has_remaining() {
            self.progress.lost(self.data.len());
        }
    }
}
