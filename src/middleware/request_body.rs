//! The request body as the inner service reads it: counted, cut at its limit (rules G4, G5).

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Full, Limited};
use pin_project_lite::pin_project;

use super::budget::Budget;
use super::catch::catch;
use crate::exchange::{BoxError, Linger, Meter, Metered};

pin_project! {
    /// The body of a request that was forwarded.
    ///
    /// A body over its limit is read and dropped within the drain budget, and then fails with
    /// [`LengthLimitError`](http_body_util::LengthLimitError), directly: axum answers 413 to exactly that.
    #[derive(Debug)]
    pub struct RequestBody<B> {
        #[pin]
        body: Source<B>,
        trailers: Option<Box<HeaderMap>>,
        meter: Option<Meter>,
        draining: Option<Box<Budget>>,
        done: bool,
    }
}

pin_project! {
    /// The body in place, or boxed where its first byte was awaited (G3).
    #[project = SourceProj]
    #[derive(Debug)]
    enum Source<B> {
        InPlace { #[pin] body: B },
        Boxed { body: Pin<Box<B>> },
    }
}

impl<B> RequestBody<B> {
    pub(super) fn new(body: B, meter: Option<Meter>) -> Self {
        Self { body: Source::InPlace { body }, trailers: None, meter, draining: None, done: false }
    }

    pub(super) fn peeked(body: Pin<Box<B>>, trailers: Option<Box<HeaderMap>>, meter: Option<Meter>) -> Self {
        Self { body: Source::Boxed { body }, trailers, meter, draining: None, done: false }
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        if *this.done {
            return Poll::Ready(None);
        }
        if this.draining.is_none() {
            let frame = match this.trailers.take() {
                Some(trailers) => Some(Ok(Frame::trailers(*trailers))),
                None => ready!(this.body.as_mut().poll_bytes(cx)),
            };
            match metered(this.meter.as_mut(), frame, || this.body.is_end_stream()) {
                Ok(linger) => *this.draining = Some(Box::new(Budget::new(linger.max_bytes, linger.timeout))),
                Err(frame) => {
                    *this.done = !matches!(frame, Some(Ok(_)));
                    return Poll::Ready(frame);
                }
            }
        }
        if let Some(draining) = this.draining {
            let ended = ready!(poll_drained(draining, this.body, cx));
            if let (true, Some(meter)) = (ended, this.meter.as_mut()) {
                meter.request_ended();
            }
        }
        *this.done = true;
        *this.draining = None;
        Poll::Ready(Some(Err(over_limit())))
    }

    fn is_end_stream(&self) -> bool {
        self.done || self.trailers.is_none() && self.draining.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.done { SizeHint::with_exact(0) } else { self.body.size_hint() }
    }
}

/// Counts a frame: `Err` hands it on, `Ok` says that the body is over its limit.
fn metered(
    meter: Option<&mut Meter>,
    frame: Option<Result<Frame<Bytes>, BoxError>>,
    ended: impl FnOnce() -> bool,
) -> Result<Linger, Option<Result<Frame<Bytes>, BoxError>>> {
    let Some(meter) = meter else { return Err(frame) };
    match &frame {
        Some(Ok(frame)) => {
            if let Some(data) = frame.data_ref()
                && let Metered::Over(linger) = meter.request_data(data)
            {
                return Ok(linger);
            }
            if ended() {
                meter.request_ended();
            }
        }
        // The error's causes are the user's own (F2).
        Some(Err(error)) => drop(catch(|| meter.request_failed(&**error))),
        None => meter.request_ended(),
    }
    Err(frame)
}

/// Reads and drops what is left of a body over its limit; whether its end was reached.
fn poll_drained<B>(budget: &mut Budget, mut body: Pin<&mut Source<B>>, cx: &mut Context<'_>) -> Poll<bool>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    loop {
        match ready!(budget.poll_frame(cx, |cx| body.as_mut().poll_bytes(cx))) {
            Ok(Some(_)) => {}
            Ok(None) => return Poll::Ready(true),
            Err(_) => return Poll::Ready(false),
        }
    }
}

impl<B> Source<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn poll_bytes(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project() {
            SourceProj::InPlace { body } => poll_bytes(body, cx),
            SourceProj::Boxed { body } => poll_bytes(body.as_mut(), cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::InPlace { body } => body.is_end_stream(),
            Self::Boxed { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::InPlace { body } => body.size_hint(),
            Self::Boxed { body } => body.size_hint(),
        }
    }
}

/// A body's next frame as `Bytes`, which framing can be read from; its panic is an error (F2).
pub(super) fn poll_bytes<B>(body: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let polled = catch(|| {
        body.poll_frame(cx).map(|frame| {
            frame.map(|frame| match frame {
                Ok(frame) => Ok(frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))),
                Err(error) => Err(error.into()),
            })
        })
    });
    polled.unwrap_or_else(|panic| Poll::Ready(Some(Err(format!("a body panicked: {panic}").into()))))
}

/// The error has no constructor: a `Limited` body that overflows yields one.
fn over_limit() -> BoxError {
    let mut limited = Limited::new(Full::new(Bytes::from_static(b"x")), 0);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    match Pin::new(&mut limited).poll_frame(&mut cx) {
        Poll::Ready(Some(Err(error))) => error,
        _ => "length limit exceeded".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::LengthLimitError;

    #[test]
    fn g4_the_error_is_the_one_that_axum_looks_for() {
        assert!(over_limit().is::<LengthLimitError>());
    }
}
