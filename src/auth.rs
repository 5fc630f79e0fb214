//! Credentials (rule G2): who may pass.
//!
//! A policy names [schemes](AuthScheme), and its routes those that they accept.

#[cfg(feature = "jwt")]
#[cfg_attr(docsrs, doc(cfg(feature = "jwt")))]
pub use crate::guard::auth::JwtKeys;
pub use crate::guard::auth::{AuthScheme, Identity, Key, Verified};
pub use crate::middleware::verify::{Presented, Verify};
