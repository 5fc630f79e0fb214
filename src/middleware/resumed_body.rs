//! A body of which a part was read before it passes (M1).

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::broken::{Broken, Polled, failed, poll_passed};
use super::caught::{has_ended, size_hint};
use super::collecting::Collecting;
use error_envelope_core::session::{BoxError, Origin};
use error_envelope_runtime::catch;

/// The part that was read, then the rest, or the error that came instead.
pub(super) struct ResumedBody<R> {
    read: Bytes,
    error: Option<BoxError>,
    rest: Pin<Box<Collecting<R>>>,
}

impl<R> ResumedBody<R> {
    pub(super) fn new(read: Bytes, error: Option<BoxError>, rest: Pin<Box<Collecting<R>>>) -> Self {
        Self { read, error, rest }
    }

    /// Drops the error apart from the rest: if both drops panicked at once, the second panic would abort the process.
    pub(super) fn drop_error(&mut self) {
        let error = self.error.take();
        let _ = catch(|| drop(error));
    }
}

impl<R: Body> ResumedBody<R> {
    pub(super) fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.error.is_none() && self.rest.body_ref().is_none_or(has_ended)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let size = match self.error {
            Some(_) => SizeHint::default(),
            None => self.rest.body_ref().map_or(SizeHint::with_exact(0), size_hint),
        };
        let read = self.read.len() as u64;
        let mut whole = SizeHint::new();
        if let Some(upper) = size.upper() {
            whole.set_upper(upper.saturating_add(read));
        }
        whole.set_lower(size.lower().saturating_add(read));
        whole
    }

    /// Polls the body. An error of the body is stored in `broken`.
    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>, broken: &mut Option<Broken>) -> Polled
    where
        R::Error: Into<BoxError>,
    {
        if !self.read.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.read)))));
        }
        match (self.error.take(), self.rest.as_mut().body()) {
            (Some(error), _) => failed(broken, Origin::Error, error),
            (None, Some(rest)) => poll_passed(rest, cx, broken),
            (None, None) => Poll::Ready(None),
        }
    }
}
