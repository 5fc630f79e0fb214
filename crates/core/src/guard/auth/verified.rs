//! The result of a user's own verifier (rule G2).

use std::error::Error;
use std::sync::Arc;

use error_envelope_fault::identity::VerifierData;

/// The result of a verifier for the credentials of a request.
///
/// If a verifier returns an error instead, the request gets 503 `service_unavailable`, or the scheme's
/// [`unavailable_code`](super::AuthScheme::unavailable_code), because it is not known whether the credentials are good.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verified {
    /// The credentials are valid, and belong to this caller.
    Granted(VerifiedCaller),
    /// The request has no credentials that this verifier recognises (`auth_missing`). Another scheme may decide.
    Missing,
    /// The credentials are malformed (`auth_malformed`).
    Malformed,
    /// The credentials belong to no caller (`auth_invalid`).
    Invalid,
    /// The credentials have expired (`auth_expired`).
    Expired,
    /// The credentials are valid, but the session has no verified email address (`auth_no_email`, 403).
    NoEmail,
}

/// The caller that a verifier identified: an id, and a value for handlers.
#[derive(Clone, Debug)]
pub struct VerifiedCaller {
    pub(super) id: Box<str>,
    pub(super) data: Option<VerifierData>,
}

impl Verified {
    /// Creates the result for valid credentials of the caller `id`. The id must not be empty if the policy forwards it.
    #[must_use]
    pub fn granted(id: impl Into<Box<str>>) -> Self {
        Self::Granted(VerifiedCaller { id: id.into(), data: None })
    }

    /// Attaches a value for handlers, which [`Identity::data`](super::Identity::data) returns. A second value replaces
    /// the first. A result that is not `Granted` does not change.
    ///
    /// ```
    /// use tower_error_envelope::auth::{CredentialRequest, Verified};
    /// use tower_error_envelope::session::BoxError;
    ///
    /// struct Session {
    ///     tenant: String,
    /// }
    ///
    /// async fn verify(request: CredentialRequest) -> Result<Verified, BoxError> {
    ///     Ok(match request.headers().get("x-session") {
    ///         None => Verified::Missing,
    ///         Some(token) if token == "s3cret" => Verified::granted("ada").with(Session { tenant: "acme".to_owned() }),
    ///         Some(_) => Verified::Invalid,
    ///     })
    /// }
    /// # let _ = tower_error_envelope::ErrorEnvelopeLayer::new().verifier("session", verify);
    /// ```
    #[must_use]
    pub fn with<T: Send + Sync + 'static>(self, value: T) -> Self {
        match self {
            Self::Granted(caller) => Self::Granted(VerifiedCaller { data: Some(VerifierData::new(value)), ..caller }),
            other => other,
        }
    }
}

impl VerifiedCaller {
    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl PartialEq for VerifiedCaller {
    /// Returns true if the ids are equal, and the values are the same object.
    fn eq(&self, other: &Self) -> bool {
        let is_same = match (&self.data, &other.data) {
            (Some(data), Some(other)) => data.is_same(other),
            (None, None) => true,
            _ => false,
        };
        is_same && self.id == other.id
    }
}

impl Eq for VerifiedCaller {}

/// The reason why a verifier has no result. The error is shared, because two lists of schemes may need it.
pub(crate) type VerifierFailure = Arc<dyn Error + Send + Sync>;
