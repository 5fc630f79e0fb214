//! The bound on connections: each holds a place from before it is opened until its socket is closed, upgraded ones as well.

use std::io;
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;

use super::{BoxError, Connection, Pool, Shared};

/// A place for a connection, free again when this is dropped.
pub(in super::super) struct Place(Weak<dyn Freed>);

trait Freed: Send + Sync {
    fn freed(self: Arc<Self>);
}

impl<C: Connection> Freed for Shared<C> {
    fn freed(self: Arc<Self>) {
        let pool = Pool(self);
        pool.state().places -= 1;
        // At the end of the runtime nothing is opened any more.
        if Handle::try_current().is_ok() {
            pool.open_what_is_wanted();
        }
    }
}

#[cfg(test)]
impl Place {
    /// A place of no pool.
    pub(super) fn detached<C: Connection>() -> Self {
        Self(Weak::<Shared<C>>::new())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.freed();
        }
    }
}

/// Opens a connection, whose place is counted already, on a task of its own: it is for the first request in line, and
/// that is not always the one which asked for it.
pub(super) fn open<C: Connection>(pool: &Pool<C>, id: u64) {
    let shared: Arc<dyn Freed> = Arc::clone(&pool.0) as Arc<dyn Freed>;
    let place = Place(Arc::downgrade(&shared));
    let mut opening = Opening { id, pool: pool.clone(), ended: false };
    let task = tokio::spawn(async move {
        let pool = opening.pool.clone();
        let opened = tokio::time::timeout(pool.0.bounds.open_timeout, (pool.0.open)(place)).await;
        let too_slow = |_| Err(io::Error::new(io::ErrorKind::TimedOut, "connecting took too long").into());
        opening.end(opened.unwrap_or_else(too_slow));
    });
    pool.state().runs(id, task.abort_handle());
}

struct Opening<C: Connection> {
    id: u64,
    pool: Pool<C>,
    ended: bool,
}

impl<C: Connection> Opening<C> {
    fn end(&mut self, outcome: Result<C, BoxError>) {
        self.ended = true;
        self.pool.state().opened(self.id, outcome);
        self.pool.open_what_is_wanted();
    }
}

impl<C: Connection> Drop for Opening<C> {
    fn drop(&mut self) {
        if !self.ended {
            self.pool.state().opening_was_dropped(self.id);
        }
    }
}
