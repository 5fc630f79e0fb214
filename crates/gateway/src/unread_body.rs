//! The unread rest of an HTTP/2 request body.
//!
//! If nothing reads the body of an HTTP/2 request, h2 resets the stream as soon as the response has been sent. RFC 9113
//! §8.1 requires clients to keep the response, but curl 7.88 gives up when its next write finds the stream closed. So
//! the rest of a dropped body is read.
//!
//! The drop of hyper's body locks its stream. h2 drops parts of a response, and with them the last handle to the
//! request's record, while it holds this lock. So the record must never own hyper's body: only the task drops it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tower::BoxError;

use super::reset;

/// The rest of a dropped body. A task reads it, and the request's record asks how it ended.
pub(crate) struct UnreadBody {
    /// The body, until the task ends.
    body: Mutex<Option<Incoming>>,
    is_malformed: AtomicBool,
}

/// The task's handle to the body. When it is dropped, it drops the body.
pub(crate) struct Draining(Arc<UnreadBody>);

impl UnreadBody {
    pub(crate) fn new(body: Incoming) -> (Arc<Self>, Draining) {
        let unread = Arc::new(Self { body: Mutex::new(Some(body)), is_malformed: AtomicBool::new(false) });
        (Arc::clone(&unread), Draining(unread))
    }

    fn body(&self) -> MutexGuard<'_, Option<Incoming>> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut body = self.body();
        let Some(body) = body.as_mut() else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(reset::client_body_error));
        if let Some(Err(error)) = &frame {
            self.is_malformed.fetch_or(reset::is_malformed(&**error), Relaxed);
        }
        Poll::Ready(frame)
    }

    /// Reads what has arrived, and returns the error of the body if it broke off and nothing else got the error.
    pub(crate) fn read_arrived(&self) -> Option<BoxError> {
        loop {
            if let Err(error) = poll_fn(|cx| self.poll(cx)).now_or_never()?? {
                return Some(error);
            }
        }
    }

    /// Returns true if h2 has reset the stream, because the request was malformed (RFC 9113 §8.1.1).
    pub(crate) fn is_malformed(&self) -> bool {
        self.read_arrived();
        self.is_malformed.load(Relaxed)
    }
}

impl Draining {
    /// Reads the body to its end, but at most this many bytes.
    pub(crate) async fn drain(&self, most: u64) {
        let mut left = most;
        while let Some(Ok(frame)) = poll_fn(|cx| self.0.poll(cx)).await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len) as u64) else { return };
            left = rest;
        }
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        let body = self.0.body().take();
        drop(body);
    }
}
