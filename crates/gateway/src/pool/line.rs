//! The requests that wait for a connection: first come, first served.

use tokio::sync::oneshot;
use tower::BoxError;

/// A request that waits in line.
pub(super) struct Waiter<C> {
    pub(super) id: u64,
    pub(super) needs_fresh: bool,
    sender: oneshot::Sender<Outcome<C>>,
}

/// A connection for a request, and whether other requests were sent over it before.
pub(super) struct Granted<C> {
    pub(super) connection: C,
    pub(super) is_used: bool,
}

pub(super) type Outcome<C> = Result<Granted<C>, BoxError>;

impl<C> Waiter<C> {
    pub(super) fn new(id: u64, needs_fresh: bool) -> (Self, oneshot::Receiver<Outcome<C>>) {
        let (sender, receiver) = oneshot::channel();
        (Self { id, needs_fresh, sender }, receiver)
    }

    /// Gives the request this outcome. Returns the outcome if the request no longer exists.
    pub(super) fn grant(self, outcome: Outcome<C>) -> Option<Outcome<C>> {
        self.sender.send(outcome).err()
    }
}
