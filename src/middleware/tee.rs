//! Copies an inner error's body as it passes (rule M1).

use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use super::read_bytes::ReadBytes;
use error_envelope_core::exchange::{Collected, ObservedError, UnreadReason};
use error_envelope_runtime as runtime;

/// A copy of the part of a body that has passed so far, on a route in `observe`.
pub(super) struct Tee {
    observed: Option<Box<ObservedError>>,
    copy: ReadBytes,
    passed: u64,
    max_bytes: u64,
    /// The number of bytes still to come, if the body reports it: a server does not poll for the end after the last
    /// byte.
    length: Option<u64>,
    until: Instant,
}

impl Tee {
    #[allow(clippy::disallowed_methods, reason = "nothing waits here: the time is read again when the body has passed")]
    pub(super) fn new(observed: Box<ObservedError>, max_bytes: u64, timeout: Duration, size: SizeHint) -> Self {
        let until = Instant::now() + timeout;
        Self { observed: Some(observed), copy: ReadBytes::default(), passed: 0, max_bytes, length: size.exact(), until }
    }

    pub(super) fn passed(&mut self, frame: &Frame<Bytes>, last: bool) {
        if let Some(data) = frame.data_ref() {
            self.passed = self.passed.saturating_add(data.len() as u64);
            if self.passed <= self.max_bytes {
                self.copy.push_data(data.clone());
            }
        }
        if last || self.length == Some(self.passed) {
            self.ended();
        }
    }

    pub(super) fn ended(&mut self) {
        self.log_end(true);
    }

    /// Notes that the body was cut off, or is not read further.
    pub(super) fn broke_off(&mut self) {
        self.log_end(false);
    }

    /// Logs the end once, not later than an enforced error would be decided.
    #[allow(clippy::disallowed_methods, reason = "as above")]
    fn log_end(&mut self, whole: bool) {
        let Some(observed) = self.observed.take() else { return };
        let copy = std::mem::take(&mut self.copy).into_bytes();
        let unread = match () {
            () if self.passed > self.max_bytes => Some(UnreadReason::TooLong),
            () if !whole => Some(UnreadReason::BrokeOff),
            () if Instant::now() >= self.until => Some(UnreadReason::TooLate),
            () => None,
        };
        let Some(why) = unread else { return runtime::log_event(observed.finish(Collected::Whole(&copy))) };
        let mut event = observed.finish(Collected::Unreadable(&copy));
        event.note_unread(why);
        runtime::log_event(event);
    }
}
