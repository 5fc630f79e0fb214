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
use crate::code::ErrorCode;
use crate::exchange::{BoxError, Linger, Meter, Metered};
use crate::fault::Fault;

pin_project! {
    /// The body of a request that was forwarded.
    ///
    /// A body over its limit is read and dropped within the drain budget, and then fails with
    /// [`LengthLimitError`](http_body_util::LengthLimitError), directly: axum answers 413 to exactly that.
    #[derive(Debug)]
    pub struct RequestBody<B> {
        // None where the peek has met its end (G3).
        #[pin]
        body: Option<B>,
        trailers: Option<Box<HeaderMap>>,
        meter: Option<Meter>,
        draining: Option<Box<Budget>>,
        done: bool,
    }
}

impl<B> RequestBody<B> {
    pub(super) fn new(body: B, meter: Option<Meter>) -> Self {
        Self { body: Some(body), trailers: None, meter, draining: None, done: false }
    }

    /// A body of which nothing but trailers came.
    pub(super) fn ended(trailers: Option<Box<HeaderMap>>) -> Self {
        Self { body: None, done: trailers.is_none(), trailers, meter: None, draining: None }
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
        let Some(mut body) = this.body.as_mut().as_pin_mut().filter(|_| !*this.done) else {
            *this.done = true;
            return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(*trailers))));
        };
        if this.draining.is_none() {
            let frame = ready!(poll_bytes(body.as_mut(), cx));
            match metered(this.meter.as_mut(), frame, || says_it_ended(&*body)) {
                Ok(linger) => *this.draining = Some(Box::new(Budget::new(linger.max_bytes, linger.timeout))),
                Err(frame) => {
                    *this.done = !matches!(frame, Some(Ok(_)));
                    return Poll::Ready(frame);
                }
            }
        }
        if let Some(draining) = this.draining {
            let ended = ready!(poll_drained(draining, body, cx));
            if let (true, Some(meter)) = (ended, this.meter.as_mut()) {
                meter.request_ended();
            }
        }
        *this.done = true;
        *this.draining = None;
        Poll::Ready(Some(Err(over_limit())))
    }

    fn is_end_stream(&self) -> bool {
        self.done || self.draining.is_none() && self.body.as_ref().is_some_and(says_it_ended)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) if !self.done => catch(|| body.size_hint()).unwrap_or_default(),
            _ => SizeHint::with_exact(0),
        }
    }
}

fn says_it_ended<B: Body>(body: &B) -> bool {
    catch(|| body.is_end_stream()).unwrap_or(false)
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
            if meter.asks_for_end() && ended() {
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
fn poll_drained<B>(budget: &mut Budget, mut body: Pin<&mut B>, cx: &mut Context<'_>) -> Poll<bool>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    loop {
        match ready!(budget.poll_frame(cx, |cx| poll_bytes(body.as_mut(), cx))) {
            Ok(Some(_)) => {}
            Ok(None) => return Poll::Ready(true),
            Err(gave_up) => {
                gave_up.discard();
                return Poll::Ready(false);
            }
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
    // A fault, so that nobody takes it for the client's broken body (F1, F2).
    let panicked = |panic| Fault::new(ErrorCode::INTERNAL_ERROR).caused_by(format!("a body panicked: {panic}"));
    polled.unwrap_or_else(|panic| Poll::Ready(Some(Err(panicked(panic).into()))))
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
