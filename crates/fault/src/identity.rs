//! The caller of a request.

use std::fmt;
use std::sync::Arc;

/// The caller, as its credentials identify it (rule G2): in the extensions of each request that a scheme let in.
///
/// ```
/// use http::Request;
/// use tower_error_envelope::auth::Identity;
///
/// fn caller<B>(request: &Request<B>) -> &str {
///     request.extensions().get::<Identity>().and_then(Identity::id).unwrap_or("nobody")
/// }
/// # assert_eq!(caller(&Request::new(())), "nobody");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identity(Arc<Inner>);

#[derive(PartialEq, Eq, Hash)]
struct Inner {
    scheme: Arc<str>,
    id: Option<Box<str>>,
}

impl Identity {
    pub fn new(scheme: Arc<str>, id: Option<&str>) -> Self {
        let id = id.filter(|id| !id.is_empty()).map(Into::into);
        Self(Arc::new(Inner { scheme, id }))
    }

    /// The name that the policy gives to the scheme.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.0.scheme
    }

    /// The key's id, the token's subject, or the verifier's id; `None` for a token without a subject. An id is
    /// unique within its scheme.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_deref()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("scheme", &self.scheme()).field("id", &self.id()).finish()
    }
}
