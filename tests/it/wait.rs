//! Waiting for what another thread, task or process is still doing: one look would be a race with it.

use std::fmt::Debug;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What no step takes, on a machine however busy: it guards against hanging, and proves nothing.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(5);

/// Looks until it finds what is awaited; a look that does not states what it saw instead.
#[track_caller]
pub(crate) fn until<T, S: Debug>(awaited: &str, look: impl FnMut() -> Result<T, S>) -> T {
    found(look).unwrap_or_else(|seen| in_vain(awaited, &seen))
}

/// What the looks find, or what the last one saw instead: for who tells more than `until` would.
pub(crate) fn found<T, S>(mut look: impl FnMut() -> Result<T, S>) -> Result<T, S> {
    let end = Instant::now() + TOO_LONG;
    loop {
        match look() {
            Err(_) if Instant::now() < end => sleep(PAUSE),
            outcome => return outcome,
        }
    }
}

/// What was seen, where it is not what is awaited.
pub(crate) fn when<S>(holds: bool, seen: S) -> Result<S, S> {
    if holds { Ok(seen) } else { Err(seen) }
}

#[track_caller]
fn in_vain(awaited: &str, seen: &impl Debug) -> ! {
    panic!("waited {TOO_LONG:?} in vain for this: {awaited}; what was seen: {seen:#?}")
}
