//! Runs the one thread that ends waits, for all streams (R4, G3, G5, P1) and for counts (L2).
//!
//! Each worker keeps its own waits. Only the worker, and the timer's thread when it wakes, take the lock of a worker's
//! waits.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::abi::{Scheduler, Stream};
use crate::lock::locked;

/// A wait. Dropping the timer before the end of the wait cancels its event.
pub(crate) struct Timer(Arc<Waits>, Key);

/// The end of a wait, in nanoseconds since the clock's start, and a number, because several waits may have the same
/// end.
type Key = (u64, u64);

/// The state that the waiting threads share with the thread that ends their waits.
struct Clock {
    start: Instant,
    workers: Mutex<Vec<Arc<Waits>>>,
    earlier: Condvar,
    /// The time at which the thread wakes by itself. A cancelled wait does not change this time, because most waits are
    /// cancelled, and each change would wake the thread.
    wakes: AtomicU64,
}

/// The time at which the thread wakes if there is no wait. This time is later than the end of every wait.
const NEVER: u64 = u64::MAX;

/// The longest wait, some 136 years. Longer waits are shortened to this time, since the clock's range is limited.
const LONGEST: Duration = Duration::from_secs(u32::MAX as u64);

/// The waits of one thread.
#[derive(Default)]
struct Waits(Mutex<State>);

#[derive(Default)]
struct State {
    waits: BTreeMap<Key, TimerEvent>,
    count: u64,
}

/// The action at the end of a wait.
enum TimerEvent {
    /// Envoy calls the stream's hook with this number.
    Event(Scheduler, u64),
    Call(Box<dyn FnOnce() + Send>),
}

static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::new);

thread_local! {
    static OWN: Arc<Waits> = CLOCK.register_thread();
}

/// Starts the thread, once.
pub(crate) fn start() -> io::Result<()> {
    static STARTED: Mutex<bool> = Mutex::new(false);

    let mut started = locked(&STARTED);
    if !*started {
        std::thread::Builder::new().name("error-envelope-timer".to_owned()).spawn(|| CLOCK.run())?;
        *started = true;
    }
    Ok(())
}

impl Timer {
    /// Makes Envoy call the stream's hook with this event after `wait`. Returns `None` if Envoy provides no scheduler.
    pub(crate) fn after(stream: &Stream<'_>, event: u64, wait: Duration) -> Option<Self> {
        let event = TimerEvent::Event(stream.scheduler()?, event);
        let waits = waits_of_thread();
        let key = CLOCK.add(&waits, event, wait);
        Some(Self(waits, key))
    }
}

/// Runs `call` after this time, on the timer's thread. The call must be short.
pub(crate) fn call_after(wait: Duration, call: impl FnOnce() + Send + 'static) {
    CLOCK.add(&waits_of_thread(), TimerEvent::Call(Box::new(call)), wait);
}

/// Returns the waits of this thread. A thread that is ending has already released its waits, and gets a new set.
fn waits_of_thread() -> Arc<Waits> {
    OWN.try_with(Arc::clone).unwrap_or_else(|_| CLOCK.register_thread())
}

impl Drop for Timer {
    fn drop(&mut self) {
        // The scheduler must be dropped before its stream ends, because after that its dispatcher may no longer exist.
        let wait = locked(&self.0.0).waits.remove(&self.1);
        drop(wait);
    }
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "an adapter may read the clock")]
    fn new() -> Self {
        let (workers, earlier) = (Mutex::default(), Condvar::new());
        Self { start: Instant::now(), workers, earlier, wakes: AtomicU64::new(NEVER) }
    }

    fn now(&self) -> u64 {
        nanos(self.start.elapsed())
    }

    fn register_thread(&self) -> Arc<Waits> {
        let waits = Arc::<Waits>::default();
        locked(&self.workers).push(waits.clone());
        waits
    }

    fn add(&self, waits: &Waits, what: TimerEvent, wait: Duration) -> Key {
        let end = self.now() + nanos(wait.min(LONGEST));
        let mut state = locked(&waits.0);
        state.count += 1;
        let key = (end, state.count);
        state.waits.insert(key, what);
        drop(state);
        // The timer's thread sets this time before it looks at any thread's waits, and again afterwards. So either that
        // thread has seen this wait, or this call wakes it.
        if end < self.wakes.load(Ordering::SeqCst) {
            let workers = locked(&self.workers);
            self.earlier.notify_one();
            drop(workers);
        }
        key
    }

    fn run(&self) {
        let mut workers = locked(&self.workers);
        loop {
            self.wakes.store(NEVER, Ordering::SeqCst);
            workers.retain(|waits| !waits.is_over());
            let next = workers.iter().filter_map(|waits| waits.end_due_waits(self.now())).min();
            self.wakes.store(next.unwrap_or(NEVER), Ordering::SeqCst);
            workers = match next {
                Some(next) => {
                    let left = Duration::from_nanos(next.saturating_sub(self.now()));
                    self.earlier.wait_timeout(workers, left).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.earlier.wait(workers).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

impl Waits {
    /// Ends the waits that are due, and returns the end of the next wait.
    fn end_due_waits(&self, now: u64) -> Option<u64> {
        let mut state = locked(&self.0);
        loop {
            let wait = state.waits.first_entry()?;
            if wait.key().0 > now {
                return Some(wait.key().0);
            }
            // The event runs under the lock, so that a thread that drops the timer of its stream waits until it is
            // done.
            match wait.remove() {
                TimerEvent::Event(scheduler, event) => scheduler.commit(event),
                TimerEvent::Call(call) => call(),
            }
        }
    }

    /// Returns true if the thread of these waits has ended, and all its waits have ended.
    fn is_over(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) == 1 && locked(&self.0).waits.is_empty()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}
