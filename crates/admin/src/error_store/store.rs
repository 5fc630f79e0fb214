//! Observes the records of requests. It counts each record at once; a separate thread handles the bodies of errors.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::SystemTime;

use error_envelope_core::policy::Policy;
use error_envelope_core::session::{BodyCapture, ClosedRecord, Observer, Outcome};
use error_envelope_runtime::KillSwitch;

use super::error_record::{self, Bodies, Entry, ErrorRecord};
use super::recent_errors::RecentErrors;
use super::requests::{Counts, Requests};

/// The most errors whose bodies may wait for redaction. The bodies of further errors are not shown.
const MOST_WAITING: usize = 256;

/// Stores the observed records in bounded memory.
pub(crate) struct Store {
    pub(crate) switch: KillSwitch,
    kept: Mutex<RecentErrors>,
    /// The queue of the thread that handles bodies. The thread starts when the first body comes, because most policies
    /// show no bodies.
    bodies: OnceLock<Option<SyncSender<Work>>>,
    requests: Mutex<Requests>,
    /// The policy whose requests are counted. When another policy becomes active, this mutex stays locked until the
    /// counts are replaced.
    pub(crate) policy: Mutex<Counted>,
    /// The time since which the policy's requests are counted, in milliseconds since the Unix epoch.
    pub(crate) counts_since: AtomicU64,
    /// The time at which the store was created, in milliseconds since the Unix epoch.
    pub(crate) since: u64,
}

/// The policy whose requests are counted.
#[derive(Default)]
pub(crate) struct Counted {
    pub(crate) hash: Option<String>,
    /// The counts of the previous policy. They continue if that policy becomes active again.
    before: Option<Previous>,
}

/// A policy that was active before, with its counts.
#[derive(Default)]
struct Previous {
    hash: Option<String>,
    since: u64,
    counts: Counts,
}

type Work = (Arc<Entry>, BodyCapture);

impl Default for Store {
    fn default() -> Self {
        let since = now();
        Self {
            switch: KillSwitch::new(),
            kept: Mutex::default(),
            bodies: OnceLock::new(),
            requests: Mutex::default(),
            policy: Mutex::default(),
            counts_since: since.into(),
            since,
        }
    }
}

impl Observer for Store {
    fn on_record(&self, record: &ClosedRecord) {
        let (at, outcome, place) = (now(), record.outcome(), (record.route(), record.scope()));
        // Requests while the kill switch is on do not show what a mode would do, so they do not count for readiness.
        let counted = (outcome, Some(record.own_mode()).filter(|_| !record.kill_switch()));
        // In mode `off`, the layer does not examine errors, so they have no origin. They are still counted.
        let is_kept = record.origin().is_some() || matches!(outcome, Outcome::ServerError | Outcome::Broken);
        if !is_kept {
            return self.requests().count(at, place, counted, None);
        }
        let mut seen = ErrorRecord::new(record, at);
        self.requests().count(at, place, counted, Some(&mut seen));
        let entry = self.recent().insert(seen);
        if let Some((entry, captured)) = entry.zip(record.captured()) {
            self.show(entry, captured);
        }
    }

    fn on_policy(&self, policy: &Policy) {
        let hash = policy.summary().hash().map(str::to_owned);
        let mut known = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        // The policy is already known, for example because several adapters report it.
        if hash.is_some() && known.hash == hash {
            return;
        }
        let reverted = known.before.take().filter(|before| hash.is_some() && before.hash == hash);
        let next = reverted.unwrap_or_else(|| Previous { since: now(), ..Previous::default() });
        known.before = Some(Previous {
            hash: std::mem::replace(&mut known.hash, hash),
            since: self.counts_since.swap(next.since, Ordering::Relaxed),
            counts: self.requests().replace_counts(next.counts),
        });
    }
}

impl Store {
    pub(crate) fn recent(&self) -> MutexGuard<'_, RecentErrors> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    fn show(&self, entry: Arc<Entry>, captured: &BodyCapture) {
        let Some(worker) = self.worker() else { return };
        if let Err(TrySendError::Full((entry, _))) = worker.try_send((entry, captured.clone())) {
            let _ = entry.bodies.set(Bodies::default());
        }
    }

    fn worker(&self) -> Option<&SyncSender<Work>> {
        let begin = || {
            let (sender, receiver) = sync_channel(MOST_WAITING);
            let worker = thread::Builder::new().name("error-store".to_owned());
            match worker.spawn(move || work(&receiver)) {
                Ok(_) => Some(sender),
                Err(error) => {
                    tracing::warn!(%error, "cannot start the thread that stores error bodies; the admin page shows \
                                            none");
                    None
                }
            }
        };
        self.bodies.get_or_init(begin).as_ref()
    }
}

fn work(receiver: &Receiver<Work>) {
    while let Ok((entry, captured)) = receiver.recv() {
        let _ = entry.bodies.set(Bodies::new(&captured));
    }
}

/// Returns the current time, in milliseconds since the Unix epoch.
#[allow(clippy::disallowed_methods, reason = "an observer is not in the core, and records times of errors")]
pub(crate) fn now() -> u64 {
    error_record::milliseconds(SystemTime::now())
}
