//! Polls inner response bodies, and describes how a body that fails ends.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use error_envelope_core::session::{BoxError, Origin};
use error_envelope_runtime::catch;
use http_body::{Body, Frame, SizeHint};

use super::caught::{has_ended, size_hint};
use super::collecting::Collecting;

/// The error of a response body that was cut off after its head was sent. The log contains the cause, with the
/// request's id.
#[derive(Debug)]
pub struct ResponseBodyError(pub(super) &'static str);

impl fmt::Display for ResponseBodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for ResponseBodyError {}

pub(super) type Broken = (Origin, BoxError);

pub(super) type Polled = Poll<Option<Result<Frame<Bytes>, ResponseBodyError>>>;

/// Returns the error text for the HTTP server, which polls the body.
pub(super) fn text_of(origin: Origin) -> &'static str {
    match origin {
        Origin::Panic => "the response body panicked",
        _ => "the response body failed",
    }
}

/// Polls for the next frame of an inner body. If the body fails or panics, the error is stored in `broken`. The polled
/// frame is returned in place, because moving it is expensive.
pub(super) fn poll_passed<R>(body: Pin<&mut R>, cx: &mut Context<'_>, broken: &mut Option<Broken>) -> Polled
where
    R: Body<Error: Into<BoxError>>,
{
    let polled = catch(|| match body.poll_frame(cx) {
        Poll::Ready(Some(Ok(frame))) => {
            Poll::Ready(Some(Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining())))))
        }
        Poll::Ready(Some(Err(error))) => failed(broken, Origin::Error, error.into()),
        Poll::Ready(None) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    });
    polled.unwrap_or_else(|panic| failed(broken, Origin::Panic, String::from(panic).into()))
}

pub(super) fn failed(broken: &mut Option<Broken>, origin: Origin, error: BoxError) -> Polled {
    *broken = Some((origin, error));
    Poll::Ready(Some(Err(ResponseBodyError(text_of(origin)))))
}

/// The way in which a response body continues after a poll.
pub(super) enum BodyAction {
    GoesOn,
    /// The body ends with this frame.
    Last(Frame<Bytes>),
    BrokenOff(&'static str),
}

/// An inner body of which a part was read, and which is sent unchanged. It sends the part that was read, and then the
/// rest of the body or the body's error.
pub(super) struct ResumedBody<R> {
    read: Bytes,
    error: Option<BoxError>,
    rest: Pin<Box<Collecting<R>>>,
}

impl<R> ResumedBody<R> {
    pub(super) fn new(read: Bytes, error: Option<BoxError>, rest: Pin<Box<Collecting<R>>>) -> Self {
        Self { read, error, rest }
    }

    /// Drops the error before the rest of the body is dropped. If both were dropped at once and both drops panicked,
    /// the second panic would abort the process.
    pub(super) fn drop_error(&mut self) {
        let error = self.error.take();
        let _ = catch(|| drop(error));
    }
}

impl<R: Body> ResumedBody<R> {
    pub(super) fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.error.is_none() && self.rest.body.as_ref().is_none_or(has_ended)
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let size = match self.error {
            Some(_) => SizeHint::default(),
            None => self.rest.body.as_ref().map_or(SizeHint::with_exact(0), size_hint),
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
