//! How many requests may be with the service at once.
//!
//! Clients do not bound them: over HTTP/2 each has many, and over HTTP/1.1 each of those takes a connection to the service.
//! One is over once both its bodies are, or what it was upgraded to: tower's own limit is over with the response head.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::load_shed::error::Overloaded;

/// Room for so many.
pub(crate) struct Capacity(Arc<Semaphore>);

/// One's room, until the last of these is dropped.
#[derive(Clone)]
pub(crate) struct Permit(#[expect(dead_code, reason = "it is held, never looked at")] Arc<OwnedSemaphorePermit>);

impl Capacity {
    pub(crate) fn new(requests: u32) -> Self {
        Self(Arc::new(Semaphore::new(requests as usize)))
    }

    /// Now or not at all: who waited would hold a body meanwhile. From the error the layer makes 503 `worker_at_capacity`.
    pub(crate) fn take(&self) -> Result<Permit, Overloaded> {
        let place = Arc::clone(&self.0).try_acquire_owned().map_err(|_| Overloaded::new())?;
        Ok(Permit(Arc::new(place)))
    }
}

/// A body that has a share until its end.
pub(crate) struct PermitBody<B> {
    body: B,
    share: Option<Permit>,
}

impl<B> PermitBody<B> {
    pub(crate) fn new(body: B, share: Permit) -> Self {
        Self { body, share: Some(share) }
    }
}

impl<B: Body + Unpin> Body for PermitBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.share = None;
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
