//! Public keys that an adapter fetches from a URL. The adapter may replace the keys while tokens are being checked.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use http::Uri;

use super::jwks::{self, KeySet};
use crate::table::SettingError;

/// The key set at a URL (`jwks_url`). The schemes that use the set share it with the adapter that fetches it. A clone
/// refers to the same set.
///
/// Until the first set has been fetched, no token can be checked, so requests get 503 `service_unavailable`.
#[derive(Clone)]
pub struct RemoteKeys(Arc<Shared>);

struct Shared {
    url: Box<str>,
    set: RwLock<Option<Arc<KeySet>>>,
    is_resting: AtomicBool,
    failure: RwLock<Option<Arc<str>>>,
    fetcher: Box<dyn Any + Send + Sync>,
}

impl RemoteKeys {
    /// Creates a set that is empty until it is fetched. `fetcher` is any value of the adapter, which
    /// [`RemoteKeys::fetcher`] returns.
    pub fn new(url: &str, fetcher: impl Any + Send + Sync) -> Self {
        Self(Arc::new(Shared {
            url: url.into(),
            set: RwLock::default(),
            is_resting: AtomicBool::new(false),
            failure: RwLock::default(),
            fetcher: Box::new(fetcher),
        }))
    }

    /// Creates a set that no adapter fetches, for inspecting a policy without its service.
    #[must_use]
    pub fn never_fetched(url: &str) -> Self {
        let keys = Self::new(url, ());
        keys.rest(true);
        keys
    }

    /// Returns the URL of the set.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// Returns the fetcher that was passed to [`RemoteKeys::new`], or `None` if it has another type.
    #[must_use]
    pub fn fetcher<F: Any>(&self) -> Option<&F> {
        self.0.fetcher.downcast_ref()
    }

    /// Returns how many clones exist, including those in policies.
    #[must_use]
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Returns true if a set has been fetched.
    #[must_use]
    pub fn has_set(&self) -> bool {
        self.current().is_some()
    }

    /// Replaces the set with the JWK set in this JSON text (RFC 7517). Returns the number of usable keys in the new
    /// set.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is wrong. The old set then stays.
    pub fn replace(&self, json: &str) -> Result<usize, String> {
        let keys = jwks::parse(json, &jwks::PUBLIC_KEY_ALGORITHMS).map_err(|refused| refused.wrong)?;
        let count = keys.len();
        *self.0.set.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(KeySet(keys)));
        Ok(count)
    }

    /// Stores why the last fetch failed. Pass `None` if the fetch succeeded.
    pub fn note_failure(&self, why: Option<&str>) {
        *self.0.failure.write().unwrap_or_else(PoisonError::into_inner) = why.map(Into::into);
    }

    /// Returns why the last fetch failed. Returns `None` if the last fetch succeeded, or if nothing was fetched yet.
    #[must_use]
    pub fn failure(&self) -> Option<Arc<str>> {
        self.0.failure.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Pauses fetches, or resumes them. During a pause no fetch runs or begins, so tokens do not wait for a fetch.
    pub fn rest(&self, is_resting: bool) {
        self.0.is_resting.store(is_resting, Ordering::Release);
    }

    /// Returns true if fetches pause because of [`rest`](Self::rest).
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.0.is_resting.load(Ordering::Acquire)
    }

    pub(super) fn current(&self) -> Option<Arc<KeySet>> {
        self.0.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Checks a URL. The URL must be `https`, because anyone who can change the traffic of an `http` URL could choose the
/// keys. The error does not quote a URL with credentials (L3).
pub(super) fn check_url(url: &str) -> Result<(), SettingError> {
    let refused = |wrong: &str| Err(SettingError::new("jwks_url", wrong, "write https://HOST/PATH"));
    let Ok(uri) = url.parse::<Uri>() else { return refused("the text is not a URL") };
    let has_credentials = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    match uri.scheme_str() {
        _ if has_credentials => refused("the URL has credentials"),
        Some("https") if uri.host().is_some_and(|host| !host.is_empty()) && !url.contains('#') => Ok(()),
        Some("http") => refused("over http, anyone on the network path can change the keys"),
        _ => refused("the text is not an https URL"),
    }
}

impl fmt::Debug for RemoteKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("has_set", &self.has_set()).finish_non_exhaustive()
    }
}
