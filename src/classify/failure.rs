//! An inner error value → a fault (rule F1).
//!
//! Asked in this order, each of the whole chain of causes: a typed fault, a tonic status, a body over a limit, a time-out, load shed, a
//! closed or failed buffer, an upstream's connection; anything else is `internal_error`. What the meter saw of the
//! request's body, and the user's own classifier, come before (see `exchange`). The types of other crates are known
//! behind the feature of that name; without it such an error is what its causes say, else anything else.

use std::error::Error;
use std::io::{self, ErrorKind};

use http_body_util::LengthLimitError;

use crate::cause::chain;
use crate::code::ErrorCode;
use crate::fault::Fault;

/// What is known of an error.
pub(crate) enum Known<'e> {
    /// It brings its fault along.
    Typed(&'e Fault),
    Fault(Fault),
    /// Its code, if it came from an upstream's connection: what `poll_ready` gives is none of that (F3).
    Upstream(ErrorCode),
    Nothing,
}

impl<'e> Known<'e> {
    /// One look at each cause: of what they say the most telling holds.
    pub(crate) fn of(error: &'e (dyn Error + 'static)) -> Self {
        let mut best: Option<Sign> = None;
        for cause in chain(error) {
            if let Some(fault) = cause.downcast_ref() {
                return Self::Typed(fault);
            }
            best = best.into_iter().chain(Sign::of(cause)).min();
        }
        best = best.into_iter().chain(Sign::of_hyper(error)).min();
        #[cfg(feature = "tonic")]
        if let Some(fault) = super::tonic_status::of_cause(error) {
            return Self::Fault(fault);
        }
        match best {
            Some(Sign::Length) => Self::Fault(Fault::new(ErrorCode::PAYLOAD_TOO_LARGE)),
            Some(Sign::Timeout) => Self::Fault(Fault::new(ErrorCode::GATEWAY_TIMEOUT)),
            Some(Sign::Shed) => Self::Fault(Fault::new(ErrorCode::WORKER_AT_CAPACITY)),
            Some(Sign::Buffer) => Self::Fault(Fault::new(ErrorCode::SERVICE_UNAVAILABLE)),
            Some(Sign::Connection) => Self::Upstream(ErrorCode::OTHER),
            None => Self::Nothing,
        }
    }

    /// The fault of an error that `call` or its future gave.
    pub(crate) fn failed(self) -> Fault {
        match self {
            Self::Typed(fault) => fault.clone(),
            Self::Fault(fault) => fault,
            Self::Upstream(code) => Fault::new(code),
            Self::Nothing => Fault::new(ErrorCode::INTERNAL_ERROR),
        }
    }

    /// The fault of an error that `poll_ready` gave (F3).
    pub(crate) fn unready(self) -> Fault {
        match self {
            Self::Typed(fault) => fault.clone(),
            Self::Fault(fault) => fault,
            Self::Upstream(_) | Self::Nothing => Fault::new(ErrorCode::SERVICE_UNAVAILABLE),
        }
    }
}

/// What one cause says, the most telling first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(not(feature = "tower"), allow(dead_code, reason = "tower alone sheds load, and has buffers"))]
enum Sign {
    Length,
    Timeout,
    Shed,
    Buffer,
    /// It failed, broke, or closed before a proper head.
    Connection,
}

impl Sign {
    fn of(cause: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = cause.downcast_ref::<io::Error>() {
            return Self::of_kind(error.kind());
        }
        if cause.is::<LengthLimitError>() {
            return Some(Self::Length);
        }
        if cause.is::<tokio::time::error::Elapsed>() {
            return Some(Self::Timeout);
        }
        #[cfg(feature = "tonic")]
        if cause.is::<tonic::TimeoutExpired>() {
            return Some(Self::Timeout);
        }
        Self::of_tower(cause)
    }

    fn of_kind(kind: ErrorKind) -> Option<Self> {
        match kind {
            ErrorKind::TimedOut => Some(Self::Timeout),
            ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected
            | ErrorKind::BrokenPipe
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable => Some(Self::Connection),
            _ => None,
        }
    }

    #[cfg(feature = "tower")]
    fn of_tower(cause: &(dyn Error + 'static)) -> Option<Self> {
        use tower::buffer::error::{Closed, ServiceError};

        if cause.is::<tower::timeout::error::Elapsed>() {
            Some(Self::Timeout)
        } else if cause.is::<tower::load_shed::error::Overloaded>() {
            Some(Self::Shed)
        } else if cause.is::<Closed>() || cause.is::<ServiceError>() {
            Some(Self::Buffer)
        } else {
            None
        }
    }

    #[cfg(not(feature = "tower"))]
    fn of_tower(_: &(dyn Error + 'static)) -> Option<Self> {
        None
    }

    /// What hyper and its pooled client say of a connection, each in its outermost word: hyper's user errors are the
    /// program's own, whatever they are made of.
    #[cfg(feature = "hyper")]
    fn of_hyper(error: &(dyn Error + 'static)) -> Option<Self> {
        use crate::cause::find;

        let hyper = find::<hyper::Error>(error);
        if hyper.is_some_and(hyper::Error::is_timeout) {
            Some(Self::Timeout)
        } else if hyper.is_some_and(|error| !error.is_user())
            || find::<hyper_util::client::legacy::Error>(error).is_some_and(|error| error.is_connect())
        {
            Some(Self::Connection)
        } else {
            None
        }
    }

    #[cfg(not(feature = "hyper"))]
    fn of_hyper(_: &(dyn Error + 'static)) -> Option<Self> {
        None
    }
}

#[cfg(test)]
mod tests {
    use tower::load_shed::error::Overloaded;

    use super::*;

    #[test]
    fn f1_the_whole_chain_decides() {
        let buried = |error: Box<dyn Error + Send + Sync>| io::Error::other(io::Error::other(error));
        for (error, code) in [
            (buried(Box::new(Fault::new(ErrorCode::NO_QR))), "no_qr"),
            (buried(Box::new(tower::timeout::error::Elapsed::new())), "gateway_timeout"),
            (buried(Box::new(io::Error::from(ErrorKind::TimedOut))), "gateway_timeout"),
            (buried(Box::new(Overloaded::new())), "worker_at_capacity"),
            (buried(Box::new(io::Error::from(ErrorKind::ConnectionRefused))), "other"),
            (buried("secret".into()), "internal_error"),
            (io::Error::from(ErrorKind::NotFound), "internal_error"),
        ] {
            assert_eq!(Known::of(&error).failed().code(), code, "{error:?}");
        }
    }

    #[test]
    fn f3_readiness_without_a_better_reason_is_unavailable() {
        assert_eq!(Known::of(&io::Error::other("pool closed")).unready().code(), "service_unavailable");
        assert_eq!(Known::of(&io::Error::other(Overloaded::new())).unready().code(), "worker_at_capacity");
    }
}
