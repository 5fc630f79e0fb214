//! Decides by the credentials of a request whether it is let in, and how it is refused (rule G2).
//!
//! 1. An [`AuthScheme`] contains the settings in a policy. The settings are compiled into a [`Scheme`], which is always
//!    valid.
//! 2. A scheme checks the headers, and the time if a key or a token can expire. A scheme accepts the request, returns
//!    an error, or leaves the decision to a verifier of the user.
//! 3. If a route has several schemes, one that accepts the request is enough. If no scheme accepts the request, the
//!    scheme whose check got furthest decides the error. If several checks got equally far, the first of these schemes
//!    decides.
//!
//! Nothing here stores, shows or logs data of a client.

mod challenge;
mod compile;
mod decide;
#[cfg(feature = "auth")]
mod digest;
#[cfg(feature = "openapi")]
mod faults;
#[cfg(feature = "jwt")]
mod jwt;
#[cfg(feature = "auth")]
mod key;
#[cfg(feature = "auth")]
mod keys;
mod outcome;
mod refusal;
mod scheme;
mod verified;

pub use error_envelope_fault::identity::Identity;
#[cfg(feature = "jwt")]
pub use jwt::{JwtKeys, RemoteKeys};
#[cfg(feature = "auth")]
pub use key::Key;
pub(crate) use scheme::remove_forwarded;
pub use scheme::{AuthScheme, ClientCertificate};
pub use verified::{Verified, VerifiedCaller};

pub(crate) use compile::{Scheme, refuse_together};
pub(crate) use decide::{SchemesOutcome, check_without_wait};
#[cfg(feature = "policy-file")]
pub(crate) use key::{KeyHash, KeyTable, Keys, KeysFile};
pub(crate) use refusal::{AuthRefusal, challenges_of_service};
#[cfg(feature = "policy-file")]
pub(crate) use scheme::{SchemeKind, SchemeTable};
pub(crate) use verified::VerifierFailure;

#[cfg(test)]
mod tests;
