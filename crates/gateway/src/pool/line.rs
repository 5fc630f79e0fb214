//! Requests that wait for a connection, first come, first served.

use tokio::sync::oneshot;
use tower::BoxError;

/// A request in line.
pub(super) struct Waiter<C> {
    pub(super) id: u64,
    pub(super) needs_fresh: bool,
    sender: oneshot::Sender<Outcome<C>>,
}

/// A connection for a request, and whether others were sent over it before.
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

    /// Returns `outcome` if the request is gone.
    pub(super) fn grant(self, outcome: Outcome<C>) -> Option<Outcome<C>> {
        self.sender.send(outcome).err()
    }
}
