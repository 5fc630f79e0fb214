//! Keeps one key set up to date.

use std::time::Duration;

use error_envelope_core::guard::auth::RemoteKeys;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::https::{Https, Target};
use super::lifetime::lifetime;
use crate::{clock, count};

/// The shortest time from the start of one fetch of a set to the start of the next fetch. Without this limit, any
/// client could cause fetches by sending tokens with ids of keys that do not exist.
const SPACING: Duration = Duration::from_secs(30);

/// The signals between requests that wait for a fetch and the task that fetches.
#[derive(Default)]
pub(super) struct Rounds {
    ended: watch::Sender<u64>,
    demand: Notify,
}

/// Fetches the set again and again, until it is no longer used.
pub(super) async fn rotate(keys: RemoteKeys, target: Target, https: Https, is_unused: impl Fn(&RemoteKeys) -> bool) {
    let Some(rounds) = keys.fetcher::<Rounds>() else { return };
    let mut log = RotationLog::new(keys.url());
    loop {
        #[allow(clippy::disallowed_methods, reason = "an adapter may read the clock")]
        let began = Instant::now();
        let fetched = https.get(&target).await.and_then(|answer| {
            let count = keys.replace(&answer.body)?;
            Ok((count, lifetime(&answer.headers, clock::now())))
        });
        log.write(&fetched, keys.has_set());
        keys.note_failure(fetched.as_ref().err().map(String::as_str));
        keys.rest(true);
        rounds.ended.send_modify(|ended| *ended += 1);
        sleep_until(began + SPACING).await;
        // This future is created before tokens can request a fetch, so that no such request is lost.
        let demanded = rounds.demand.notified();
        keys.rest(false);
        tokio::select! {
            () = sleep_until(began + fetched.map_or(SPACING, |(_, lifetime)| lifetime)) => {}
            () = demanded => {}
        }
        if is_unused(&keys) {
            return;
        }
    }
}

/// Requests a fetch of the set. Returns a future that is ready once the fetch has ended, or at once if no fetch may
/// begin yet.
pub(super) fn fetch_ended(keys: &RemoteKeys) -> impl Future<Output = ()> + Send + use<> {
    let waiting = keys.fetcher::<Rounds>().and_then(|rounds| {
        let ended = rounds.ended.subscribe();
        // If a fetch has just ended, the set is at rest, and this check prevents a wait for the next fetch.
        (!keys.is_resting()).then(|| {
            rounds.demand.notify_waiters();
            ended
        })
    });
    async move {
        if let Some(mut ended) = waiting {
            let _ = ended.changed().await;
        }
    }
}

/// Logs the result of a fetch only if it differs from the previous result.
struct RotationLog {
    /// The URL of the set without its query.
    url: Box<str>,
    last: Option<Result<(), String>>,
}

impl RotationLog {
    fn new(url: &str) -> Self {
        Self { url: url.split('?').next().unwrap_or_default().into(), last: None }
    }

    /// `fetched` is the number of keys and the lifetime of the set, or the reason of the failure.
    fn write(&mut self, fetched: &Result<(usize, Duration), String>, has_set: bool) {
        count::record_key_set_fetch(if fetched.is_ok() { "taken" } else { "failed" });
        let outcome = fetched.as_ref().map(drop).map_err(Clone::clone);
        if self.last.as_ref() == Some(&outcome) {
            return;
        }
        let url = &*self.url;
        match fetched {
            Ok((keys, _)) => tracing::info!(target: "tower_error_envelope", url, keys, "fetched the key set"),
            Err(error) if has_set => {
                tracing::warn!(target: "tower_error_envelope", url, error, "cannot fetch the key set; the old one stays active");
            }
            Err(error) => {
                tracing::error!(target: "tower_error_envelope", url, error, "cannot fetch the key set; requests that need it fail until a fetch succeeds");
            }
        }
        self.last = Some(outcome);
    }
}

pub(super) fn log_no_thread(error: &std::io::Error) {
    tracing::error!(target: "tower_error_envelope", %error, "cannot start the thread that fetches key sets; requests that need one get 503");
}
