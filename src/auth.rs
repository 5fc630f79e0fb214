//! Authentication: the layer refuses requests without valid credentials (rule G2).
//!
//! A policy defines [schemes](AuthScheme). Each route names the schemes that it accepts.

#[cfg(feature = "auth")]
pub use error_envelope_core::guard::auth::Key;
pub use error_envelope_core::guard::auth::{AuthScheme, ClientCertificate, Identity, Verified, VerifiedCaller};
#[cfg(feature = "jwt")]
pub use error_envelope_core::guard::auth::{JwtKeys, RemoteKeys};

#[cfg(feature = "jwks-url")]
pub use error_envelope_runtime::KeyFetcher;

pub use crate::middleware::verify::{CredentialRequest, Verifier};
