//! Verifiers: the user's own code that checks credentials (rule G2).

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{Extensions, HeaderMap, Method, Uri, request};

use error_envelope_core::guard::auth::Verified;
use error_envelope_core::session::{BoxError, Verification};
use error_envelope_runtime::DropGuarded;

/// Finds the owner of a request's credentials, for a scheme of the type `custom` in the policy (rule G2).
///
/// If a verifier fails, panics or needs more time than the scheme allows (2 s by default), the request gets 503
/// `service_unavailable`. A verifier must not block its thread, because nothing can interrupt a blocked thread. At the
/// time limit, the verifier's future is dropped; its side effects until then remain.
///
/// Any `async fn(CredentialRequest) -> Result<Verified, BoxError>` is a verifier. A verifier with state implements the
/// trait:
///
/// ```
/// use std::collections::HashMap;
/// use tower_error_envelope::auth::{CredentialRequest, Verified, Verifier};
/// use tower_error_envelope::session::BoxError;
///
/// struct Sessions(HashMap<String, String>);
///
/// impl Verifier for Sessions {
///     async fn verify(&self, request: CredentialRequest) -> Result<Verified, BoxError> {
///         let Some(session) = request.headers().get("x-session") else { return Ok(Verified::Missing) };
///         Ok(self.0.get(session.to_str()?).map_or(Verified::Invalid, |user| Verified::granted(user.as_str())))
///     }
/// }
/// ```
pub trait Verifier: Send + Sync + 'static {
    /// Returns the owner of the credentials, or the reason why there is none.
    ///
    /// # Errors
    ///
    /// Returns an error if the verifier cannot decide. The layer logs the error, but sends no part of it to the client.
    fn verify(&self, request: CredentialRequest) -> impl Future<Output = Result<Verified, BoxError>> + Send;
}

impl<F, T> Verifier for F
where
    F: Fn(CredentialRequest) -> T + Send + Sync + 'static,
    T: Future<Output = Result<Verified, BoxError>> + Send,
{
    fn verify(&self, request: CredentialRequest) -> impl Future<Output = Result<Verified, BoxError>> + Send {
        self(request)
    }
}

/// The request that a verifier gets: a copy of its head. The body is not read yet.
pub struct CredentialRequest(request::Parts);

impl CredentialRequest {
    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.0.method
    }

    /// Returns the target, as it was sent.
    #[must_use]
    pub fn uri(&self) -> &Uri {
        &self.0.uri
    }

    /// Returns the headers, except those in which the policy forwards the caller's id to the service.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// Returns the extensions of outer layers and the server, such as the peer's address or certificate.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.0.extensions
    }
}

impl fmt::Debug for CredentialRequest {
    /// Leaves out the headers and the query, because they contain the credentials (L3).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CredentialRequest")
            .field("method", &self.0.method)
            .field("path", &self.0.uri.path())
            .finish_non_exhaustive()
    }
}

/// The future of a verifier.
pub(super) type VerifyFuture = Pin<Box<dyn Future<Output = Result<Verified, BoxError>> + Send>>;

/// A layer's verifiers by the names of their schemes. The map is behind one optional pointer, because most layers have
/// no verifier.
#[derive(Clone, Default)]
pub(super) struct Verifiers(Option<Arc<HashMap<String, Arc<dyn Erased>>>>);

trait Erased: Send + Sync {
    fn begin(self: Arc<Self>, request: CredentialRequest) -> VerifyFuture;
}

impl<V: Verifier> Erased for DropGuarded<V> {
    /// Begins the verification. The verifier's code runs only when the returned future is polled.
    fn begin(self: Arc<Self>, request: CredentialRequest) -> VerifyFuture {
        Box::pin(async move {
            match self.get() {
                Some(verifier) => verifier.verify(request).await,
                None => Err("the verifier ended without a result".into()),
            }
        })
    }
}

impl Verifiers {
    pub(super) fn add(&mut self, name: String, verifier: impl Verifier) {
        Arc::make_mut(self.0.get_or_insert_default()).insert(name, Arc::new(DropGuarded::new(verifier)));
    }

    /// Starts the verifier, or the fetch of keys, for which a request must wait. Returns `None` if the layer has no
    /// verifier of that name.
    pub(super) fn begin(&self, unverified: &Verification, head: &request::Parts) -> Option<VerifyFuture> {
        #[cfg(feature = "jwks-url")]
        if let Some(keys) = unverified.keys() {
            let fetched = error_envelope_runtime::KeyFetcher::fetched(keys);
            // Once the keys are fetched, the session checks the token again, and ignores this future's result.
            return Some(Box::pin(async move {
                fetched.await;
                Ok(Verified::Missing)
            }));
        }
        let verifier = self.0.as_ref()?.get(unverified.scheme())?;
        // The caller catches panics of this clone, because cloning the extensions runs user code.
        Some(verifier.clone().begin(CredentialRequest(head.clone())))
    }

    #[cfg(feature = "policy-file")]
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|verifiers| verifiers.keys()).map(String::as_str)
    }

    /// Returns the names for which the layer has no verifier.
    pub(super) fn missing<'n>(&self, names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
        names.filter(|name| !self.0.as_ref().is_some_and(|verifiers| verifiers.contains_key(*name))).collect()
    }
}
