//! The time limit for a service's pauses within its response body (`[scope] stall_timeout`).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use error_envelope_core::session::{ProxyError, ProxyFailure};
use tokio::time::{Instant, Sleep, sleep};

/// The limit on the pauses of one body.
pub(crate) struct StallLimit {
    limit: Duration,
    timer: Pin<Box<Sleep>>,
    /// Whether the timer runs. It was started when the body had no frame, and none has come since.
    waits: bool,
}

impl StallLimit {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, timer: Box::pin(sleep(limit)), waits: false }
    }

    /// Notes that a frame of the body came, or its end.
    pub(crate) fn note_progress(&mut self) {
        self.waits = false;
    }

    /// Ready once the body has paused for too long. It is called when the body has no frame.
    pub(crate) fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if !self.waits {
            self.timer.as_mut().reset(Instant::now() + self.limit);
            self.waits = true;
        }
        ready!(self.timer.as_mut().poll(cx));
        let text = format!("the service paused for more than {:?} in the middle of its response", self.limit);
        // The error counts as a failure of the service (F1).
        let failure = ProxyFailure::new(ProxyError::HttpResponseIncomplete, text);
        Poll::Ready(io::Error::new(io::ErrorKind::ConnectionAborted, failure))
    }
}
