//! The body of an RPC call's response: what passes is shown to the exchange, a failure becomes the call's end (section P).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::budget::Deadline;
use super::catch::catch;
use super::log;
use super::response_body::{Broken, poll_passed, text_of};
use crate::exchange::{BoxError, Classifier, Ended, Last, Origin, Watch};

/// A call whose response has begun.
pub(super) struct Watching {
    watch: Option<Watch>,
    classifier: Option<Arc<Classifier>>,
    deadline: Option<Box<Deadline>>,
    /// The server was told that nothing comes any more: it asks no further.
    whole: AtomicBool,
}

/// What comes of a look at the body.
pub(super) enum Watched {
    Passed(Option<Frame<Bytes>>),
    /// The call has ended here.
    Last(Frame<Bytes>),
    BrokenOff(&'static str),
}

impl Watching {
    pub(super) fn new(watch: Watch, classifier: Option<Arc<Classifier>>, deadline: Option<Box<Deadline>>) -> Self {
        Self { watch: Some(watch), classifier, deadline, whole: AtomicBool::new(false) }
    }

    pub(super) fn poll<R>(&mut self, body: Pin<&mut R>, cx: &mut Context<'_>) -> Poll<Watched>
    where
        R: Body,
        R::Error: Into<BoxError>,
    {
        let polled = poll_passed(body, cx);
        // A body that is never pending ends in time as well.
        let goes_on = match &polled {
            Poll::Pending => true,
            Poll::Ready(Ok(Some(frame))) => frame.is_data(),
            Poll::Ready(_) => false,
        };
        if goes_on && self.has_run_out(cx) {
            return Poll::Ready(self.timed_out());
        }
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(Some(mut frame))) => {
                self.passed(&mut frame);
                Poll::Ready(Watched::Passed(Some(frame)))
            }
            Poll::Ready(Ok(None)) => {
                self.watch = None;
                Poll::Ready(Watched::Passed(None))
            }
            Poll::Ready(Err(broken)) => Poll::Ready(self.failed(broken)),
        }
    }

    /// The body says to the server whether it has ended.
    pub(super) fn says(&self, ended: bool) -> bool {
        if ended {
            self.whole.store(true, Ordering::Relaxed);
        }
        ended
    }

    /// The body is dropped: whoever has not seen its end has cancelled the call, which is logged here.
    pub(super) fn dropped(&mut self) -> bool {
        let ended = *self.whole.get_mut() || self.watch.as_ref().is_none_or(Watch::has_ended);
        let cancelled = self.watch.take().filter(|_| !ended);
        let told = cancelled.is_some();
        if let Some(watch) = cancelled {
            log::event(watch.abandoned());
        }
        told
    }

    fn has_run_out(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = &mut self.deadline else { return false };
        // What cannot be ended well goes on: the client has a clock of its own.
        self.watch.as_ref().is_some_and(Watch::can_end) && deadline.has_passed(cx)
    }

    fn passed(&mut self, frame: &mut Frame<Bytes>) {
        let Some(watch) = &mut self.watch else { return };
        let event = match frame.data_mut() {
            Some(data) => watch.response_data(data),
            None => frame.trailers_mut().and_then(|trailers| watch.response_trailers(trailers)),
        };
        if let Some(event) = event {
            log::event(event);
        }
    }

    fn failed(&mut self, (origin, error): Broken) -> Watched {
        let Some(watch) = self.watch.take() else { return Watched::BrokenOff(text_of(origin)) };
        let ended = match origin {
            Origin::Panic => watch.panicked(error.to_string().into()),
            _ => match catch(|| watch.failure_of(&*error, self.classifier.as_deref())) {
                Ok(failure) => watch.failed(failure, error),
                Err(panic) => {
                    let _ = catch(|| drop(error));
                    watch.panicked(panic)
                }
            },
        };
        last(ended, text_of(origin))
    }

    fn timed_out(&mut self) -> Watched {
        const TEXT: &str = "the call ran out of time";

        self.watch.take().map_or(Watched::BrokenOff(TEXT), |watch| last(watch.timed_out(), TEXT))
    }
}

fn last(Ended { last, event }: Ended, text: &'static str) -> Watched {
    log::event(event);
    match last {
        Last::Trailers(trailers) => Watched::Last(Frame::trailers(trailers)),
        Last::Data(data) => Watched::Last(Frame::data(data)),
        Last::BrokenOff => Watched::BrokenOff(text),
    }
}
