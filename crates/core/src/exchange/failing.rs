//! Requests that have no response: errors, panics, a service that is not ready, clients that leave (rules F1-F3).

use std::error::Error;

use super::{BoxError, Event, Exchange, Failure, LocalReply, Origin};
use crate::classify::failure::ErrorKind;
use crate::code::ErrorCode;
use crate::fault::Fault;
use crate::guard::body_limit::{self, BodyFlags};
use crate::policy::Adopted;

/// The cause in the log.
pub(super) const OUT_OF_TIME: &str = "the client's own time-out for the call ran out";

impl Exchange {
    /// Classifies an inner error (F1): a body over its limit whatever the error, then by the classifier, then by the
    /// contract's list over the whole chain of causes.
    ///
    /// # Panics
    ///
    /// If the classifier does, or the error's `source`.
    pub fn failure_of(&self, error: &(dyn Error + 'static)) -> Failure {
        if let Some(fault) = self.body_fault() {
            return Failure::new(fault, Origin::Guard);
        }
        if let Some(failure) = self.classified(error) {
            return failure;
        }
        let known = ErrorKind::new(error, self.config.recogniser());
        if let ErrorKind::Typed(fault) = known {
            return Failure::new(fault.clone(), Origin::Fault);
        }
        Failure::new(self.broken_request().unwrap_or_else(|| known.failed()), Origin::Error)
    }

    /// Classifies an error from `poll_ready` (F3).
    ///
    /// # Panics
    ///
    /// If the classifier does, or the error's `source`.
    pub fn unreadiness_of(&self, error: &(dyn Error + 'static)) -> Failure {
        if let Some(failure) = self.classified(error) {
            return failure;
        }
        let known = ErrorKind::new(error, self.config.recogniser());
        let origin = if matches!(known, ErrorKind::Typed(_)) { Origin::Fault } else { Origin::Error };
        Failure::new(known.unready(), origin)
    }

    /// The result of the service's own classifier for an error.
    fn classified(&self, error: &(dyn Error + 'static)) -> Option<Failure> {
        Some(Failure::new(self.config.classifier()?(error)?, Origin::Error))
    }

    /// The inner service was not ready for the request, which was not forwarded (F3).
    pub fn unready(self, failure: Failure, cause: BoxError) -> LocalReply {
        let drain = self.drain();
        self.answer(failure, Some(cause), drain)
    }

    /// A panic kept the request from being forwarded (F2).
    pub fn unready_panicked(self, text: Box<str>) -> LocalReply {
        let drain = self.drain();
        let failure = Failure::new(Fault::new(ErrorCode::INTERNAL_ERROR), Origin::Panic);
        self.answer(failure, Some(String::from(text).into()), drain)
    }

    /// The inner service failed with `cause` (F1).
    pub fn failed(self, failure: Failure, cause: BoxError) -> LocalReply {
        self.answer(failure, Some(cause), None)
    }

    /// The inner service panicked with this text (F2).
    pub fn panicked(self, text: Box<str>) -> LocalReply {
        let failure = self.body_fault_or(Failure::new(Fault::new(ErrorCode::INTERNAL_ERROR), Origin::Panic));
        self.answer(failure, Some(String::from(text).into()), None)
    }

    /// The client went away before its head (F2).
    pub fn abandoned(self) -> Event {
        self.event(Origin::Abandoned, None)
    }

    /// The call took longer than its client waits: an answer like the inner service's own time-out (F1).
    pub fn timed_out(self) -> LocalReply {
        let failure = self.body_fault_or(Failure::new(Fault::new(ErrorCode::GATEWAY_TIMEOUT), Origin::Error));
        self.answer(failure, Some(OUT_OF_TIME.into()), None)
    }

    /// A fault as it leaves, with the policy's settings of its code. Each fault from outside the layer goes through here.
    pub(super) fn adopted(&mut self, fault: Fault) -> Fault {
        let Adopted { fault, other_status } = self.policy().adopt(fault);
        if other_status.is_some() {
            self.notes_mut().policy_status = other_status;
        }
        fault
    }

    /// This failure, unless the request's body was cut: that is then the cause of all others.
    pub(super) fn body_fault_or(&self, failure: Failure) -> Failure {
        self.body_fault().map_or(failure, |cut| Failure::new(cut, Origin::Guard))
    }

    /// Why the request's body was cut, where it was (G4, P1).
    #[inline]
    pub(super) fn body_fault(&self) -> Option<Fault> {
        let flags = self.flags.as_ref().filter(|flags| flags.has(BodyFlags::OVER | BodyFlags::MALFORMED))?;
        if flags.has(BodyFlags::OVER) {
            flags.limit().map(|limit| self.policy().too_large(limit))
        } else {
            Some(body_limit::malformed())
        }
    }

    /// Whether the client left before it had sent its request: whatever the outcome, the request is abandoned (F1a).
    #[inline]
    pub(super) fn client_left(&self) -> bool {
        self.flags.as_ref().is_some_and(|flags| flags.has(BodyFlags::LEFT))
    }

    /// The client's part in a failure: its body broke off, or came too slowly (F1).
    pub(super) fn broken_request(&self) -> Option<Fault> {
        let flags = self.flags.as_ref()?;
        if flags.has(BodyFlags::SLOW) {
            Some(Fault::new(ErrorCode::REQUEST_TIMEOUT))
        } else if flags.has(BodyFlags::BROKEN) {
            Some(Fault::new(ErrorCode::BAD_REQUEST))
        } else {
            None
        }
    }
}
