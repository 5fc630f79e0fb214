//! Waits for another thread, task or process. A single look would be a race with it.

use std::fmt::Debug;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A time that no step needs, also on a busy machine. It only prevents a hang, and proves nothing.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(5);

/// Looks until it finds the awaited value. A look without it returns what it saw instead.
#[track_caller]
pub(crate) fn until<T, S: Debug>(awaited: &str, look: impl FnMut() -> Result<T, S>) -> T {
    found(look).unwrap_or_else(|seen| in_vain(awaited, &seen))
}

/// Returns what the looks find, or what the last look saw instead. It is for callers that report more than `until`
/// does.
pub(crate) fn found<T, S>(mut look: impl FnMut() -> Result<T, S>) -> Result<T, S> {
    let end = Instant::now() + TOO_LONG;
    loop {
        match look() {
            Err(_) if Instant::now() < end => sleep(PAUSE),
            outcome => return outcome,
        }
    }
}

/// Returns what was seen: as the result if `holds`, otherwise as the error.
pub(crate) fn when<S>(holds: bool, seen: S) -> Result<S, S> {
    if holds { Ok(seen) } else { Err(seen) }
}

#[track_caller]
fn in_vain(awaited: &str, seen: &impl Debug) -> ! {
    panic!("waited {TOO_LONG:?} in vain for this: {awaited}; what was seen: {seen:#?}")
}
