//! What a verifier of the user's own says (rule G2).

use std::error::Error;
use std::sync::Arc;

/// What a verifier says of a request's credentials.
///
/// An error instead of it is 503 `service_unavailable`: whether the credentials are good is not known then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verified {
    /// They are good, and belong to whom this names: an id, not empty where the policy forwards it.
    Granted(Box<str>),
    /// None of the kind that this verifier knows were sent (`auth_missing`): another scheme may decide.
    Missing,
    /// They are not of the form that they must have (`auth_malformed`).
    Malformed,
    /// They are nobody's (`auth_invalid`).
    Invalid,
    /// They were somebody's, and are no more (`auth_expired`).
    Expired,
    /// They are good, but the session has no verified email address (`auth_no_email`, 403).
    NoEmail,
}

impl Verified {
    /// The credentials are good, and belong to whom `id` names.
    #[must_use]
    pub fn granted(id: impl Into<Box<str>>) -> Self {
        Self::Granted(id.into())
    }
}

/// Why a verifier said nothing: it may be asked for by two lists of schemes at once.
#[derive(Debug)]
pub(crate) struct VerifierFailure(pub(super) Arc<dyn Error + Send + Sync>);

impl From<Box<dyn Error + Send + Sync>> for VerifierFailure {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Self(error.into())
    }
}
