//! Connections on which nothing is asked for a while, whatever version they speak.
//!
//! hyper's clock for heads minds HTTP/1 alone, and not before it knows that it is HTTP/1: a client that says `PRI` and no
//! more, or that keeps an HTTP/2 connection alive with pings, would stay for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What goes on on a connection.
#[derive(Clone, Default)]
pub(crate) struct Activity {
    begun: Arc<AtomicU64>,
    running: Arc<()>,
}

/// A request in flight, until it is dropped.
pub(crate) struct ActiveRequest(#[expect(dead_code, reason = "it is counted, never looked at")] Arc<()>);

impl Activity {
    pub(crate) fn begin(&self) -> ActiveRequest {
        self.begun.fetch_add(1, Ordering::Relaxed);
        ActiveRequest(Arc::clone(&self.running))
    }

    /// Resolves once nothing was in flight for `limit`, and at most twice that.
    pub(crate) async fn stops_for(&self, limit: Duration) {
        let mut before = None;
        loop {
            let begun = self.begun.load(Ordering::Relaxed);
            let quiet = Arc::strong_count(&self.running) == self.owners();
            if quiet && before == Some(begun) {
                return;
            }
            before = quiet.then_some(begun);
            tokio::time::sleep(limit).await;
        }
    }

    /// Each clone of this has one of each; a [`ActiveRequest`] has one of the second alone.
    fn owners(&self) -> usize {
        Arc::strong_count(&self.begun)
    }
}
