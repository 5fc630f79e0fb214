//! The last request body of a connection over HTTP/1, and what is left of it.
//!
//! hyper is within a body until all of it was read, and closes the connection after the response if it was not. So the rest of a
//! body that was dropped is kept until its response leaves.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hyper::body::Incoming;

use super::idle::Activity;

/// The body of the last request that has one.
#[derive(Default)]
pub(crate) struct LastBody {
    /// Whether the body belongs to the last request.
    is_current: AtomicBool,
    state: Mutex<BodyState>,
}

#[derive(Default)]
struct BodyState {
    number: BodyNumber,
    /// The body was not read to its end, so that hyper closes the connection after the response.
    is_unread: bool,
    /// The body was dropped.
    is_left: bool,
    /// The response to its request has left, and its head cannot change any more.
    is_answered: bool,
    rest: Option<Incoming>,
}

/// Separates a body from earlier ones, which may be held for longer than their requests take.
pub(crate) type BodyNumber = usize;

impl LastBody {
    /// Notes that the next body begins, and returns its number.
    pub(crate) fn begin(&self) -> BodyNumber {
        self.is_current.store(true, Relaxed);
        let mut body = self.state();
        let number = body.number.wrapping_add(1);
        *body = BodyState { number, is_unread: true, ..BodyState::default() };
        number
    }

    /// The next request begins.
    pub(crate) fn request_started(&self, activity: &Activity) {
        if self.is_current.swap(false, Relaxed) {
            self.drop_rest(activity);
        }
    }

    /// The response to the last request leaves.
    pub(crate) fn response_started(&self, activity: &Activity) {
        if self.is_current.load(Relaxed) {
            self.drop_rest(activity);
        }
    }

    /// hyper skips what is left, or closes the connection.
    fn drop_rest(&self, activity: &Activity) {
        let mut body = self.state();
        body.is_answered = true;
        let rest = body.take_rest(activity);
        drop(body);
        drop(rest);
    }

    /// The rest of a body that was dropped. While it is kept here, hyper is within it.
    pub(crate) fn take_rest(&self, activity: &Activity) -> Option<Incoming> {
        self.state().take_rest(activity)
    }

    /// Whether hyper will close the connection after a response that leaves now, since it cannot skip the rest of the request: its
    /// body was dropped, or it was not sent to the service to its end, which has responded and will not take more (`is_unsent`).
    pub(crate) fn closes_connection(&self, is_unsent: impl FnOnce() -> bool) -> bool {
        self.is_current.load(Relaxed) && {
            let body = self.state();
            body.is_unread && (body.is_left || is_unsent())
        }
    }

    /// The rest that was taken was read to its end.
    pub(crate) fn rest_was_read(&self) {
        self.state().is_unread = false;
    }

    /// This body was read to its end.
    pub(crate) fn was_read(&self, number: BodyNumber) {
        let mut body = self.state();
        if body.number == number {
            body.is_unread = false;
        }
    }

    /// This body is dropped with this rest, which is kept for as long as the response has not left, if it `may_be_kept`.
    pub(crate) fn leave(&self, number: BodyNumber, rest: Incoming, may_be_kept: bool, activity: &Activity) {
        let mut body = self.state();
        if body.number != number || !body.is_unread {
            return;
        }
        body.is_left = true;
        if may_be_kept && !body.is_answered {
            activity.body_started();
            body.rest = Some(rest);
        }
    }

    fn state(&self) -> MutexGuard<'_, BodyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BodyState {
    fn take_rest(&mut self, activity: &Activity) -> Option<Incoming> {
        self.rest.take().inspect(|_| activity.body_ended())
    }
}
