//! An inner error value → a fault (rule F1).
//!
//! Asked in this order, each of the whole chain of causes: a typed fault, a tonic status, a body over a limit, a time-out, load shed, a
//! closed or failed buffer, an upstream's connection; anything else is `internal_error`. What the meter saw of the
//! request's body, and the user's own classifier, come before (see `exchange`).

use std::error::Error;
use std::io::ErrorKind;

use http_body_util::LengthLimitError;
use tower::buffer::error::{Closed, ServiceError};
use tower::load_shed::error::Overloaded;

use crate::cause::{find, has_io_kind};
use crate::code::ErrorCode;
use crate::fault::Fault;

/// The fault of an error that `call` or its future gave.
pub(crate) fn of_error(error: &(dyn Error + 'static)) -> Fault {
    of_known(error).unwrap_or_else(|| Fault::new(of_upstream(error).unwrap_or(ErrorCode::INTERNAL_ERROR)))
}

/// The fault of an error that `poll_ready` gave (F3).
pub(crate) fn of_readiness(error: &(dyn Error + 'static)) -> Fault {
    of_known(error).unwrap_or_else(|| Fault::new(ErrorCode::SERVICE_UNAVAILABLE))
}

fn of_known(error: &(dyn Error + 'static)) -> Option<Fault> {
    if let Some(fault) = find::<Fault>(error) {
        return Some(fault.clone());
    }
    #[cfg(feature = "tonic")]
    if let Some(fault) = super::tonic_status::of_cause(error) {
        return Some(fault);
    }
    let code = if find::<LengthLimitError>(error).is_some() {
        ErrorCode::PAYLOAD_TOO_LARGE
    } else if is_timeout(error) {
        ErrorCode::GATEWAY_TIMEOUT
    } else if find::<Overloaded>(error).is_some() {
        ErrorCode::WORKER_AT_CAPACITY
    } else if find::<Closed>(error).is_some() || find::<ServiceError>(error).is_some() {
        ErrorCode::SERVICE_UNAVAILABLE
    } else {
        return None;
    };
    Some(Fault::new(code))
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    find::<tower::timeout::error::Elapsed>(error).is_some()
        || find::<tokio::time::error::Elapsed>(error).is_some()
        || is_tonics_timeout(error)
        || find::<hyper::Error>(error).is_some_and(hyper::Error::is_timeout)
        || has_io_kind(error, |kind| kind == ErrorKind::TimedOut)
}

#[cfg(feature = "tonic")]
fn is_tonics_timeout(error: &(dyn Error + 'static)) -> bool {
    find::<tonic::TimeoutExpired>(error).is_some()
}

#[cfg(not(feature = "tonic"))]
fn is_tonics_timeout(_: &(dyn Error + 'static)) -> bool {
    false
}

/// A connection that failed, broke, or closed before a proper head. hyper's user errors are the program's own.
fn of_upstream(error: &(dyn Error + 'static)) -> Option<ErrorCode> {
    let by_client = find::<hyper_util::client::legacy::Error>(error).is_some_and(|error| error.is_connect())
        || find::<hyper::Error>(error).is_some_and(|error| !error.is_user());
    let by_socket = has_io_kind(error, |kind| {
        matches!(
            kind,
            ErrorKind::ConnectionRefused
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::NotConnected
                | ErrorKind::BrokenPipe
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::NetworkDown
                | ErrorKind::AddrNotAvailable
        )
    });
    (by_client || by_socket).then_some(ErrorCode::OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

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
            assert_eq!(of_error(&error).code(), code, "{error:?}");
        }
    }

    #[test]
    fn f3_readiness_without_a_better_reason_is_unavailable() {
        assert_eq!(of_readiness(&io::Error::other("pool closed")).code(), "service_unavailable");
        assert_eq!(of_readiness(&io::Error::other(Overloaded::new())).code(), "worker_at_capacity");
    }
}
