//! Reads and drops the rest of a request that already has a response, so that the client can read the response (rule
//! G5).

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::Body;
use pin_project_lite::pin_project;

use super::caught::{has_ended, poll_dropped};
use super::request_body::{Budget, BudgetExhausted};
use error_envelope_core::session::{BoxError, DrainBudget, LocalReply};

/// The most bytes of a request to drop before the response's head is sent. Bytes that are available at once are dropped
/// without storing any state.
const AT_ONCE: u64 = 64 * 1024;

pin_project! {
    /// A local reply to a request whose body has not been read to its end.
    pub(super) struct Draining<B> {
        #[pin]
        request: RemainingRequest<B>,
        budget: Budget,
        pub(super) waits: bool,
        answered: Option<Box<LocalReply>>,
    }
}

pin_project! {
    // The rest of a request's body. A body that was polled must not be moved.
    #[project = RestProj]
    pub(super) enum RemainingRequest<B> {
        New { #[pin] body: B },
        Pinned { body: Pin<Box<B>> },
    }
}

impl<B> RemainingRequest<B> {
    fn body(self: Pin<&mut Self>) -> Pin<&mut B> {
        match self.project() {
            RestProj::New { body } => body,
            RestProj::Pinned { body } => body.as_mut(),
        }
    }

    fn body_ref(&self) -> &B {
        match self {
            Self::New { body } => body,
            Self::Pinned { body } => body,
        }
    }
}

impl<B> Draining<B> {
    pub(super) fn new(request: RemainingRequest<B>, drain: DrainBudget, answered: Box<LocalReply>) -> Self {
        let budget = Budget::new(drain.max_bytes, drain.timeout);
        Self { request, budget, waits: drain.body_first, answered: Some(answered) }
    }

    /// Returns the local reply. Only the first call returns it.
    #[inline]
    pub(super) fn reply(self: Pin<&mut Self>) -> Option<Box<LocalReply>> {
        self.project().answered.take()
    }
}

impl<B: Body<Error: Into<BoxError>>> Draining<B> {
    /// Reads and drops the part of the request that has already arrived. Returns true if the request needs no further
    /// draining.
    pub(super) fn drain_at_once(self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        let mut this = self.project();
        let mut read = 0;
        while read < AT_ONCE {
            match this.budget.poll_length(cx, |cx| poll_dropped(this.request.as_mut().body(), cx)) {
                Poll::Ready(Ok(Some(length))) => {
                    read += length.max(1) as u64;
                    if has_ended(this.request.body_ref()) {
                        return true;
                    }
                }
                Poll::Ready(Ok(None) | Err(BudgetExhausted)) => return true,
                Poll::Pending => return false,
            }
        }
        false
    }

    /// Reads and drops the rest of the request, within the budget.
    pub(super) fn poll_drained(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        this.budget.poll_to_end(cx, |cx| poll_dropped(this.request.as_mut().body(), cx)).map(drop)
    }
}
