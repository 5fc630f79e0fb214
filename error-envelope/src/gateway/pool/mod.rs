//! Connections to the service: how many there are, which request gets which connection, and which
//! requests are repeated (rule F7).
//!
//! 1. A request takes the newest idle connection that is fit ([`idle`]). If there is none, it waits in line ([`mod@line`]), and
//!    a connection is opened for it, as long as fewer than `--upstream-connections` are there ([`place`]).
//! 2. Whichever comes first goes to the first request in line: a connection that was opened, or one that came back.
//! 3. A connection comes back before the client gets the last byte of its response ([`reply`]). So the client's next
//!    request finds it, and one client never holds two.
//! 4. A connection whose response began before its request was sent to the end does not come back ([`exchange`]).
//! 5. What the service cannot have processed is sent to another connection, and what may be repeated is sent once more,
//!    on a fresh one ([`mod@send`]).
//!
//! hyper-util's pools do not express these rules. Its ready-made client repeats only what was never written, bounds idle
//! connections alone and has no line. Its `pool::cache` looks at no bound, cannot be asked for a fresh connection, and
//! keeps the connection that lost the race against one that came back: a client that asks again at once gets a second one.

mod exchange;
mod idle;
mod line;
mod outgoing;
mod place;
mod reply;
mod send;
mod state;
#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::oneshot::Receiver;

pub(super) use self::exchange::{Exchange, Observed};
use self::line::{Outcome, Turn};
pub(super) use self::outgoing::Outgoing;
pub(super) use self::place::Place;
use self::reply::Lease;
pub(crate) use self::reply::Reply;
pub(super) use self::send::{Failed, Reached, send};
use self::state::State;
use super::BoxError;

/// A connection to the service.
pub(super) trait Connection: Sized + Send + 'static {
    /// Whether it takes several requests at once. Then one is opened at a time, and the newest idle one is kept.
    const IS_SHARED: bool;

    /// Whether the next request can go over it, as far as is known here.
    fn is_fit(&self) -> bool;

    /// The same, but asks the system: for a request that would be lost.
    fn has_ended(&self) -> bool;

    /// How many requests it takes at once; asked once it is open.
    fn room(&self) -> usize;

    /// A second handle to the same connection; `None` if only one request at a time goes over it.
    fn share(&self) -> Option<Self>;

    fn is_same(&self, other: &Self) -> bool;

    /// After a response: waits until the next request can be sent, and returns whether it may be.
    fn poll_reusable(&mut self, cx: &mut Context<'_>) -> Poll<bool>;
}

/// Sends requests over a connection.
pub(super) trait Sends<B>: Connection {
    fn send(
        &mut self,
        request: Request<Outgoing<B>>,
    ) -> impl Future<Output = Result<Response<Incoming>, Failed<B>>> + Send;
}

/// What bounds a pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) connections: usize,
    pub(super) queue_time: Duration,
    pub(super) idle_timeout: Duration,
    /// How long opening a connection may take.
    pub(super) open_timeout: Duration,
}

/// The connections to one service. Clones share them.
pub(super) struct Pool<C: Connection>(Arc<Shared<C>>);

type Opening<C> = Pin<Box<dyn Future<Output = Result<C, BoxError>> + Send>>;

struct Shared<C: Connection> {
    state: Mutex<State<C>>,
    open: Box<dyn Fn(Place) -> Opening<C> + Send + Sync>,
    bounds: Bounds,
}

impl<C: Connection> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Connection> Pool<C> {
    /// `open` opens a connection, which holds its place until its socket is closed.
    pub(super) fn new<F>(bounds: Bounds, open: impl Fn(Place) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<C, BoxError>> + Send + 'static,
    {
        let open = Box::new(move |place| Box::pin(open(place)) as Opening<C>);
        let shared = Arc::new(Shared { state: Mutex::default(), open, bounds });
        tokio::spawn(idle::close_unused(Arc::downgrade(&shared), bounds.idle_timeout));
        Self(shared)
    }

    /// How long a request may wait in line, over all its turns.
    fn queue_time(&self) -> Duration {
        self.0.bounds.queue_time
    }

    /// A connection that is not used now: an idle one, or one that comes back or is opened meanwhile. `queue_time` is
    /// what is left of the request's, and the wait for a used connection is taken off it.
    ///
    /// # Errors
    ///
    /// Why none could be opened; tower's `Overloaded` if none came free within the queue time.
    async fn take_within(&self, queue_time: &mut Duration) -> Result<Lease<C>, BoxError> {
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

    /// A connection over which nothing was sent yet. Otherwise as [`Pool::take_within`].
    async fn take_fresh_within(&self, queue_time: &mut Duration) -> Result<Lease<C>, BoxError> {
        let (turn, closed) = {
            let mut state = self.state();
            let is_full = state.places >= self.0.bounds.connections;
            // Closing a shared one would not free its place while others use it: there any other will do.
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
        let turn = Turn::new(id, receiver, self.clone());
        self.open_what_is_wanted();
        turn.wait(queue_time).await
    }

    /// A connection is free for the next request, unless it was closed: then each request in line would get it in turn.
    fn give_back(&self, connection: C) {
        let unfit = if connection.is_fit() {
            self.state().give_back(connection, self.0.bounds.connections)
        } else {
            Some(connection)
        };
        drop(unfit);
        self.open_what_is_wanted();
    }

    /// Opens a connection for each request in line that waits for none yet.
    fn open_what_is_wanted(&self) {
        let wanted = self.state().begin_opening(self.0.bounds.connections);
        for id in wanted {
            place::open(self, id);
        }
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn upgrade(shared: &Weak<Shared<C>>) -> Option<Self> {
        shared.upgrade().map(Self)
    }
}
