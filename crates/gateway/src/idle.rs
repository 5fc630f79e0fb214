//! Detects connections that have had no request in flight for a while, in any HTTP version.
//!
//! hyper's timer for heads works only for HTTP/1, and starts only once hyper has detected HTTP/1. So a client that
//! sends only `PRI`, or that keeps an HTTP/2 connection alive with pings, could stay connected for ever.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// The time without a request after which a connection is treated as resting, so that its buffers are freed. It is
/// longer than the pauses of a busy client. It is short, so that the memory soon becomes available for other clients.
const REST: Duration = Duration::from_millis(200);

/// The activity on a client's connection.
pub(crate) struct Activity {
    connected: Instant,
    running: AtomicUsize,
    /// The number of HTTP/1 request bodies that are not dropped yet. hyper may still be reading one of them.
    bodies: AtomicUsize,
    /// True if data that hyper has written still waits for the socket.
    write_waits: AtomicBool,
    /// The number of writes that the socket accepted.
    writes: AtomicU64,
    /// The time at which the last request ended, in microseconds since the client connected.
    ended: AtomicU64,
}

impl Activity {
    pub(crate) fn new() -> Self {
        let (running, bodies, write_waits, writes, ended) = Default::default();
        Self { connected: Instant::now(), running, bodies, write_waits, writes, ended }
    }

    /// Records that a request is in flight.
    pub(crate) fn request_started(&self) {
        self.running.fetch_add(1, Relaxed);
    }

    pub(crate) fn request_ended(&self) {
        self.ended.store(u64::try_from(self.connected.elapsed().as_micros()).unwrap_or(u64::MAX), Relaxed);
        self.running.fetch_sub(1, Relaxed);
    }

    /// Records that a request body has begun.
    pub(crate) fn body_started(&self) {
        self.bodies.fetch_add(1, Relaxed);
    }

    pub(crate) fn body_ended(&self) {
        self.bodies.fetch_sub(1, Relaxed);
    }

    /// Resolves once no request was in flight for [`REST`], and the last response is fully written. hyper is then
    /// between two requests.
    pub(crate) async fn rests(&self) {
        loop {
            self.stops_for(REST).await;
            if self.bodies.load(Relaxed) == 0 && !self.has_waiting_write() {
                return;
            }
        }
    }

    /// Resolves once no request was in flight for `limit`, counted from now.
    pub(crate) async fn stops_for(&self, limit: Duration) {
        let began = Instant::now();
        loop {
            let now = Instant::now();
            let quiet = now - self.quiet_since(now).max(began);
            if quiet >= limit {
                return;
            }
            tokio::time::sleep(limit - quiet).await;
        }
    }

    /// Resolves at once if the client has sent a request. Otherwise resolves once `limit` has passed since the client
    /// connected.
    pub(crate) async fn first_request_or(&self, limit: Duration) {
        if self.running.load(Relaxed) == 0 && self.ended.load(Relaxed) == 0 {
            tokio::time::sleep_until(self.connected + limit).await;
        }
    }

    /// Sets whether written data still waits for the socket.
    pub(crate) fn note_write(&self, waits: bool) {
        self.write_waits.store(waits, Relaxed);
    }

    /// Returns true if data that hyper has written still waits for the socket, because the client does not read.
    pub(crate) fn has_waiting_write(&self) -> bool {
        self.write_waits.load(Relaxed)
    }

    /// Records that the socket accepted data.
    pub(crate) fn wrote(&self) {
        // Only the connection's task writes.
        self.writes.store(self.writes() + 1, Relaxed);
    }

    /// Returns the number of writes that the socket accepted. If it is the same later, nothing was sent in between.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Relaxed)
    }

    fn quiet_since(&self, now: Instant) -> Instant {
        let Self { connected, running, ended, .. } = self;
        match running.load(Relaxed) {
            0 => *connected + Duration::from_micros(ended.load(Relaxed)),
            _ => now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);
    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_quiet_from_the_end_of_its_last_request() {
        let (activity, began) = (Activity::new(), Instant::now());
        let requests = async {
            for _ in 0..3 {
                activity.request_started();
                activity.request_started();
                tokio::time::sleep(50 * SECOND).await;
                activity.request_ended();
                tokio::time::sleep(10 * SECOND).await;
                activity.request_ended();
                tokio::time::sleep(29 * SECOND).await;
            }
            std::future::pending().await
        };
        tokio::select! {
            () = activity.stops_for(LIMIT) => {}
            () = requests => {}
        }
        let quiet = began.elapsed() - 3 * 89 * SECOND + 29 * SECOND;
        assert!((LIMIT..LIMIT + SECOND / 100).contains(&quiet), "{quiet:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_is_quiet_from_the_first_look_on() {
        let activity = Activity::new();
        tokio::time::sleep(LIMIT).await;
        let began = Instant::now();
        activity.stops_for(LIMIT).await;
        assert!((LIMIT..LIMIT + SECOND / 100).contains(&began.elapsed()));
    }
}
