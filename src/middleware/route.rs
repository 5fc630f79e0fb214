//! The route of a request, for observers: the framework's, else the policy's (L1). Also the slot in which the layer
//! stores it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use error_envelope_core::request_id::RequestId;
use error_envelope_core::session::{RequestStep, Session};
use http::Extensions;

/// Whether the process has made a slot: before that, requests are not searched for one.
static MADE: AtomicBool = AtomicBool::new(false);

/// A slot in which the layer notes a request's id and route: for an access log around it.
///
/// Put an empty one into the request's extensions and keep a clone. Read the clone after the response, or after the
/// client has left.
///
/// ```
/// use tower_error_envelope::middleware::RequestSlot;
///
/// let slot = RequestSlot::default();
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(slot.clone());
/// assert_eq!(slot.request_id(), None, "no layer has seen it yet");
/// ```
#[derive(Clone, Debug)]
pub struct RequestSlot(Arc<OnceLock<(RequestId, Option<Arc<str>>)>>);

impl Default for RequestSlot {
    fn default() -> Self {
        MADE.store(true, Ordering::Relaxed);
        Self(Arc::default())
    }
}

impl RequestSlot {
    /// The request's id.
    #[must_use]
    pub fn request_id(&self) -> Option<RequestId> {
        self.0.get().map(|(id, _)| *id)
    }

    /// The framework's pattern, else that of the policy's route: never a path.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.0.get()?.1.as_deref()
    }

    #[inline]
    pub(super) fn find(extensions: &Extensions) -> Option<&Self> {
        // If another thread set the flag, passing the request to this thread has made it visible here.
        MADE.load(Ordering::Relaxed).then(|| extensions.get()).flatten()
    }

    /// Only the outermost layer notes its request; layers inside it keep that.
    pub(super) fn note(&self, session: &Session, step: &RequestStep) {
        if let Some(id) = session.request_id(step) {
            self.0.get_or_init(|| (id, session.labels(step).1.cloned()));
        }
    }
}

#[cfg(feature = "axum")]
pub(super) use matched_path::framework_route;

/// The URI before axum's `nest` stripped a prefix, as axum stores it (G0).
#[cfg(feature = "axum")]
pub(super) fn original_uri(extensions: &Extensions) -> Option<&http::Uri> {
    extensions.get::<axum::extract::OriginalUri>().map(|original| &original.0)
}

/// axum's pattern for the request. axum does not share its text, so each text is copied and kept once.
#[cfg(feature = "axum")]
mod matched_path {
    use std::collections::HashSet;
    use std::sync::{Arc, PoisonError, RwLock};

    use axum::extract::MatchedPath;
    use http::Extensions;

    /// The most routes to keep: far more than a router has. If a program makes routers without end, further routes get no
    /// label.
    const MOST: usize = 16 * 1024;

    static KNOWN: RwLock<Option<HashSet<Arc<str>>>> = RwLock::new(None);

    pub(in crate::middleware) fn framework_route(extensions: &Extensions) -> Option<Arc<str>> {
        let path = extensions.get::<MatchedPath>()?.as_str();
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        let found = known.as_ref().and_then(|known| known.get(path).cloned());
        drop(known);
        found.or_else(|| enter(path))
    }

    #[cold]
    fn enter(path: &str) -> Option<Arc<str>> {
        let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        if let Some(found) = known.get(path) {
            return Some(found.clone());
        }
        let route: Arc<str> = path.into();
        (known.len() < MOST && known.insert(route.clone())).then_some(route)
    }
}
