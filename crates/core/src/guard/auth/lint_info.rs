//! Settings of a scheme that are valid, but that an operator should check; for the lints of a policy.

use std::time::SystemTime;

use super::AuthScheme;

impl AuthScheme {
    /// The keys that expired before `now`, with their ids and times, except revoked keys.
    pub(crate) fn keys_expired_at(&self, now: SystemTime) -> impl Iterator<Item = (&str, SystemTime)> {
        let live = self.keys.iter().filter(|key| !key.revoked);
        let expiring = live.filter_map(|key| Some((key.id.as_str(), key.expires?)));
        expiring.filter(move |(_, expires)| *expires <= now)
    }

    /// Whether this is a JWT scheme without an audience: it accepts only tokens that have no `aud` (RFC 7519 §4.1.3).
    pub(crate) fn is_jwt_without_audience(&self) -> bool {
        #[cfg(feature = "jwt")]
        return matches!(self.kind, super::scheme::SchemeKind::Jwt(_)) && self.jwt.audiences.is_empty();
        #[cfg(not(feature = "jwt"))]
        false
    }
}
