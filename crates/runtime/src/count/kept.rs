//! Keeps handles, instead of registering them for each error.
//!
//! Handles cannot always be kept. A recorder may return another handle in each context. For example, the handle of
//! Envoy's recorder depends on the stream, and the handle of a recorder for `tracing` depends on the span. Tests also
//! install one recorder after the other. An exporter with an idle time-out drops a metric, and counts in its old handle
//! are lost. So only handles of the process's recorder are kept, only after a call to `keep_counters`, and only for a
//! while.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::installed;

/// The time for which a handle is kept. It is shorter than a recorder's idle time-out, which must be longer than the
/// time between two scrapes.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(10);

/// The address of the recorder whose handles are kept, or 0 if no recorder's are.
static KEPT_RECORDER: AtomicUsize = AtomicUsize::new(0);

/// Lets each thread keep the counters of its last errors for ten seconds, instead of a lookup in the recorder for each
/// error. With the recorder of `metrics-exporter-prometheus`, this saves some 4,000 instructions per error.
///
/// Call it once, after the recorder of the process was installed. Do not call it if the handle for a name and labels
/// depends on the calling context, as with `metrics-tracing-context`. An exporter's idle time-out must be longer than
/// ten seconds. A thread's own recorder, as in tests, is called for each error.
pub fn keep_counters() {
    // A recorder of size zero may share its address with another one.
    let address =
        installed::from_process(|recorder| if size_of_val(recorder) == 0 { 0 } else { installed::address(recorder) });
    KEPT_RECORDER.store(address.unwrap_or(0), Ordering::Relaxed);
}

/// Returns the current time, if handles of the recorder at this address may be kept.
#[allow(clippy::disallowed_methods, reason = "an exporter drops series by real time")]
pub(super) fn now_if_kept(recorder: usize) -> Option<Instant> {
    (KEPT_RECORDER.load(Ordering::Relaxed) == recorder).then(Instant::now)
}

/// A handle, and the time until which it is kept.
pub(super) struct CachedHandle<H>(Option<(H, Instant)>);

impl<H> CachedHandle<H> {
    pub(super) const NONE: Self = Self(None);

    /// Uses the kept handle, or a new one if there is none. Without `now`, the handle is not kept.
    #[inline]
    pub(super) fn use_cached(&mut self, now: Option<Instant>, register: impl FnOnce() -> H, record: impl FnOnce(&H)) {
        let Some(now) = now else { return record(&register()) };
        match &self.0 {
            Some((handle, until)) if now < *until => record(handle),
            _ => record(&self.0.insert((register(), now + KEPT_FOR)).0),
        }
    }
}
