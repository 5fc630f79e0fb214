//! Requests that wait for a connection, first come, first served.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tower::load_shed::error::Overloaded;

use super::{BoxError, Connection, Lease, Pool};

/// How often, at most, a request looks whether a connection is still being opened for it. Each look locks the pool and
/// walks the line; a queue time may be far shorter, and opening takes milliseconds at least across a network.
const SHORTEST_ROUND: Duration = Duration::from_millis(10);

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

/// A place in line, which is left when this is dropped.
pub(super) struct Turn<C: Connection> {
    id: u64,
    receiver: oneshot::Receiver<Outcome<C>>,
    pool: Pool<C>,
}

impl<C: Connection> Turn<C> {
    pub(super) fn new(id: u64, receiver: oneshot::Receiver<Outcome<C>>, pool: Pool<C>) -> Self {
        Self { id, receiver, pool }
    }

    /// Waits for a connection. The queue time ends it only while none is being opened for it: a slow way to the service
    /// is no lack of connections, and the time limit for the response head bounds it.
    ///
    /// `left` is what is left of the request's queue time: a request that joins the line again does not start anew.
    /// The wait for a connection that was opened is not taken off.
    pub(super) async fn wait(mut self, left: &mut Duration) -> Result<Lease<C>, BoxError> {
        loop {
            let began = Instant::now();
            match tokio::time::timeout(*left, &mut self.receiver).await {
                Ok(Ok(outcome)) => {
                    let Granted { connection, is_used } = outcome?;
                    if is_used {
                        *left = left.saturating_sub(began.elapsed());
                    }
                    return Ok(Lease::new(connection, is_used, self.pool.clone()));
                }
                Ok(Err(_)) => return Err("the pool of connections is gone".into()),
                Err(_) if self.pool.state().is_served_by_opening(self.id) => {
                    *left = self.pool.queue_time().max(SHORTEST_ROUND);
                }
                Err(_) => return Err(Overloaded::new().into()),
            }
        }
    }
}

impl<C: Connection> Drop for Turn<C> {
    fn drop(&mut self) {
        self.receiver.close();
        // Granted, and never taken: the client left at that moment.
        if let Ok(Ok(granted)) = self.receiver.try_recv() {
            self.pool.give_back(granted.connection);
        }
        self.pool.state().leave_line(self.id);
    }
}
