//! Says "broken off" to HTTP/1.0.
//!
//! A body without a length ends there with the connection, so that one that broke off looks whole. A reset is the only
//! other word for it. HTTP/1.1 misses the last chunk and HTTP/2 gets RST_STREAM: hyper sees to both.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use http::Version;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// Whether a connection's last body broke off in a way that only a reset tells.
#[derive(Clone, Default)]
pub(crate) struct Abort {
    old_client: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
}

impl Abort {
    pub(crate) fn saw_request(&self, version: Version) {
        self.old_client.store(version < Version::HTTP_11, Ordering::Relaxed);
    }

    pub(crate) fn needs_reset(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub(crate) fn watch<B>(&self, body: B) -> Watched<B> {
        Watched { body, abort: self.clone() }
    }
}

pin_project! {
    /// A response body that tells when it breaks off.
    pub(crate) struct Watched<B> {
        #[pin]
        body: B,
        abort: Abort,
    }
}

impl<B: Body> Body for Watched<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if matches!(frame, Some(Err(_))) && this.abort.old_client.load(Ordering::Relaxed) {
            this.abort.broken.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
