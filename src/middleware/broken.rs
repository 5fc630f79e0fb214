//! Response bodies that fail, and bodies whose end the exchange decides.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame};

use super::caught::inspected;
use error_envelope_core::exchange::{BodyFailure, BoxError, Failure, FinalFrame, Origin};
use error_envelope_runtime as runtime;
use error_envelope_runtime::catch;

/// The error of a response body that was cut off after its head was sent. The cause is in the log, under the request's
/// id.
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

/// The error text for the HTTP server, which polls the body.
pub(super) fn text_of(origin: Origin) -> &'static str {
    match origin {
        Origin::Panic => "the response body panicked",
        _ => "the response body failed",
    }
}

/// The next frame of an inner body. An error is stored in `broken`, and the frame is returned as it was polled, because
/// it is large to move.
pub(super) fn poll_passed<R>(body: Pin<&mut R>, cx: &mut Context<'_>, broken: &mut Option<Broken>) -> Polled
where
    R: Body,
    R::Error: Into<BoxError>,
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

/// What to do with a frame of a body whose end the exchange decides.
pub(super) enum BodyAction {
    GoesOn,
    /// The body ends here.
    Last(Frame<Bytes>),
    BrokenOff(&'static str),
}

/// Ends a failed body as the exchange decides by `watch`. That inspects the error, whose code may panic.
pub(super) fn end_of<W>(
    watch: Option<Box<W>>,
    (origin, error): Broken,
    failure_of: fn(&W, &(dyn Error + 'static)) -> Failure,
    failed: fn(W, Failure, BoxError) -> BodyFailure,
) -> BodyAction {
    let text = text_of(origin);
    let Some(watch) = watch else { return BodyAction::BrokenOff(text) };
    let (failure, cause) = match origin {
        Origin::Panic => (Failure::panicked(), error),
        _ => inspected(error, |error| failure_of(&watch, error))
            .unwrap_or_else(|panic| (Failure::panicked(), String::from(panic).into())),
    };
    last(failed(*watch, failure, cause), text)
}

pub(super) fn last(BodyFailure { last, event }: BodyFailure, text: &'static str) -> BodyAction {
    runtime::log_event(event);
    match last {
        FinalFrame::Trailers(trailers) => BodyAction::Last(Frame::trailers(trailers)),
        FinalFrame::Data(data) => BodyAction::Last(Frame::data(data)),
        FinalFrame::BrokenOff => BodyAction::BrokenOff(text),
    }
}
