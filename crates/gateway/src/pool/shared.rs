//! The pool of connections to one service. A returned connection goes to the next request. The pool opens new
//! connections for requests that wait.

use std::io;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use error_envelope_core::session::{ProxyError, ProxyFailure};
use tokio::sync::Notify;
use tokio::time::{Instant, interval_at};
use tower::BoxError;

use super::state::{Connection, ROUNDS, State};
use crate::count::{GaugeGuard, UpstreamMetrics};

/// The limits of a pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) connections: usize,
    pub(crate) queue_time: Duration,
    pub(crate) idle_timeout: Duration,
    /// The time limit for opening a connection.
    pub(crate) open_timeout: Duration,
}

/// A pool of connections to one service. Clones share the connections.
pub(crate) struct Pool<C: Connection>(pub(super) Arc<Shared<C>>);

type Connecting<C> = Pin<Box<dyn Future<Output = Result<C, BoxError>> + Send>>;

pub(super) struct Shared<C: Connection> {
    state: Mutex<State<C>>,
    open: Box<dyn Fn(PoolSlot) -> Connecting<C> + Send + Sync>,
    pub(super) bounds: Bounds,
    pub(super) metrics: UpstreamMetrics,
    /// The pool's id, which is unique in the process.
    pub(super) id: u64,
    /// Notified when a slot becomes free.
    freed: Arc<Notify>,
}

/// The number of pools that the process has created. It is the id of the next pool.
static POOLS: AtomicU64 = AtomicU64::new(0);

impl<C: Connection> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Connection> Pool<C> {
    /// Creates a pool. `open` opens a connection, and keeps the slot until the connection's socket is closed.
    pub(crate) fn new<F>(
        bounds: Bounds,
        metrics: UpstreamMetrics,
        open: impl Fn(PoolSlot) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<C, BoxError>> + Send + 'static,
    {
        let open = Box::new(move |place| Box::pin(open(place)) as Connecting<C>);
        let (id, freed) = (POOLS.fetch_add(1, Relaxed), Arc::<Notify>::default());
        let shared = Arc::new(Shared { state: Mutex::default(), open, bounds, metrics, id, freed: Arc::clone(&freed) });
        tokio::spawn(tend(Arc::downgrade(&shared), freed, bounds.idle_timeout));
        Self(shared)
    }

    /// Returns a connection to the pool for the next request. A closed connection is dropped, because each queued
    /// request that got it would fail.
    pub(super) fn give_back(&self, connection: C) {
        let mut unfit = Vec::new();
        if !connection.is_fit() {
            drop(connection);
        } else if C::IS_SHARED {
            self.state().end_use(&connection, &mut unfit);
            drop(connection);
        } else {
            self.state().give_back(connection, self.0.bounds.connections, &mut unfit);
        }
        drop(unfit);
        self.open_missing_connections();
    }

    /// Gives free room on shared connections to requests in line. The service may now allow more requests at once than
    /// before.
    pub(super) fn look_for_room(&self) {
        let mut unfit = Vec::new();
        self.state().grant_shared(true, &mut unfit);
    }

    /// Opens a connection for each queued request for which no connection is being opened, up to the limit. At the
    /// limit, idle connections are closed to make room.
    pub(super) fn open_missing_connections(&self) {
        let mut unfit = Vec::new();
        let ids = self.state().begin_opening(self.0.bounds.connections, &mut unfit);
        drop(unfit);
        for id in ids {
            spawn_open(self, id);
        }
    }

    pub(super) fn downgrade(&self) -> Weak<Shared<C>> {
        Arc::downgrade(&self.0)
    }

    pub(super) fn upgrade(pool: &Weak<Shared<C>>) -> Option<Self> {
        pool.upgrade().map(Self)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<C>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Connection> Freed for Shared<C> {
    fn freed(self: Arc<Self>) {
        let pool = Pool(self);
        pool.state().free_slot();
        // The next connection is not opened here. When a runtime ends, it drops a spawned task at once, and the task's
        // slot would call this function again.
        pool.0.freed.notify_one();
    }
}

/// Opens a connection on a separate task. Its slot is already counted. The connection goes to the first request in
/// line, which may differ from the request that caused the opening.
fn spawn_open<C: Connection>(pool: &Pool<C>, id: u64) {
    let shared: Arc<dyn Freed> = Arc::clone(&pool.0) as Arc<dyn Freed>;
    let slot = PoolSlot::new(Arc::downgrade(&shared), pool.0.metrics.connection());
    let mut opening = Opening { id, pool: pool.clone(), ended: false };
    let task = tokio::spawn(async move {
        let pool = opening.pool.clone();
        let opened = tokio::time::timeout(pool.0.bounds.open_timeout, (pool.0.open)(slot)).await;
        let too_slow = |_| {
            let late = ProxyFailure::new(ProxyError::ConnectionTimeout, "connecting to the service took too long");
            Err(io::Error::new(io::ErrorKind::TimedOut, late).into())
        };
        opening.end(opened.unwrap_or_else(too_slow));
    });
    pool.state().store_opening_task(id, task.abort_handle());
}

struct Opening<C: Connection> {
    id: u64,
    pool: Pool<C>,
    ended: bool,
}

impl<C: Connection> Opening<C> {
    fn end(&mut self, outcome: Result<C, BoxError>) {
        self.ended = true;
        let mut unfit = Vec::new();
        self.pool.state().opened(self.id, outcome, &mut unfit);
        drop(unfit);
        self.pool.open_missing_connections();
    }
}

impl<C: Connection> Drop for Opening<C> {
    fn drop(&mut self) {
        if !self.ended {
            self.pool.state().opening_was_dropped(self.id);
        }
    }
}

/// Until the pool is dropped, closes connections that are idle for too long, and opens connections for waiting requests
/// when slots become free.
async fn tend<C: Connection>(pool: Weak<Shared<C>>, freed: Arc<Notify>, idle_timeout: Duration) {
    let round = (idle_timeout / ROUNDS).max(Duration::from_millis(1));
    let mut rounds = interval_at(Instant::now() + round, round);
    loop {
        let has_round_ended = tokio::select! {
            _ = rounds.tick() => true,
            () = freed.notified() => false,
        };
        let Some(pool) = Pool::upgrade(&pool) else { return };
        if has_round_ended {
            let unused = pool.state().idle.end_round();
            drop(unused);
        } else {
            pool.open_missing_connections();
        }
    }
}

/// The right to have one connection open. It becomes free when this value is dropped.
///
/// Slots limit the number of connections. Each connection has a slot from before it is opened until its socket is
/// closed, even after an upgrade.
pub(crate) struct PoolSlot(
    Weak<dyn Freed>,
    #[expect(dead_code, reason = "it is only held, and never read")] Option<GaugeGuard>,
);

impl PoolSlot {
    pub(super) fn new(pool: Weak<dyn Freed>, counted: GaugeGuard) -> Self {
        Self(pool, Some(counted))
    }
}

/// The owner of slots, which is notified when a slot becomes free.
pub(super) trait Freed: Send + Sync {
    fn freed(self: Arc<Self>);
}

#[cfg(test)]
impl PoolSlot {
    /// Creates a slot that belongs to no pool.
    pub(super) fn detached<C: super::Connection>() -> Self {
        Self(Weak::<super::shared::Shared<C>>::new(), None)
    }
}

impl Drop for PoolSlot {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.freed();
        }
    }
}
