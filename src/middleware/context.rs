//! The state that only few calls need: the span of a request (rule L1), and the time limit that its client has set
//! (rule P1).

use std::task::Context;

use tracing::Span;

use super::deadline::Deadline;
use error_envelope_core::session::Session;
use error_envelope_runtime as runtime;

/// The span and the deadline of a call. Most calls have neither.
pub(super) struct CallContext {
    pub(super) span: Option<Span>,
    pub(super) deadline: Option<Deadline>,
}

impl CallContext {
    /// Returns the context of a call that has a deadline, or whose span a subscriber wants. Returns `None` for any
    /// other call.
    #[inline(always)]
    pub(super) fn new(session: &Session) -> Option<Box<Self>> {
        if runtime::may_want_span() || session.call_time().is_some() { Self::wanted(session) } else { None }
    }

    #[inline(never)]
    fn wanted(session: &Session) -> Option<Box<Self>> {
        let span = runtime::request_span(session.id()?);
        let deadline = session.call_time().map(Deadline::after);
        (span.is_some() || deadline.is_some()).then(|| Box::new(Self { span, deadline }))
    }

    /// Returns true if the client's deadline has passed.
    pub(super) fn has_run_out(&mut self, cx: &mut Context<'_>) -> bool {
        self.deadline.as_mut().is_some_and(|deadline| deadline.has_passed(cx))
    }
}
