//! Stores a failure of `poll_ready` until the next request (rule F3).

use error_envelope_core::exchange::{BoxError, Exchange, LocalReply};
use error_envelope_runtime::catch;

/// The failure of `poll_ready`, for the request that would have been forwarded (F3). A panic is kept as its text: a payload
/// is not `Sync`, and would make the service not `Sync`.
pub(super) enum NotReady {
    Failed(BoxError),
    Panicked(Box<str>),
}

/// The response to a request whose service was not ready (F3).
pub(super) fn unready(not_ready: NotReady, exchange: Exchange) -> LocalReply {
    match not_ready {
        NotReady::Panicked(panic) => exchange.unready_panicked(panic),
        NotReady::Failed(error) => match catch(|| exchange.unreadiness_of(&*error)) {
            Ok(failure) => exchange.unready(failure, error),
            Err(panic) => {
                let _ = catch(|| drop(error));
                exchange.unready_panicked(panic)
            }
        },
    }
}
