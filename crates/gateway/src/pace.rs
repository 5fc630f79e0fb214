//! Whether a request waits for the client or for the service.
//!
//! A service that sends no head in time causes a 504 ([`HeadLimit`](super::head_limit::HeadLimit)). Its clock stops
//! while the client is slow: a slow upload is not the service's fault.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// When the request last made progress, and whether it waits for the client.
#[derive(Clone)]
pub(crate) struct Pace(Arc<Mutex<LastMove>>);

struct LastMove {
    at: Instant,
    waits_for_client: bool,
    ended: bool,
}

/// Marks, in its extensions, a response that came before its request's body was completely sent.
#[derive(Clone, Copy)]
pub(crate) struct UnsentBody;

impl Pace {
    pub(crate) fn start() -> Self {
        Self(Arc::new(Mutex::new(LastMove { at: Instant::now(), waits_for_client: false, ended: false })))
    }

    /// Since when the request waits for the service; the current time while it waits for the client.
    pub(crate) fn waited_since(&self) -> Instant {
        let last = self.last();
        if last.waits_for_client { Instant::now() } else { last.at }
    }

    /// Notes that the request made progress just now, or that it waits for the client.
    pub(crate) fn note(&self, waits_for_client: bool) {
        let mut last = self.last();
        (last.at, last.waits_for_client) = (Instant::now(), waits_for_client);
    }

    /// Notes that the body was sent to its end.
    pub(crate) fn end(&self) {
        self.last().ended = true;
    }

    /// Whether the body was sent to its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.last().ended
    }

    fn last(&self) -> MutexGuard<'_, LastMove> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
