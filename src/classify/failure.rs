//! An inner error value → a fault (rule F1).
//!
//! Asked in this order, each of the whole chain of causes: a typed fault, a tonic status, a body over a limit, a time-out, load shed, a
//! closed or failed buffer, an upstream's connection; anything else is `internal_error`. What the meter saw of the
//! request's body, and the user's own classifier, come before (see `exchange`). The types of other crates are known
//! behind the feature of that name; without it such an error is what its causes say, else anything else.

use std::error::Error;
use std::io::ErrorKind;

use http_body_util::LengthLimitError;

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
    } else {
        of_load(error)?
    };
    Some(Fault::new(code))
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    #[cfg(feature = "tower")]
    if find::<tower::timeout::error::Elapsed>(error).is_some() {
        return true;
    }
    #[cfg(feature = "tonic")]
    if find::<tonic::TimeoutExpired>(error).is_some() {
        return true;
    }
    #[cfg(feature = "hyper")]
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_timeout) {
        return true;
    }
    find::<tokio::time::error::Elapsed>(error).is_some() || has_io_kind(error, |kind| kind == ErrorKind::TimedOut)
}

/// Load shedding, and a buffer that is closed or failed.
#[cfg(feature = "tower")]
fn of_load(error: &(dyn Error + 'static)) -> Option<ErrorCode> {
    use tower::buffer::error::{Closed, ServiceError};
    use tower::load_shed::error::Overloaded;

    if find::<Overloaded>(error).is_some() {
        Some(ErrorCode::WORKER_AT_CAPACITY)
    } else if find::<Closed>(error).is_some() || find::<ServiceError>(error).is_some() {
        Some(ErrorCode::SERVICE_UNAVAILABLE)
    } else {
        None
    }
}

#[cfg(not(feature = "tower"))]
fn of_load(_: &(dyn Error + 'static)) -> Option<ErrorCode> {
    None
}

/// A connection that failed, broke, or closed before a proper head.
fn of_upstream(error: &(dyn Error + 'static)) -> Option<ErrorCode> {
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
    (by_socket || is_clients(error)).then_some(ErrorCode::OTHER)
}

/// What hyper and its pooled client say of a connection. hyper's user errors are the program's own.
#[cfg(feature = "hyper")]
fn is_clients(error: &(dyn Error + 'static)) -> bool {
    find::<hyper_util::client::legacy::Error>(error).is_some_and(|error| error.is_connect())
        || find::<hyper::Error>(error).is_some_and(|error| !error.is_user())
}

#[cfg(not(feature = "hyper"))]
fn is_clients(_: &(dyn Error + 'static)) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::io;

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
            assert_eq!(of_error(&error).code(), code, "{error:?}");
        }
    }

    #[test]
    fn f3_readiness_without_a_better_reason_is_unavailable() {
        assert_eq!(of_readiness(&io::Error::other("pool closed")).code(), "service_unavailable");
        assert_eq!(of_readiness(&io::Error::other(Overloaded::new())).code(), "worker_at_capacity");
    }
}
