//! Public keys that an adapter fetches: named by a URL, replaced while tokens are checked.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use http::Uri;

use super::jwks::{self, KeySet};
use crate::guard::pattern::SettingError;

/// The key set at a URL (`jwks_url`): shared by the schemes that name it and the adapter that fetches it. A clone is the
/// same set.
///
/// Until the first set is there, a token cannot be judged: 503 `service_unavailable`.
#[derive(Clone)]
pub struct RemoteKeys(Arc<Shared>);

struct Shared {
    url: Box<str>,
    set: RwLock<Option<Arc<KeySet>>>,
    is_resting: AtomicBool,
    fetcher: Box<dyn Any + Send + Sync>,
}

impl RemoteKeys {
    /// Starts without a set, while one is being fetched: `fetcher` is the adapter's own, for [`RemoteKeys::fetcher`].
    pub fn new(url: &str, fetcher: impl Any + Send + Sync) -> Self {
        Self(Arc::new(Shared {
            url: url.into(),
            set: RwLock::default(),
            is_resting: AtomicBool::new(false),
            fetcher: Box::new(fetcher),
        }))
    }

    /// A set that no adapter fetches: for inspecting a policy apart from its service.
    #[must_use]
    pub fn never_fetched(url: &str) -> Self {
        let keys = Self::new(url, ());
        keys.rest(true);
        keys
    }

    /// The URL of the set.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The fetcher given to [`RemoteKeys::new`]; `None` where it is of another type.
    #[must_use]
    pub fn fetcher<F: Any>(&self) -> Option<&F> {
        self.0.fetcher.downcast_ref()
    }

    /// The number of clones, including those in policies.
    #[must_use]
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Whether the first set is there.
    #[must_use]
    pub fn has_set(&self) -> bool {
        self.current().is_some()
    }

    /// Replaces the set by this text (RFC 7517); returns how many of its keys fit some algorithm.
    ///
    /// # Errors
    ///
    /// The mistake in the text; the old set stays.
    pub fn replace(&self, json: &str) -> Result<usize, String> {
        let keys = jwks::parse(json, &jwks::PUBLIC_KEY_ALGORITHMS).map_err(|refused| refused.wrong)?;
        let count = keys.len();
        *self.0.set.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(KeySet(keys)));
        Ok(count)
    }

    /// Sets whether fetches rest: no fetch runs and none may begin, so tokens do not wait for one.
    pub fn rest(&self, is_resting: bool) {
        self.0.is_resting.store(is_resting, Ordering::Release);
    }

    /// Whether fetches rest, as [`rest`](Self::rest) set it.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.0.is_resting.load(Ordering::Acquire)
    }

    pub(super) fn current(&self) -> Option<Arc<KeySet>> {
        self.0.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Anyone who can read or change the traffic of an `http` URL chooses the keys. A URL with credentials is not quoted (L3).
pub(super) fn check_url(url: &str) -> Result<(), SettingError> {
    let refused = |wrong: &str| Err(SettingError::new("jwks_url", wrong, "write https://HOST/PATH"));
    let Ok(uri) = url.parse::<Uri>() else { return refused("the text is not a URL") };
    let has_credentials = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    match uri.scheme_str() {
        _ if has_credentials => refused("the URL has credentials"),
        Some("https") if uri.host().is_some_and(|host| !host.is_empty()) && !url.contains('#') => Ok(()),
        Some("http") => refused("over http anybody on the way can change the keys"),
        _ => refused("the text is not an https URL"),
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("has_set", &self.has_set()).finish_non_exhaustive()
    }
}
