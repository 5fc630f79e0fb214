//! Fetches key sets from their URLs (`jwks_url`, rule G2).
//!
//! 1. A set is fetched as soon as a policy contains its URL. The headers of the provider's response determine when the
//!    set is fetched again: after at least 5 minutes and at most a day. Without such headers, the set is fetched again
//!    after an hour.
//! 2. A token whose key is missing in the set also causes a fetch, and its request waits for the fetch. A set is never
//!    fetched more than once in 30 seconds.
//! 3. A fetch uses https, takes at most 5 seconds, reads at most 1 MiB, and follows no redirect. If a fetch fails, the
//!    old set stays active. The failure is counted, and logged once for each reason.
//! 4. Policies with the same URL share a set, so that a reload of the policy keeps the set. A set that no policy uses
//!    is no longer fetched.
//!
//! One thread with its own runtime fetches all sets of a [`KeyFetcher`], because the service may use any runtime or
//! none.

mod https;
mod lifetime;
mod rotation;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};
use std::{fmt, io};

use error_envelope_core::guard::auth::RemoteKeys;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use self::https::{Https, Target};
pub use self::https::{roots_of_pem, system_roots, tls_client};
use self::rotation::Rounds;

/// Fetches key sets from their URLs (`jwks_url`), and keeps them fresh. Clones share the sets.
///
/// Most programs do not need their own fetcher. Layers share [`KeyFetcher::shared`], which trusts the platform's
/// certificates, or those in the file that the environment variable `SSL_CERT_FILE` names. A fetcher connects to
/// providers directly, and ignores `HTTPS_PROXY`.
#[derive(Clone)]
pub struct KeyFetcher(Arc<Registry>);

struct Registry {
    https: Https,
    known: Mutex<KeySets>,
}

#[derive(Default)]
struct KeySets {
    sets: HashMap<Box<str>, RemoteKeys>,
    /// The queue of the task that fetches. It is `None` until the first set is requested.
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

    /// Creates a fetcher that trusts only these PEM certificates, for a provider inside an organisation.
    ///
    /// # Errors
    ///
    /// Returns an error if the text contains no certificate, or a certificate that cannot be read.
    pub fn trusting(pem: &[u8]) -> io::Result<Self> {
        Https::trusting(pem).map(Self::new)
    }

    fn new(https: Https) -> Self {
        Self(Arc::new(Registry { https, known: Mutex::default() }))
    }

    /// Returns the fetcher, and a future that fetches its sets instead of a thread. Use this method with a custom
    /// runtime or a simulated clock. The future ends when the fetcher and all its sets are dropped.
    pub fn driven(self) -> (Self, impl Future<Output = ()> + Send) {
        let (jobs, queue) = unbounded_channel();
        self.0.known().jobs = Some(jobs);
        let https = self.0.https.clone();
        (self, drive(queue, https))
    }

    /// Returns the set at a URL, and fetches it from now on. If the URL is not https, the set is never fetched, and a
    /// policy with such a URL is refused.
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
        // If the thread cannot be started, the error is logged, and requests that need the set get 503.
        let _ = known.jobs.get_or_insert_with(|| start(self.0.https.clone())).send(job);
        keys
    }

    /// Requests a fetch of the set, unless a fetch is running. The returned future is ready once the fetch has ended.
    /// If no fetch may begin yet, the future is ready at once.
    pub fn fetched(keys: &RemoteKeys) -> impl Future<Output = ()> + Send + use<> {
        rotation::fetch_ended(keys)
    }
}

impl Registry {
    fn known(&self) -> MutexGuard<'_, KeySets> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes a set that no policy uses. Returns true if the set was removed. The lock prevents a policy from getting
    /// the set in the meantime.
    fn forget_unused(&self, keys: &RemoteKeys) -> bool {
        /// The number of users of a set that are not policies: the map, and the task that calls this function.
        const OURS: usize = 2;

        let mut known = self.known();
        let is_unused = keys.holders() <= OURS;
        if is_unused {
            known.sets.remove(keys.url());
        }
        is_unused
    }
}

/// Starts a thread that fetches all sets. It has its own runtime, because a policy may be read on a thread without a
/// runtime.
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
                    let is_unused = move |keys: &RemoteKeys| {
                        registry.upgrade().map_or(keys.holders() == 1, |registry| registry.forget_unused(keys))
                    };
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
