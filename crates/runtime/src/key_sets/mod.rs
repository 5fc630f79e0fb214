//! Key sets that are fetched by their URLs (`jwks_url`, rule G2).
//!
//! 1. A set is fetched as soon as a policy has its URL. It is fetched again at the time that its provider's headers
//!    set: after at least 5 minutes and at most a day. Without such headers, it is fetched after an hour.
//! 2. A token whose key is missing in the set also causes a fetch, and waits for it. A set is never fetched more than
//!    once in 30 seconds.
//! 3. A fetch takes at most 5 seconds and 1 MiB, only over https, and follows no redirect. If it fails, the old set
//!    stays active, and the failure is counted, and logged once for each reason.
//! 4. Policies with the same URL share a set, so that a reload keeps it. A set that no policy uses any more is not
//!    fetched.
//!
//! All sets of a [`KeyFetcher`] are fetched on one thread with its own runtime, because the service may have any
//! runtime, or none.

mod https;
mod lifetime;
mod rotation;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::{fmt, io};

use error_envelope_core::guard::auth::RemoteKeys;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

pub use self::https::system_roots;
use self::https::{Https, Target};
use self::rotation::Rounds;

/// Fetches the key sets of `jwks_url`s, and keeps them fresh. Clones share the sets.
///
/// Most programs do not need their own fetcher. Layers share [`KeyFetcher::shared`], which trusts the platform's
/// certificates (or those of the file in the environment variable `SSL_CERT_FILE`). It connects to providers directly,
/// and ignores `HTTPS_PROXY`.
#[derive(Clone)]
pub struct KeyFetcher(Arc<Registry>);

struct Registry {
    https: Https,
    known: Mutex<KeySets>,
}

#[derive(Default)]
struct KeySets {
    sets: HashMap<Box<str>, RemoteKeys>,
    /// The queue of the fetching task. It is `None` until there is something to fetch.
    jobs: Option<UnboundedSender<Job>>,
}

struct Job {
    keys: RemoteKeys,
    target: Target,
    registry: Weak<Registry>,
}

impl KeyFetcher {
    /// Returns the fetcher that layers share by default.
    #[must_use]
    pub fn shared() -> Self {
        static SHARED: LazyLock<KeyFetcher> = LazyLock::new(|| KeyFetcher::new(Https::default()));

        SHARED.clone()
    }

    /// Creates a fetcher that trusts these PEM certificates and no others, for a provider inside an organisation.
    ///
    /// # Errors
    ///
    /// Fails if the text has no certificate, or one that cannot be read.
    pub fn trusting(pem: &[u8]) -> io::Result<Self> {
        Https::trusting(pem).map(Self::new)
    }

    fn new(https: Https) -> Self {
        Self(Arc::new(Registry { https, known: Mutex::default() }))
    }

    /// Returns the same fetcher with a future that fetches, instead of a thread. It is meant for a custom runtime, or a
    /// simulated clock. The future ends when the fetcher and all its sets are dropped.
    pub fn driven(self) -> (Self, impl Future<Output = ()> + Send) {
        let (jobs, queue) = unbounded_channel();
        self.0.known().jobs = Some(jobs);
        let https = self.0.https.clone();
        (self, drive(queue, https))
    }

    /// Returns the set at a URL, which is fetched from now on. A URL that is not https is not fetched, and a policy
    /// with such a URL is refused.
    #[must_use]
    pub fn keys(&self, url: &str) -> RemoteKeys {
        let Some(target) = Target::parse(url) else { return RemoteKeys::never_fetched(url) };
        let mut known = self.0.known();
        if let Some(keys) = known.sets.get(url) {
            return keys.clone();
        }
        let keys = RemoteKeys::new(url, Rounds::default());
        known.sets.insert(url.into(), keys.clone());
        let job = Job { keys: keys.clone(), target, registry: Arc::downgrade(&self.0) };
        // If the thread cannot start, the error is logged, and requests get 503.
        let _ = known.jobs.get_or_insert_with(|| start(self.0.https.clone())).send(job);
        keys
    }

    /// Requests a fetch if none is running. The future is ready once the fetch has ended, or at once if no fetch may
    /// begin.
    pub fn fetched(keys: &RemoteKeys) -> impl Future<Output = ()> + Send + use<> {
        rotation::fetch_ended(keys)
    }
}

impl Registry {
    fn known(&self) -> MutexGuard<'_, KeySets> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a set that no policy holds, and returns true if it did. The lock keeps policies from taking the set
    /// meanwhile.
    fn forget_unused(&self, keys: &RemoteKeys) -> bool {
        /// The number of holders that are not policies: the table, and the task that calls this function.
        const OURS: usize = 2;

        let mut known = self.known();
        let is_unused = keys.holders() <= OURS;
        if is_unused {
            known.sets.remove(keys.url());
        }
        is_unused
    }
}

fn is_unused(registry: &Weak<Registry>, keys: &RemoteKeys) -> bool {
    registry.upgrade().map_or(keys.holders() == 1, |registry| registry.forget_unused(keys))
}

/// Starts a thread for all sets, because a policy may be read on threads that have no runtime.
fn start(https: Https) -> UnboundedSender<Job> {
    let (jobs, queue) = unbounded_channel();
    let fetch = move || match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(drive(queue, https)),
        Err(error) => rotation::log_no_thread(&error),
    };
    if let Err(error) = std::thread::Builder::new().name("error-envelope-jwks".to_owned()).spawn(fetch) {
        rotation::log_no_thread(&error);
    }
    jobs
}

async fn drive(mut queue: UnboundedReceiver<Job>, https: Https) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            job = queue.recv() => match job {
                Some(Job { keys, target, registry }) => {
                    let is_unused = move |keys: &RemoteKeys| is_unused(&registry, keys);
                    tasks.spawn(rotation::rotate(keys, target, https.clone(), is_unused));
                }
                None => break,
            },
            Some(_) = tasks.join_next() => {}
        }
    }
    while tasks.join_next().await.is_some() {}
}

impl fmt::Debug for KeyFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFetcher").field("sets", &self.0.known().sets.len()).finish()
    }
}
