//! The slot in which an adapter notes a request's id and route.

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
/// use error_envelope_runtime::RequestSlot;
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

    /// The slot of a request.
    #[inline]
    pub fn find(extensions: &Extensions) -> Option<&Self> {
        // If another thread set the flag, passing the request to this thread has made it visible here.
        MADE.load(Ordering::Relaxed).then(|| extensions.get()).flatten()
    }

    /// Notes the session's request. Only the outermost layer notes its request; layers inside it keep that.
    pub fn note(&self, session: &Session, step: &RequestStep) {
        if let Some(id) = session.request_id(step) {
            self.0.get_or_init(|| (id, session.labels(step).1.cloned()));
        }
    }
}
