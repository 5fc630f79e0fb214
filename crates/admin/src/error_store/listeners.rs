//! The pages that get errors as they happen. Their number is limited: a new page replaces a slow one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The path of the live stream of errors, which only a few pages may read at once.
pub(crate) const LIVE: &str = "/events";

/// The most pages that may read the stream at once.
pub(crate) const MOST_LISTENERS: usize = 16;
/// A page that has read nothing for this long counts as slow.
pub(crate) const SLOW_AFTER: Duration = Duration::from_secs(10);

/// The open pages.
#[derive(Default)]
pub(crate) struct Subscribers(Mutex<Vec<Arc<Subscriber>>>);

struct Subscriber {
    last_taken: Mutex<Instant>,
    is_gone: AtomicBool,
}

/// A listener's place, which is freed when this is dropped.
pub(crate) struct SubscriptionSlot(Arc<Subscriber>);

impl Subscribers {
    /// Adds a listener. If all places are taken, it replaces slow listeners; if none is slow, returns `None`.
    pub(crate) fn join(&self, now: Instant) -> Option<SubscriptionSlot> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|it| !it.is_gone.load(Ordering::Relaxed));
        if all.len() >= MOST_LISTENERS {
            all.retain(|it| !it.loses_place(now));
        }
        let listener = Arc::new(Subscriber { last_taken: Mutex::new(now), is_gone: AtomicBool::new(false) });
        let joins = all.len() < MOST_LISTENERS;
        joins.then(|| {
            all.push(listener.clone());
            SubscriptionSlot(listener)
        })
    }
}

impl Subscriber {
    /// Whether the listener is slow; it then loses its place.
    fn loses_place(&self, now: Instant) -> bool {
        let is_slow = self.is_slow(now);
        self.is_gone.fetch_or(is_slow, Ordering::Relaxed);
        is_slow
    }

    fn is_slow(&self, now: Instant) -> bool {
        let last = *self.last_taken.lock().unwrap_or_else(PoisonError::into_inner);
        now.saturating_duration_since(last) >= SLOW_AFTER
    }
}

impl SubscriptionSlot {
    /// Notes that the listener is ready for more. Returns `false` if it was too slow and has lost its place.
    pub(crate) fn note_ready(&self, now: Instant) -> bool {
        let is_slow = self.0.is_slow(now);
        *self.0.last_taken.lock().unwrap_or_else(PoisonError::into_inner) = now;
        !is_slow && !self.0.is_gone.load(Ordering::Relaxed)
    }
}

impl Drop for SubscriptionSlot {
    fn drop(&mut self) {
        self.0.is_gone.store(true, Ordering::Relaxed);
    }
}
