//! Limits the number of connections: each has a place from before it is opened until its socket is closed, even after
//! an upgrade.

use std::sync::{Arc, Weak};

use crate::count::GaugeGuard;

/// A place for a connection, which becomes free when this is dropped.
pub(crate) struct PoolSlot(
    Weak<dyn Freed>,
    #[expect(dead_code, reason = "it is held, never looked at")] Option<GaugeGuard>,
);

impl PoolSlot {
    pub(super) fn new(pool: Weak<dyn Freed>, counted: GaugeGuard) -> Self {
        Self(pool, Some(counted))
    }
}

/// The owner of places, which is notified when one becomes free.
pub(super) trait Freed: Send + Sync {
    fn freed(self: Arc<Self>);
}

#[cfg(test)]
impl PoolSlot {
    /// A place that belongs to no pool.
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
