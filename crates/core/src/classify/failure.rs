//! Turns the error value of an inner service into a fault (F1).
//!
//! The module looks for these kinds of errors in this order, each in the whole chain of causes:
//!
//! 1. a typed fault
//! 2. a fault that the adapter's [`Recogniser`] returns, for example for a tonic status
//! 3. a body over a limit
//! 4. a timeout
//! 5. load shedding
//! 6. a closed or failed buffer
//! 7. a failed connection of an upstream
//!
//! Anything else is `internal_error`. Before this list, `session` checks the meter of the request's body, and the
//! user's own classifier. This module recognises errors of the standard library and of body limits. The recogniser
//! recognises errors of tower, hyper and tonic.

use std::error::Error;
use std::io;

use http_body_util::LengthLimitError;

use crate::cause::chain;
use crate::code::ErrorCode;
use crate::fault::Fault;

/// The kind of an error.
pub(crate) enum ErrorKind<'e> {
    /// The error contains a [`Fault`].
    Typed(&'e Fault),
    Fault(Fault),
    /// The connection to an upstream failed.
    Upstream,
    Nothing,
}

impl<'e> ErrorKind<'e> {
    /// Checks each cause once, and returns the most specific kind.
    pub(crate) fn new(error: &'e (dyn Error + 'static), recogniser: Option<Recogniser>) -> Self {
        let mut best: Option<CauseKind> = None;
        for cause in chain(error) {
            if let Some(fault) = cause.downcast_ref() {
                return Self::Typed(fault);
            }
            best = best.into_iter().chain(CauseKind::of_std_error(cause)).min();
        }
        match recogniser.and_then(|recognise| recognise(error)) {
            Some(Recognised::Fault(fault)) => return Self::Fault(fault),
            Some(Recognised::Kind(kind)) => best = best.into_iter().chain([kind]).min(),
            None => {}
        }
        match best {
            Some(CauseKind::Length) => Self::Fault(Fault::new(ErrorCode::PAYLOAD_TOO_LARGE)),
            Some(CauseKind::Timeout) => Self::Fault(Fault::new(ErrorCode::GATEWAY_TIMEOUT)),
            Some(CauseKind::Shed) => Self::Fault(Fault::new(ErrorCode::WORKER_AT_CAPACITY)),
            Some(CauseKind::Buffer) => Self::Fault(Fault::new(ErrorCode::SERVICE_UNAVAILABLE)),
            Some(CauseKind::Connection) => Self::Upstream,
            None => Self::Nothing,
        }
    }

    /// Returns the fault for an error that `call` or its future returned, or `poll_ready` (F3).
    pub(crate) fn fault(self, is_ready: bool) -> Fault {
        match self {
            Self::Typed(fault) => fault.clone(),
            Self::Fault(fault) => fault,
            Self::Upstream | Self::Nothing if !is_ready => Fault::new(ErrorCode::SERVICE_UNAVAILABLE),
            Self::Upstream => Fault::new(ErrorCode::OTHER),
            Self::Nothing => Fault::new(ErrorCode::INTERNAL_ERROR),
        }
    }
}

/// The kinds of causes, the most specific first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CauseKind {
    /// A body was longer than its limit: `payload_too_large`.
    Length,
    /// A time limit passed: `gateway_timeout`.
    Timeout,
    /// The service had no capacity: `worker_at_capacity`.
    Shed,
    /// The service's buffer failed or is closed: `service_unavailable`.
    Buffer,
    /// A connection failed, or closed before a valid head. The code is `other`, or `service_unavailable` if the service
    /// was not ready.
    Connection,
}

/// The result of a [`Recogniser`].
#[derive(Debug)]
pub enum Recognised {
    /// The error is this fault, regardless of its causes.
    Fault(Fault),
    /// The kind of the error's most specific cause.
    Kind(CauseKind),
}

/// Recognises errors whose types are from other crates. The function checks the whole chain of causes (F1).
pub type Recogniser = fn(&(dyn Error + 'static)) -> Option<Recognised>;

impl CauseKind {
    fn of_std_error(cause: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return Self::of_kind(error.kind());
        }
        cause.is::<LengthLimitError>().then_some(Self::Length)
    }

    fn of_kind(kind: io::ErrorKind) -> Option<Self> {
        match kind {
            io::ErrorKind::TimedOut => Some(Self::Timeout),
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => Some(Self::Connection),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recognise(error: &(dyn Error + 'static)) -> Option<Recognised> {
        let kind = |text: &str| match text {
            "shed" => Some(Recognised::Kind(CauseKind::Shed)),
            "status" => Some(Recognised::Fault(Fault::new(ErrorCode::NO_OP))),
            _ => None,
        };
        chain(error).find_map(|cause| kind(&cause.to_string()))
    }

    fn error_kind(error: &io::Error) -> ErrorKind<'_> {
        ErrorKind::new(error, Some(recognise))
    }

    #[test]
    fn f1_the_whole_chain_decides() {
        let buried = |error: Box<dyn Error + Send + Sync>| io::Error::other(io::Error::other(error));
        for (error, code) in [
            (buried(Box::new(Fault::new(ErrorCode::NO_OP))), "no_op"),
            (buried(Box::new(io::Error::from(io::ErrorKind::TimedOut))), "gateway_timeout"),
            (buried("shed".into()), "worker_at_capacity"),
            (buried("status".into()), "no_op"),
            (buried(Box::new(io::Error::from(io::ErrorKind::ConnectionRefused))), "other"),
            (buried("secret".into()), "internal_error"),
            (io::Error::from(io::ErrorKind::NotFound), "internal_error"),
        ] {
            assert_eq!(error_kind(&error).fault(true).code(), code, "{error:?}");
        }
    }

    #[test]
    fn f3_readiness_without_a_better_reason_is_unavailable() {
        assert_eq!(error_kind(&io::Error::other("pool closed")).fault(false).code(), "service_unavailable");
        assert_eq!(error_kind(&io::Error::other("shed")).fault(false).code(), "worker_at_capacity");
    }
}
