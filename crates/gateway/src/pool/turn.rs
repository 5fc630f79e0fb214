//! How a request gets a connection: an idle one, or one for which it waits in line.

use std::time::Duration;

use tokio::sync::oneshot::Receiver;
use tokio::time::Instant;
use tower::BoxError;
use tower::load_shed::error::Overloaded;

use super::connection::Connection;
use super::line::{Granted, Outcome};
use super::reply::Lease;
use super::shared::Pool;
use crate::count::GaugeGuard;

/// How often, at most, a request checks whether a connection is still being opened for it. Each check locks the pool
/// and walks the line. The queue time may be far shorter than this, but opening a connection over a network takes
/// milliseconds at least.
const SHORTEST_ROUND: Duration = Duration::from_millis(10);

/// How often a request in line checks whether a service takes more requests on a connection, since no event reports
/// that.
const ROOM_ROUND: Duration = Duration::from_millis(50);

impl<C: Connection> Pool<C> {
    /// Takes a connection that is not in use: an idle one, or one that is returned or opened while the request waits.
    /// `queue_time` is the rest of the request's queue time. A wait for a used connection reduces it.
    ///
    /// # Errors
    ///
    /// The error of opening a connection; tower's `Overloaded` if no connection became free within the queue time.
    pub(super) async fn take_within(&self, queue_time: &mut Duration) -> Result<Lease<C>, BoxError> {
        let mut unfit = Vec::new();
        let turn = {
            let mut state = self.state();
            if let Some(connection) = state.idle.take(&mut unfit) {
                return Ok(Lease::new(connection, true, self.clone()));
            }
            state.join_line(false)
        };
        drop(unfit);
        self.wait_in_line(turn, queue_time).await
    }

    /// As [`Pool::take_within`], but takes a connection over which nothing was sent yet.
    pub(super) async fn take_fresh_within(&self, queue_time: &mut Duration) -> Result<Lease<C>, BoxError> {
        let (turn, closed) = {
            let mut state = self.state();
            let is_full = state.slots >= self.max_connections();
            // To close a shared connection would not free its place while other requests use it. In that case the
            // request takes any connection, even a used one.
            let closes = is_full && !C::IS_SHARED;
            (state.join_line(!(is_full && C::IS_SHARED)), closes.then(|| state.idle.take_oldest()).flatten())
        };
        drop(closed);
        self.wait_in_line(turn, queue_time).await
    }

    async fn wait_in_line(
        &self,
        (id, receiver): (u64, Receiver<Outcome<C>>),
        queue_time: &mut Duration,
    ) -> Result<Lease<C>, BoxError> {
        let turn = Turn { id, receiver, pool: self.clone(), _counted: self.metrics().queued() };
        self.open_missing_connections();
        turn.wait(queue_time).await
    }
}

/// A request's place in line, which it leaves when this is dropped.
struct Turn<C: Connection> {
    id: u64,
    receiver: Receiver<Outcome<C>>,
    pool: Pool<C>,
    _counted: GaugeGuard,
}

impl<C: Connection> Turn<C> {
    /// Waits for a connection. The queue time does not end the wait while a connection is being opened for this turn. A
    /// slow network is not a lack of connections, and has its own limit, that of the response head.
    ///
    /// `left` is what is left of the request's queue time: a request that joins the line again keeps its used time. A
    /// wait for a newly opened connection does not reduce it.
    async fn wait(mut self, left: &mut Duration) -> Result<Lease<C>, BoxError> {
        let mut began = Instant::now();
        loop {
            let (now, until) = (Instant::now(), began + *left);
            let look = if C::IS_SHARED { until.min(now + ROOM_ROUND) } else { until };
            match tokio::time::timeout_at(look, &mut self.receiver).await {
                Ok(Ok(outcome)) => {
                    let Granted { connection, is_used } = outcome?;
                    if is_used {
                        *left = left.saturating_sub(began.elapsed());
                    }
                    return Ok(Lease::new(connection, is_used, self.pool.clone()));
                }
                Ok(Err(_)) => return Err("the pool of connections to the service was closed".into()),
                Err(_) if look < until => self.pool.look_for_room(),
                Err(_) if self.pool.state().is_served_by_opening(self.id) => {
                    began = Instant::now();
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
        // The connection was granted but not taken, because the client left at that moment.
        if let Ok(Ok(granted)) = self.receiver.try_recv() {
            self.pool.give_back(granted.connection);
        }
        self.pool.state().leave_line(self.id);
    }
}
