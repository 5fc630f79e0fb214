//! The unread rest of an HTTP/2 request body.
//!
//! If nothing reads the body of an HTTP/2 request, h2 resets the stream as soon as the response has been sent. RFC 9113
//! §8.1 requires clients to keep the response, but curl 7.88 gives up when its next write finds the stream closed. So
//! the rest of a dropped body is read.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::FutureExt;
use http_body::{Body, Frame};
use hyper::body::Incoming;
use tower::BoxError;

use super::reset;

/// The rest of a dropped body. A task reads it, and the request's record asks how it ended.
pub(crate) struct UnreadBody {
    body: Mutex<Incoming>,
    is_malformed: AtomicBool,
}

impl UnreadBody {
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body: Mutex::new(body), is_malformed: AtomicBool::new(false) }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx)).map(|frame| frame.map_err(reset::client_body_error));
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

    /// Reads the body to its end, but at most this many bytes.
    pub(crate) async fn drain(&self, most: u64) {
        let mut left = most;
        while let Some(Ok(frame)) = poll_fn(|cx| self.poll(cx)).await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len) as u64) else { return };
            left = rest;
        }
    }
}
