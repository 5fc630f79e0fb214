//! What a request keeps while it waits: its head, and the service or the failure of its `poll_ready` (rule F3).

use http::request;

use super::caught::inspected;
use super::verify::Verifiers;
use error_envelope_core::session::{BoxError, Ending, LocalReply, Session};
use error_envelope_runtime::{RouteMetrics, catch};

/// The service that was ready for a request, and the request's head.
pub(super) struct Parked<S> {
    pub(super) service: S,
    pub(super) not_ready: Option<NotReady>,
    pub(super) head: request::Parts,
}

impl<S> Parked<S> {
    /// Drops the parts one by one: a second panic while the first unwinds would abort (F2).
    pub(super) fn discard(self) {
        let Self { service, not_ready, head } = self;
        let _ = catch(|| drop(service));
        let _ = catch(|| drop(not_ready));
        let _ = catch(|| drop(head));
    }
}

/// What a request keeps while it waits, apart from its body.
pub(super) struct Waiting<S> {
    pub(super) session: Session,
    pub(super) parked: Parked<S>,
    pub(super) verifiers: Verifiers,
    pub(super) metrics: Option<RouteMetrics>,
}

/// The failure of `poll_ready`, for the request that would have been forwarded (F3). Of a panic only the text is kept:
/// its payload is not `Sync`, so the service would not be `Sync` either.
pub(super) enum NotReady {
    Failed(BoxError),
    Panicked(Box<str>),
}

/// The response to a request whose service was not ready (F3).
pub(super) fn unready(not_ready: NotReady, session: &mut Session) -> Option<Box<LocalReply>> {
    let reply = session.end(match not_ready {
        NotReady::Panicked(panic) => Ending::UnreadyPanicked(panic),
        NotReady::Failed(error) => match inspected(error, |error| session.classify_unready(error)) {
            Ok((failure, error)) => Ending::Unready(failure, error),
            Err(panic) => Ending::UnreadyPanicked(panic),
        },
    });
    reply.map(Box::new)
}
