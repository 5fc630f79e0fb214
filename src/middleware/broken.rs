//! Response bodies that fail, and bodies whose end the session decides.

use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame};

use error_envelope_core::session::{BoxError, Origin};
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

/// What to do with a frame of a body whose end the session decides.
pub(super) enum BodyAction {
    GoesOn,
    /// The body ends here.
    Last(Frame<Bytes>),
    BrokenOff(&'static str),
}
