//! The configuration of a session, which an adapter sets.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use http::{Extensions, Uri};

use super::request_record::{Observer, SessionConfig};
use crate::policy::Policy;

impl SessionConfig {
    /// Creates a config with this policy, and without a classifier. `clock` is called for keys and tokens that expire
    /// (G2), for a dialect that writes the time (R2), and for RPC errors that state until when to wait (P1).
    pub fn new(policy: impl Into<Arc<Policy>>, clock: fn() -> SystemTime) -> Self {
        Self {
            policy: policy.into(),
            classifier: None,
            recogniser: None,
            proxy_errors: None,
            observer: None,
            framework_route: None,
            original_uri: None,
            reason_phrase: None,
            development: None,
            forwarding: None,
            clock,
        }
    }

    /// Returns this config with another policy.
    #[must_use]
    pub fn with_policy(&self, policy: impl Into<Arc<Policy>>) -> Self {
        Self { policy: policy.into(), ..self.clone() }
    }

    /// Returns the policy.
    #[must_use]
    #[inline]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Returns true if a session with this config may read, set or remove request headers of any name. If the result is
    /// false, the session reads only the headers for which [`is_read`](crate::session::request::header_use::is_read)
    /// returns true, and sets only the id. An adapter whose proxy owns the heads then need not copy other headers for
    /// [`Session::begin_copy`](crate::session::request::state::Session::begin_copy).
    #[must_use]
    pub fn reads_any(&self) -> bool {
        self.policy.names_headers()
    }

    #[inline]
    pub(in crate::session) fn framework_route(&self, extensions: &Extensions) -> Option<Arc<str>> {
        self.framework_route.filter(|_| !extensions.is_empty()).and_then(|find| find(extensions))
    }

    /// Returns the URI that the request had before a prefix was stripped. Returns `None` if the path is the same, or if
    /// the policy does not distinguish paths.
    #[inline]
    pub(in crate::session) fn original_uri<'h>(&self, head: &'h Parts) -> Option<&'h Uri> {
        let find = self.original_uri.filter(|_| self.policy.distinguishes_paths())?;
        find(&head.extensions).filter(|original| original.path() != head.uri.path())
    }

    #[inline]
    pub(in crate::session) fn reason_phrase<'e>(&self, extensions: &'e Extensions) -> Option<&'e [u8]> {
        self.reason_phrase.and_then(|find| find(extensions))
    }

    /// Returns the observer of the errors.
    #[must_use]
    #[inline]
    pub fn observer(&self) -> Option<&dyn Observer> {
        self.observer.as_deref()
    }
}

impl fmt::Debug for SessionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, classifier, .. } = self;
        f.debug_struct("Terms").field("policy", policy).field("classifier", &classifier.is_some()).finish()
    }
}
