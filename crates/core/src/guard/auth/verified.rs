//! The result of a verifier of the user's own (rule G2).

use std::error::Error;
use std::sync::Arc;

/// A verifier's result for a request's credentials.
///
/// An error instead of it is 503 `service_unavailable`: the credentials may be good or bad.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verified {
    /// They are good, and belong to the caller of this id, which is not empty where the policy forwards it.
    Granted(Box<str>),
    /// The request has none that this verifier recognises (`auth_missing`): another scheme may decide.
    Missing,
    /// They are not of the form that they must have (`auth_malformed`).
    Malformed,
    /// They belong to no caller (`auth_invalid`).
    Invalid,
    /// They belonged to a caller, and have expired (`auth_expired`).
    Expired,
    /// They are good, but the session has no verified email address (`auth_no_email`, 403).
    NoEmail,
}

impl Verified {
    /// The credentials are good, and belong to the caller `id`.
    #[must_use]
    pub fn granted(id: impl Into<Box<str>>) -> Self {
        Self::Granted(id.into())
    }
}

/// Why a verifier has no result; shared, since two lists of schemes may need it.
#[derive(Debug)]
pub(crate) struct VerifierFailure(pub(super) Arc<dyn Error + Send + Sync>);

impl From<Box<dyn Error + Send + Sync>> for VerifierFailure {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Self(error.into())
    }
}
