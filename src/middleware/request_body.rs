//! The request body that the inner service reads. It counts the bytes, and ends with an error at its limit (rules G4,
//! G5).

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{Full, Limited};
use pin_project_lite::pin_project;

use super::caught::{has_ended, poll_bytes, poll_dropped, size_hint};
use super::deadline::{Deadline, now};
use error_envelope_core::session::{self, BodyMeter, BoxError, DrainBudget, MeterAction};
use error_envelope_runtime::{Received, catch};

pin_project! {
    /// The body of a request that was forwarded.
    ///
    /// If the body exceeds its limit, the rest is read and dropped within the drain budget. The body then fails with an
    /// unwrapped [`LengthLimitError`](https://docs.rs/http-body-util/0.1/http_body_util/struct.LengthLimitError.html),
    /// the only error to which axum responds with 413.
    pub struct RequestBody<B> {
        // `None` if the wait for the first byte reached the end of the body (G3).
        #[pin]
        body: Option<B>,
        trailers: Option<Box<HeaderMap>>,
        meter: Option<BodyMeter>,
        received: Option<Received>,
        draining: Option<Box<Budget>>,
        // True if the body was not polled yet, and did not report its end before.
        has_more: bool,
        done: bool,
    }
}

impl<B> RequestBody<B> {
    /// Creates the body of a request that is forwarded. `has_more` means that `is_end_stream` was checked and returned
    /// false.
    pub(super) fn new(body: B, has_more: bool, meter: Option<BodyMeter>, received: Option<Received>) -> Self {
        Self { body: Some(body), trailers: None, meter, received, draining: None, has_more, done: false }
    }

    pub(super) fn into_inner(self) -> Option<B> {
        self.body
    }

    /// Creates a body without data, which ends with these trailers.
    pub(super) fn ended(trailers: Option<Box<HeaderMap>>) -> Self {
        let done = trailers.is_none();
        Self { body: None, trailers, meter: None, received: None, draining: None, has_more: false, done }
    }
}

impl<B: fmt::Debug> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").field("body", &self.body).field("done", &self.done).finish_non_exhaustive()
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let Some(mut body) = this.body.as_mut().as_pin_mut().filter(|_| !*this.done) else {
            *this.done = true;
            return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(*trailers))));
        };
        *this.has_more = false;
        if this.draining.is_none() {
            let polled = poll_bytes(body.as_mut(), cx);
            let Poll::Ready(frame) = &polled else { return Poll::Pending };
            if let (Some(received), Some(Ok(frame))) = (&*this.received, frame) {
                received.add(frame.data_ref().map_or(0, Bytes::len));
            }
            match inspect_frame(this.meter.as_mut(), frame.as_ref(), || has_ended(&*body)) {
                FrameOutcome::Passes => return polled,
                FrameOutcome::Ends => {
                    *this.done = true;
                    return polled;
                }
                FrameOutcome::EndsEmpty => {
                    *this.done = true;
                    return Poll::Ready(None);
                }
                FrameOutcome::Over(drain) => {
                    *this.draining = Some(Box::new(Budget::new(drain.max_bytes, drain.timeout)));
                }
            }
        }
        if let Some(draining) = this.draining {
            let ended = ready!(draining.poll_to_end(cx, |cx| poll_dropped(body.as_mut(), cx)));
            if let (true, Some(meter)) = (ended, this.meter.as_mut()) {
                meter.body_ended();
            }
        }
        *this.done = true;
        *this.draining = None;
        Poll::Ready(Some(Err(over_limit())))
    }

    fn is_end_stream(&self) -> bool {
        let ended = || self.draining.is_none() && self.body.as_ref().is_some_and(has_ended);
        self.done || !self.has_more && ended()
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) if !self.done => size_hint(body),
            _ => SizeHint::with_exact(0),
        }
    }
}

/// The effect of a polled frame on the body.
enum FrameOutcome {
    Passes,
    /// The body has ended or failed.
    Ends,
    /// The body ends with this empty frame.
    EndsEmpty,
    Over(DrainBudget),
}

/// Counts the bytes of a frame, and returns what the frame means for the body.
fn inspect_frame(
    meter: Option<&mut BodyMeter>,
    frame: Option<&Result<Frame<Bytes>, BoxError>>,
    ended: impl FnOnce() -> bool,
) -> FrameOutcome {
    let is_end = !matches!(frame, Some(Ok(_)));
    let Some(meter) = meter else { return if is_end { FrameOutcome::Ends } else { FrameOutcome::Passes } };
    match frame {
        Some(Ok(frame)) => match frame.data_ref() {
            // An HTTP/2 stream usually ends with an empty frame. Another poll would only take the stream's locks.
            Some(data) if data.is_empty() && meter.rest_is_free() => {
                if ended() {
                    meter.body_ended();
                    return FrameOutcome::EndsEmpty;
                }
            }
            data => {
                if let Some(MeterAction::Over(drain)) = data.map(|data| meter.request_data(data)) {
                    return FrameOutcome::Over(drain);
                }
                // On HTTP/2, unread bytes do not block the connection, so the end of the body need not be checked.
                if !meter.rest_is_free() && ended() {
                    meter.body_ended();
                }
            }
        },
        // Inspecting the error's causes runs user code (F2).
        Some(Err(error)) => drop(catch(|| meter.body_failed(&**error))),
        None => meter.body_ended(),
    }
    if is_end { FrameOutcome::Ends } else { FrameOutcome::Passes }
}

/// Makes a `LengthLimitError`. The type has no constructor, so the error comes from a `Limited` body that exceeds its
/// limit.
fn over_limit() -> BoxError {
    let mut limited = Limited::new(Full::new(Bytes::from_static(b"x")), 0);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    match Pin::new(&mut limited).poll_frame(&mut cx) {
        Poll::Ready(Some(Err(error))) => error,
        _ => "length limit exceeded".into(),
    }
}

/// The budget in bytes and time for a body that is read and dropped, with the timer that wakes the task.
#[derive(Debug)]
pub(super) struct Budget {
    budget: session::Budget,
    /// The timer of the budget. It is set at the first wait for the body, because most bodies are available at once.
    deadline: Option<Deadline>,
}

/// Reading stops, because the budget is used up or the body has failed.
pub(super) struct BudgetExhausted;

impl Budget {
    pub(super) fn new(max_bytes: u64, timeout: Duration) -> Self {
        Self { budget: session::Budget::new(max_bytes, timeout), deadline: None }
    }

    /// Polls for the length of the body's next frame. Returns `None` at the body's end.
    pub(super) fn poll_length(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<Option<Result<usize, BoxError>>>,
    ) -> Poll<Result<Option<usize>, BudgetExhausted>> {
        match poll(cx) {
            Poll::Ready(Some(Ok(length))) => {
                Poll::Ready(self.budget.deduct(length, now).map(|()| Some(length)).map_err(|_| BudgetExhausted))
            }
            Poll::Ready(None) => Poll::Ready(Ok(None)),
            Poll::Ready(Some(Err(error))) => {
                // Dropping the error runs user code, which may panic (F2).
                let _ = catch(|| drop(error));
                Poll::Ready(Err(BudgetExhausted))
            }
            Poll::Pending => {
                let Self { budget, deadline } = self;
                let deadline = deadline.get_or_insert_with(|| Deadline::at(budget.waits(now)));
                if deadline.has_passed(cx) { Poll::Ready(Err(BudgetExhausted)) } else { Poll::Pending }
            }
        }
    }

    /// Polls the body up to its end. Returns `false` if the budget was used up, or the body failed, before the end.
    pub(super) fn poll_to_end(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<usize, BoxError>>>,
    ) -> Poll<bool> {
        loop {
            match ready!(self.poll_length(cx, &mut poll)) {
                Ok(Some(_)) => {}
                Ok(None) => return Poll::Ready(true),
                Err(BudgetExhausted) => return Poll::Ready(false),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use error_envelope_core::policy::{BodyLimitPer, Policy};
    use error_envelope_core::session::{BodyFacts, RequestStep, Session, SessionConfig};
    use http::{Request, Version};

    use super::*;
    use http_body_util::LengthLimitError;

    /// A body of these frames. It reports its end together with the last frame, and counts how often it is polled.
    struct Frames(Vec<&'static str>, usize);

    impl Body for Frames {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            self.1 += 1;
            Poll::Ready(self.0.pop().map(|data| Ok(Frame::data(data.into()))))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }
    }

    fn read(body: &mut RequestBody<Frames>) -> (usize, usize) {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut frames = 0;
        while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut *body).poll_frame(&mut cx) {
            frames += 1;
        }
        assert!(body.is_end_stream());
        (frames, body.body.as_ref().unwrap().1)
    }

    /// Returns the body meter of a gRPC call over this version of HTTP.
    fn meter(version: Version) -> BodyMeter {
        let call =
            Request::post("/").version(version).header("content-type", "application/grpc").header("te", "trailers");
        let (mut head, ()) = call.body(()).unwrap().into_parts();
        let config = SessionConfig::new(
            Policy::builder().body_limit(9).body_limit_per(BodyLimitPer::Message).build().unwrap(),
            error_envelope_runtime::now,
        );
        let body = BodyFacts { ended: false, lower: 0, upper: None };
        let id = error_envelope_runtime::new_request_id;
        match Session::begin(Arc::new(config), &mut head, body, id).1 {
            RequestStep::Forward(Some(meter)) => meter,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn p1_an_empty_frame_that_ends_a_stream_of_http2_is_its_end() {
        let frames = || Frames(vec!["", "\0\0\0\0\0", ""], 0);
        assert_eq!(read(&mut RequestBody::new(frames(), true, Some(meter(Version::HTTP_2)), None)), (2, 3));
        assert_eq!(read(&mut RequestBody::new(frames(), true, Some(meter(Version::HTTP_11)), None)), (3, 4));
        assert_eq!(read(&mut RequestBody::new(frames(), true, None, None)), (3, 4));
    }

    #[test]
    fn a_body_that_goes_on_is_not_checked_for_its_end_until_it_is_polled() {
        let empty = || Frames(Vec::new(), 0);
        assert!(!RequestBody::new(empty(), true, None, None).is_end_stream());
        assert!(RequestBody::new(empty(), false, None, None).is_end_stream());
    }

    #[test]
    fn g4_the_error_is_the_one_that_axum_looks_for() {
        assert!(over_limit().is::<LengthLimitError>());
    }
}
