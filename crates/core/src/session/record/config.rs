//! The configuration of a session, which an adapter sets.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use http::{Extensions, Uri};

use super::proxy_error::ProxyErrorRecogniser;
use super::request_record::{
    CauseTexts, Classifier, FrameworkRoute, Observer, OriginalUri, ReasonPhrase, SessionConfig,
};
use crate::classify::failure::Recogniser;
use crate::policy::{Policy, UpstreamUrl};

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

    /// Sets a classifier of errors. The classifier is called before the contract's own list of errors decides (F1).
    #[must_use]
    pub fn with_classifier(self, classifier: Option<Arc<Classifier>>) -> Self {
        Self { classifier, ..self }
    }

    /// Sets the function that recognises errors whose types are from other crates (F1).
    #[must_use]
    pub fn with_recogniser(self, recogniser: Recogniser) -> Self {
        Self { recogniser: Some(recogniser), ..self }
    }

    /// Sets the function that recognises errors for `Proxy-Status` (L4).
    #[must_use]
    pub fn with_proxy_errors(self, recogniser: ProxyErrorRecogniser) -> Self {
        Self { proxy_errors: Some(recogniser), ..self }
    }

    /// Sets the function that reads the route which the framework found for a request (L1). The function is not called
    /// for a request without extensions.
    #[must_use]
    pub fn with_framework_route(self, find: FrameworkRoute) -> Self {
        Self { framework_route: Some(find), ..self }
    }

    /// Sets the function that reads the URI that a request had before the framework stripped a prefix. The guards also
    /// check the path of that URI (G0).
    #[must_use]
    pub fn with_original_uri(self, find: OriginalUri) -> Self {
        Self { original_uri: Some(find), ..self }
    }

    /// Sets the function that reads the reason phrase of a response (R3).
    #[must_use]
    pub fn with_reason_phrase(self, find: ReasonPhrase) -> Self {
        Self { reason_phrase: Some(find), ..self }
    }

    /// Makes bodies in the standard envelope show the cause of the error (E11). Pass `None` in production.
    #[must_use]
    pub fn with_development(self, texts: Option<CauseTexts>) -> Self {
        Self { development: texts, ..self }
    }

    /// Makes the session choose the service of each request: the service of its scope, or else `rest`. Log events then
    /// contain the address of the service (L1).
    #[must_use]
    pub fn with_forwarding(self, rest: Option<UpstreamUrl>) -> Self {
        Self { forwarding: Some(Arc::new(rest)), ..self }
    }

    /// Sets the observer of the errors.
    #[must_use]
    pub fn with_observer(self, observer: Option<Arc<dyn Observer>>) -> Self {
        Self { observer, ..self }
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

    /// Returns the classifier of the service's own errors.
    #[must_use]
    pub fn classifier(&self) -> Option<&Classifier> {
        self.classifier.as_deref()
    }

    /// Returns true if bodies show causes (E11).
    #[must_use]
    pub fn is_development(&self) -> bool {
        self.development.is_some()
    }

    pub(in crate::session) fn recogniser(&self) -> Option<Recogniser> {
        self.recogniser
    }

    pub(in crate::session) fn proxy_errors(&self) -> Option<ProxyErrorRecogniser> {
        self.proxy_errors
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
