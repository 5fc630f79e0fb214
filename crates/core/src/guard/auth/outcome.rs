//! The results of a check of credentials (rule G2).

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, HeaderValue};

use super::Identity;

/// A request that is let in, and the parts of the caller's identity for the inner service.
#[derive(Clone, Debug)]
pub(crate) struct Granted {
    pub(crate) identity: Identity,
    pub(super) forward: Option<(HeaderName, HeaderValue)>,
}

/// The reason why a scheme does not let a request in.
#[derive(Clone, Debug)]
pub(crate) struct Rejection {
    pub(super) why: AuthFailure,
    /// True if a token was sent, whether good or bad. RFC 6750 defines errors only for requests with a token.
    pub(super) token_sent: bool,
    pub(super) cause: Option<AuthCause>,
    /// True if a newer set of keys might let the request in.
    pub(super) unless_keys_change: bool,
    /// The caller that the credentials name, if they are genuine: the id of an expired key, or the subject of a token
    /// with a valid signature.
    pub(super) caller: Option<Box<str>>,
}

/// The reason why credentials fail. If several schemes fail, the greatest value decides. The values are in the order of
/// rule G2. `Unavailable` is the greatest, because the verifier that failed might have let the request in. A 401 would
/// make a client discard valid credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AuthFailure {
    Missing,
    Malformed,
    Invalid,
    NoEmail,
    #[cfg(feature = "auth")]
    OtherId,
    Expired,
    Unavailable,
}

impl AuthFailure {
    /// Returns the words for the log.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "no credentials",
            Self::Malformed => "malformed credentials",
            Self::Invalid => "invalid credentials",
            Self::NoEmail => "no verified email",
            #[cfg(feature = "auth")]
            Self::OtherId => "the id_header does not have the key's id",
            Self::Expired => "expired or revoked credentials",
            Self::Unavailable => "no response from the verifier",
        }
    }
}

/// Details for the log that the client must not get.
#[derive(Clone)]
pub(super) enum AuthCause {
    Known(&'static str),
    Failed(Arc<dyn Error + Send + Sync>),
}

impl Granted {
    /// Adds the caller's identity to the head of the request for the inner service.
    pub(crate) fn mark(self, head: &mut Parts) {
        if let Some((name, value)) = self.forward {
            head.headers.insert(name, value);
        }
        head.extensions.insert(self.identity);
    }
}

impl Rejection {
    /// Creates the rejection of a token that was sent.
    pub(super) fn token(why: AuthFailure) -> Self {
        Self { token_sent: true, ..why.into() }
    }

    pub(super) fn with_cause(self, cause: &'static str) -> Self {
        Self { cause: Some(AuthCause::Known(cause)), ..self }
    }

    /// Adds the caller that the credentials name.
    #[cfg(feature = "auth")]
    pub(super) fn of_caller(self, id: Option<&str>) -> Self {
        Self { caller: id.map(Into::into), ..self }
    }

    #[cfg(feature = "jwt")]
    pub(super) fn unless_keys_change(self) -> Self {
        Self { unless_keys_change: true, ..self }
    }
}

impl From<AuthFailure> for Rejection {
    fn from(why: AuthFailure) -> Self {
        Self { why, token_sent: false, cause: None, unless_keys_change: false, caller: None }
    }
}

impl fmt::Debug for AuthCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cause")
    }
}
