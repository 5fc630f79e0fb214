//! The last request body of an HTTP/1 connection, and the unread rest of this body.
//!
//! If a request body is dropped before its end, hyper closes the connection after the response. So the rest of a
//! dropped body is kept until the response is sent.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::body::Incoming;

/// The body of the last request that has one.
#[derive(Default)]
pub(crate) struct LastBody {
    /// True if the body belongs to the connection's last request. That request may have no body.
    is_current: AtomicBool,
    state: Mutex<BodyState>,
}

#[derive(Default)]
struct BodyState {
    number: BodyNumber,
    /// True if the body was not read to its end, so that hyper closes the connection after the response.
    is_unread: bool,
    /// True if the body was dropped.
    is_left: bool,
    /// True if the head of the response to the body's request was sent, so that the head can no longer change.
    is_answered: bool,
    rest: Option<Incoming>,
}

/// The number of a request body on its connection. It distinguishes the body from earlier bodies, which may still exist
/// after their requests have ended.
pub(crate) type BodyNumber = usize;

impl LastBody {
    /// Records that the next request body begins, and returns its number.
    pub(crate) fn begin(&self) -> BodyNumber {
        self.is_current.store(true, Relaxed);
        let mut body = self.state();
        let number = body.number.wrapping_add(1);
        *body = BodyState { number, is_unread: true, ..BodyState::default() };
        number
    }

    /// Records that the next request begins.
    pub(crate) fn request_started(&self) {
        if self.is_current.swap(false, Relaxed) {
            self.drop_rest();
        }
    }

    /// Records that the response to the last request is being sent.
    pub(crate) fn response_started(&self) {
        if self.is_current.load(Relaxed) {
            self.drop_rest();
        }
    }

    /// Drops the rest of the body. hyper then skips the rest if it has already arrived, and otherwise closes the
    /// connection.
    fn drop_rest(&self) {
        let mut body = self.state();
        body.is_answered = true;
        let rest = body.rest.take();
        drop(body);
        drop(rest);
    }

    /// Returns the rest of a dropped body, so that the caller can read it. While the rest exists, hyper waits for its
    /// end.
    pub(crate) fn take_rest(&self) -> Option<Incoming> {
        self.state().rest.take()
    }

    /// Returns true if hyper will close the connection after a response that is sent now, because it cannot skip the
    /// rest of the request's body. The rest cannot be skipped if the body was dropped, or if the service responded
    /// before it got all of the body (`is_unsent`).
    pub(crate) fn closes_connection(&self, is_unsent: impl FnOnce() -> bool) -> bool {
        self.is_current.load(Relaxed) && {
            let body = self.state();
            body.is_unread && (body.is_left || is_unsent())
        }
    }

    /// Records that the rest from [`LastBody::take_rest`] was read to its end.
    pub(crate) fn rest_was_read(&self) {
        self.state().is_unread = false;
    }

    /// Records that this body was read to its end.
    pub(crate) fn was_read(&self, number: BodyNumber) {
        let mut body = self.state();
        if body.number == number {
            body.is_unread = false;
        }
    }

    /// Records that the body with this number is dropped, and that `rest` is still unread. If `may_be_kept` is true,
    /// the rest is kept until the response is sent.
    pub(crate) fn leave(&self, number: BodyNumber, rest: Incoming, may_be_kept: bool) {
        let mut body = self.state();
        if body.number != number || !body.is_unread {
            return;
        }
        body.is_left = true;
        if may_be_kept && !body.is_answered {
            body.rest = Some(rest);
        }
    }

    fn state(&self) -> MutexGuard<'_, BodyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
