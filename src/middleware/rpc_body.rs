//! The body of an RPC call's response: the exchange inspects what passes, and a failure becomes the call's end (section P).

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;

use super::broken::{BodyAction, Broken, Polled, end_of, last};
use super::budget::Deadline;
use error_envelope_core::exchange::RpcResponse;
use error_envelope_runtime as runtime;

/// An RPC call whose response has begun.
pub(super) struct RpcBody {
    watch: Option<Box<RpcResponse>>,
    deadline: Option<Box<Deadline>>,
    /// Whether the body is complete. A server that gets this report does not poll again.
    whole: AtomicBool,
}

impl RpcBody {
    pub(super) fn new(watch: Box<RpcResponse>, deadline: Option<Deadline>) -> Self {
        Self { watch: Some(watch), deadline: deadline.map(Box::new), whole: AtomicBool::new(false) }
    }

    /// Inspects a frame of the body, and its error if it failed.
    #[inline]
    pub(super) fn look(&mut self, polled: &mut Polled, broken: Option<Broken>, cx: &mut Context<'_>) -> BodyAction {
        if let Some(broken) = broken {
            return self.failed(broken);
        }
        // The deadline also applies to a body that is never pending.
        let has_more = match polled {
            Poll::Pending => true,
            Poll::Ready(Some(Ok(frame))) => frame.is_data(),
            Poll::Ready(_) => false,
        };
        if has_more && self.has_run_out(cx) {
            return self.timed_out();
        }
        match polled {
            Poll::Ready(Some(Ok(frame))) => self.passed(frame),
            Poll::Ready(None) => *self.whole.get_mut() = true,
            _ => {}
        }
        BodyAction::GoesOn
    }

    /// Whether the call ends with trailers. This saves a look at the inner body, which is behind boxes.
    pub(super) fn awaits_trailers(&self) -> bool {
        self.watch.as_deref().is_some_and(RpcResponse::awaits_trailers)
    }

    /// Whether neither the head nor the body gives the length.
    pub(super) fn has_no_length(&self) -> bool {
        self.watch.as_deref().is_some_and(RpcResponse::has_no_length)
    }

    /// Returns `ended`, and notes whether the server was informed of the end.
    pub(super) fn report_end(&self, ended: bool) -> bool {
        if ended {
            self.whole.store(true, Ordering::Relaxed);
        }
        ended
    }

    /// The body is dropped. If the client has not got the end, it has cancelled the call. That is logged here, and
    /// `None` is returned, so that a panic within the drop is not logged as a second error.
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
        // A body that cannot be ended properly goes on: the client measures the deadline, too.
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

    fn failed(&mut self, broken: Broken) -> BodyAction {
        end_of(self.watch.take(), broken, RpcResponse::failure_of, RpcResponse::failed)
    }

    fn timed_out(&mut self) -> BodyAction {
        const TEXT: &str = "the call ran out of time";

        self.watch.take().map_or(BodyAction::BrokenOff(TEXT), |watch| last(watch.timed_out(), TEXT))
    }
}
