//! The one thread that ends waits, for all streams (R4, G3, G5, P1).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::abi::{Scheduler, Stream};

/// A wait; dropped before its end, it has none.
pub(crate) struct Timer(Key);

type Key = (Instant, u64);

#[derive(Default)]
struct Waits {
    waits: Mutex<State>,
    earlier: Condvar,
}

#[derive(Default)]
struct State {
    waits: BTreeMap<Key, (Scheduler, u64)>,
    count: u64,
    /// When the thread wakes by itself. Most waits end before their time, and few of them may cost a waking thread: it stays
    /// as it is while the wait that it was set for is gone.
    wakes: Option<Instant>,
}

static WAITS: OnceLock<Waits> = OnceLock::new();

/// Starts the thread, once.
pub(crate) fn start() -> io::Result<()> {
    static STARTED: Mutex<bool> = Mutex::new(false);

    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*started {
        std::thread::Builder::new().name("error-envelope-timer".to_owned()).spawn(|| run(waits()))?;
        *started = true;
    }
    Ok(())
}

impl Timer {
    /// Gives the event back to the stream after this time.
    #[allow(clippy::disallowed_methods, reason = "an adapter has a clock")]
    pub(crate) fn after(stream: &Stream<'_>, event: u64, wait: Duration) -> Option<Self> {
        let scheduler = stream.scheduler()?;
        let waits = waits();
        let mut state = waits.lock();
        state.count += 1;
        // Nobody waits for a century, and a clock has an end.
        let end = Instant::now() + wait.min(Duration::from_secs(u64::from(u32::MAX)));
        let key = (end, state.count);
        let earlier = state.wakes.is_none_or(|wakes| end < wakes);
        if earlier {
            state.wakes = Some(end);
        }
        state.waits.insert(key, (scheduler, event));
        drop(state);
        if earlier {
            waits.earlier.notify_one();
        }
        Some(Self(key))
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        // The scheduler is gone with its stream at the latest: behind that its dispatcher may be, too.
        let wait = waits().lock().waits.remove(&self.0);
        drop(wait);
    }
}

impl Waits {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn waits() -> &'static Waits {
    WAITS.get_or_init(Waits::default)
}

#[allow(clippy::disallowed_methods, reason = "an adapter has a clock")]
fn run(waits: &Waits) {
    let mut state = waits.lock();
    loop {
        let now = Instant::now();
        state = match state.waits.first_entry() {
            Some(wait) if wait.key().0 <= now => {
                // Under the lock: whoever drops the timer of a stream waits for it.
                let (scheduler, event) = wait.remove();
                scheduler.commit(event);
                state
            }
            Some(wait) => {
                let end = wait.key().0;
                state.wakes = Some(end);
                waits.earlier.wait_timeout(state, end - now).unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                state.wakes = None;
                waits.earlier.wait(state).unwrap_or_else(PoisonError::into_inner)
            }
        };
    }
}
