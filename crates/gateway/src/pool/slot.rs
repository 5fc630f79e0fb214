//! The bound on connections: each holds a place from before it is opened until its socket is closed, upgraded ones as well.

use std::sync::{Arc, Weak};

use crate::count::GaugeGuard;

/// A place for a connection, free again when this is dropped.
pub(crate) struct PoolSlot(
    Weak<dyn Freed>,
    #[expect(dead_code, reason = "it is held, never looked at")] Option<GaugeGuard>,
);

impl PoolSlot {
    pub(super) fn new(pool: Weak<dyn Freed>, counted: GaugeGuard) -> Self {
        Self(pool, Some(counted))
    }
}

/// The owner of places.
pub(super) trait Freed: Send + Sync {
    fn freed(self: Arc<Self>);
}

#[cfg(test)]
impl PoolSlot {
    /// A place of no pool.
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
