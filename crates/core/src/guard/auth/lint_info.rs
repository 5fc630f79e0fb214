//! Settings of a scheme that are valid, but that an operator should check; for the lints of a policy.

use super::AuthScheme;

impl AuthScheme {
    /// Whether this is a JWT scheme without an audience: it accepts only tokens that have no `aud` (RFC 7519 §4.1.3).
    pub(crate) fn is_jwt_without_audience(&self) -> bool {
        #[cfg(feature = "jwt")]
        return matches!(self.kind, super::scheme::SchemeKind::Jwt(_)) && self.jwt.audiences.is_empty();
        #[cfg(not(feature = "jwt"))]
        false
    }
}
