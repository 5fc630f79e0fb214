//! The body of an RPC call's response: what passes is shown to the exchange, a failure becomes the call's end (section P).

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;

use super::broken::{Broken, Polled, text_of};
use super::budget::Deadline;
use error_envelope_core::exchange::{FinalFrame, Origin, RpcFailure, RpcResponse};
use error_envelope_runtime as runtime;
use error_envelope_runtime::catch;

/// A call whose response has begun.
pub(super) struct RpcBody {
    watch: Option<Box<RpcResponse>>,
    deadline: Option<Box<Deadline>>,
    /// Nothing comes any more: where the server was told so, it asks no further.
    whole: AtomicBool,
}

/// What comes of a look at the body.
pub(super) enum RpcBodyAction {
    GoesOn,
    /// The call has ended here.
    Last(Frame<Bytes>),
    BrokenOff(&'static str),
}

impl RpcBody {
    pub(super) fn new(watch: Box<RpcResponse>, deadline: Option<Deadline>) -> Self {
        Self { watch: Some(watch), deadline: deadline.map(Box::new), whole: AtomicBool::new(false) }
    }

    /// Looks at what the body gave, and why it failed where it did.
    #[inline]
    pub(super) fn look(&mut self, polled: &mut Polled, broken: Option<Broken>, cx: &mut Context<'_>) -> RpcBodyAction {
        if let Some(broken) = broken {
            return self.failed(broken);
        }
        // A body that is never pending ends in time as well.
        let goes_on = match polled {
            Poll::Pending => true,
            Poll::Ready(Some(Ok(frame))) => frame.is_data(),
            Poll::Ready(_) => false,
        };
        if goes_on && self.has_run_out(cx) {
            return self.timed_out();
        }
        match polled {
            Poll::Ready(Some(Ok(frame))) => self.passed(frame),
            Poll::Ready(None) => *self.whole.get_mut() = true,
            _ => {}
        }
        RpcBodyAction::GoesOn
    }

    /// The end is still to come, as trailers: a look through the body's boxes for it is saved.
    pub(super) fn awaits_trailers(&self) -> bool {
        self.watch.as_deref().is_some_and(RpcResponse::awaits_trailers)
    }

    /// Neither the head nor the body has said how long the body is.
    pub(super) fn has_no_length(&self) -> bool {
        self.watch.as_deref().is_some_and(RpcResponse::has_no_length)
    }

    /// The body says to the server whether it has ended.
    pub(super) fn report_end(&self, ended: bool) -> bool {
        if ended {
            self.whole.store(true, Ordering::Relaxed);
        }
        ended
    }

    /// The body is dropped: whoever has not seen its end has cancelled the call, which is logged here. What a drop then
    /// does is no second error; else the watch knows whose it is.
    pub(super) fn dropped(&mut self) -> Option<Box<RpcResponse>> {
        let watch = self.watch.take()?;
        if *self.whole.get_mut() || watch.has_ended() {
            return Some(watch);
        }
        runtime::log_event(watch.abandoned());
        None
    }

    fn has_run_out(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = &mut self.deadline else { return false };
        // What cannot be ended well goes on: the client has a clock of its own.
        self.watch.as_deref().is_some_and(RpcResponse::can_end) && deadline.has_passed(cx)
    }

    fn passed(&mut self, frame: &mut Frame<Bytes>) {
        let Some(watch) = &mut self.watch else { return };
        let event = match frame.data_mut() {
            Some(data) => watch.response_data(data),
            None => frame.trailers_mut().and_then(|trailers| watch.response_trailers(trailers)),
        };
        if let Some(event) = event {
            runtime::log_event(event);
        }
    }

    fn failed(&mut self, (origin, error): Broken) -> RpcBodyAction {
        let Some(watch) = self.watch.take() else { return RpcBodyAction::BrokenOff(text_of(origin)) };
        let ended = match origin {
            Origin::Panic => watch.panicked(error.to_string().into()),
            _ => match catch(|| watch.failure_of(&*error)) {
                Ok(failure) => watch.failed(failure, error),
                Err(panic) => {
                    let _ = catch(|| drop(error));
                    watch.panicked(panic)
                }
            },
        };
        last(ended, text_of(origin))
    }

    fn timed_out(&mut self) -> RpcBodyAction {
        const TEXT: &str = "the call ran out of time";

        self.watch.take().map_or(RpcBodyAction::BrokenOff(TEXT), |watch| last(watch.timed_out(), TEXT))
    }
}

fn last(RpcFailure { last, event }: RpcFailure, text: &'static str) -> RpcBodyAction {
    runtime::log_event(event);
    match last {
        FinalFrame::Trailers(trailers) => RpcBodyAction::Last(Frame::trailers(trailers)),
        FinalFrame::Data(data) => RpcBodyAction::Last(Frame::data(data)),
        FinalFrame::BrokenOff => RpcBodyAction::BrokenOff(text),
    }
}
