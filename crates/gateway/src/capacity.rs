//! Limits the requests that the service handles at the same time.
//!
//! The number of clients does not limit the requests: over HTTP/2 a client sends many at once, and each needs a
//! connection to an HTTP/1.1 service. A request counts until both its bodies have ended, or its upgraded connection
//! has. (tower's own limit counts it only until the response head.)

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use tower::load_shed::error::Overloaded;

/// Room for this many requests.
pub(crate) struct Capacity(Arc<AtomicU32>);

/// The place of one request, until the last clone of it is dropped.
#[derive(Clone)]
pub(crate) struct Permit(#[expect(dead_code, reason = "it is held, never looked at")] Arc<Room>);

/// One place, which is free again when this is dropped.
struct Room(Arc<AtomicU32>);

impl Capacity {
    pub(crate) fn new(requests: u32) -> Self {
        Self(Arc::new(AtomicU32::new(requests)))
    }

    /// Takes a place, without waiting: a request that waited would keep its body in memory. The layer turns the error
    /// into 503 `worker_at_capacity`.
    pub(crate) fn take(&self) -> Result<Permit, Overloaded> {
        let taken = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        taken.map(|_| Permit(Arc::new(Room(Arc::clone(&self.0))))).map_err(|_| Overloaded::new())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}
