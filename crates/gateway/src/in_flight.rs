//! Counts the requests in flight, and stores how a stop ends them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::watch;

/// The stages of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Serving,
    /// The gateway is stopping. It accepts no new clients, and ends connections without a request in flight.
    Stopping,
}

/// Waits for the stage `Stopping`.
pub(super) async fn stopping(stage: &mut watch::Receiver<Stage>) {
    let _ = stage.wait_for(|stage| *stage == Stage::Stopping).await;
}

/// The number of requests in flight in a gateway, and the state of its stop.
#[derive(Default)]
pub(super) struct RequestTracker {
    requests: AtomicUsize,
    /// True if responses close their connections.
    pub(super) closing: AtomicBool,
    /// The reason why the gateway drops the requests in flight.
    pub(super) ended_by: OnceLock<&'static str>,
}

impl RequestTracker {
    /// Counts a request until the returned value is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.requests.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Returns the number of requests in flight.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Makes responses close their connections, so that clients connect elsewhere.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Records that the gateway drops the requests in flight from now on, for this reason.
    pub(super) fn end(&self, by: &'static str) {
        let _ = self.ended_by.set(by);
    }
}

pub(super) struct InFlight(pub(super) Arc<RequestTracker>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}
