//! Keeps the handles of metrics for a while, instead of registering them for each error.
//!
//! Handles cannot always be kept. A recorder may return a different handle in each context. For example, the handle of
//! Envoy's recorder depends on the stream, and the handle of a recorder for `tracing` depends on the span. Tests also
//! install one recorder after the other. An exporter with an idle time-out drops a metric that is not used, and later
//! counts in the metric's old handle are lost. So handles are kept only for ten seconds, only for the process's
//! recorder, and only after a call to `keep_counters`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::installed;

/// The time for which a handle is kept. It is shorter than any sensible idle time-out of a recorder, because the idle
/// time-out must be longer than the time between two scrapes.
pub(super) const KEPT_FOR: Duration = Duration::from_secs(10);

/// The address of the recorder whose handles are kept, or 0 if no handles are kept.
static KEPT_RECORDER: AtomicUsize = AtomicUsize::new(0);

/// Lets each thread keep the counters of its last errors for ten seconds, instead of looking up the counter in the
/// recorder for each error. With the recorder of `metrics-exporter-prometheus`, this saves about 4,000 instructions per
/// error.
///
/// Call this function once, after the recorder of the process was installed. Do not call it if the recorder's handles
/// depend on the calling context, as with `metrics-tracing-context`. If the exporter has an idle time-out, the time-out
/// must be longer than ten seconds. A thread-local recorder, such as in tests, is still called for each error.
pub fn keep_counters() {
    // Handles of a recorder of size zero are not kept, because several such recorders may have the same address.
    let address =
        installed::from_process(|recorder| if size_of_val(recorder) == 0 { 0 } else { installed::address(recorder) });
    KEPT_RECORDER.store(address.unwrap_or(0), Ordering::Relaxed);
}

/// Returns the current time if handles of the recorder at this address may be kept, and otherwise `None`.
#[allow(clippy::disallowed_methods, reason = "an exporter drops series by real time")]
pub(super) fn now_if_kept(recorder: usize) -> Option<Instant> {
    (KEPT_RECORDER.load(Ordering::Relaxed) == recorder).then(Instant::now)
}
