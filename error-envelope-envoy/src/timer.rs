//! The one thread that ends waits, for all streams (R4, G3, G5, P1) and for what is counted (L2).

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
    waits: BTreeMap<Key, TimerEvent>,
    count: u64,
    /// When the thread wakes by itself. Most waits end before their time, and few of them may cost a waking thread: it stays
    /// as it is while the wait that it was set for is gone.
    wakes: Option<Instant>,
}

/// What a wait ends with.
enum TimerEvent {
    /// A hook of the stream, with this event.
    Event(Scheduler, u64),
    Call(Box<dyn FnOnce() + Send>),
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
    pub(crate) fn after(stream: &Stream<'_>, event: u64, wait: Duration) -> Option<Self> {
        Some(Self(waits().add(TimerEvent::Event(stream.scheduler()?, event), wait)))
    }
}

/// Makes this call after this time, on the timer's thread: it must be short.
pub(crate) fn call_after(wait: Duration, call: impl FnOnce() + Send + 'static) {
    waits().add(TimerEvent::Call(Box::new(call)), wait);
}

impl Drop for Timer {
    fn drop(&mut self) {
        // The scheduler is gone with its stream at the latest: behind that its dispatcher may be, too.
        let wait = waits().lock().waits.remove(&self.0);
        drop(wait);
    }
}

impl Waits {
    #[allow(clippy::disallowed_methods, reason = "an adapter has a clock")]
    fn add(&self, what: TimerEvent, wait: Duration) -> Key {
        let mut state = self.lock();
        state.count += 1;
        // Nobody waits for a century, and a clock has an end.
        let end = Instant::now() + wait.min(Duration::from_secs(u64::from(u32::MAX)));
        let key = (end, state.count);
        let earlier = state.wakes.is_none_or(|wakes| end < wakes);
        state.wakes = Some(state.wakes.map_or(end, |wakes| wakes.min(end)));
        state.waits.insert(key, what);
        drop(state);
        if earlier {
            self.earlier.notify_one();
        }
        key
    }

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
                match wait.remove() {
                    TimerEvent::Event(scheduler, event) => scheduler.commit(event),
                    TimerEvent::Call(call) => call(),
                }
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
