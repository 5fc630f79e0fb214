//! What is said of a request and its credentials (rule G2).

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, HeaderValue};

use super::identity::Identity;

/// What a scheme says of a request.
#[derive(Debug)]
#[cfg_attr(not(feature = "keys"), allow(dead_code, reason = "without keys and tokens verifiers alone decide"))]
pub(super) enum Checked {
    In(Passed),
    Not(Not),
    /// A verifier of the user's own knows.
    Ask,
}

/// A request that may pass, and what the inner service is told of it.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(super) identity: Identity,
    pub(super) forward: Option<(HeaderName, HeaderValue)>,
}

/// A request that a scheme does not let in.
#[derive(Clone, Debug)]
pub(super) struct Not {
    pub(super) why: Why,
    /// A token was sent, whatever was wrong with it: RFC 6750 has an error for that.
    pub(super) token_sent: bool,
    pub(super) cause: Option<Cause>,
}

/// In the order of rule G2: of several schemes the greatest decides. A verifier that failed might have let the request in:
/// 401 would tell a client to throw good credentials away, and so it is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    Missing,
    Malformed,
    Invalid,
    NoEmail,
    Expired,
    Unavailable,
}

/// More than the client is told, for the log.
#[derive(Clone)]
pub(super) enum Cause {
    Known(&'static str),
    Failed(Arc<dyn Error + Send + Sync>),
}

impl From<Result<Passed, Not>> for Checked {
    fn from(checked: Result<Passed, Not>) -> Self {
        checked.map_or_else(Self::Not, Self::In)
    }
}

impl Passed {
    /// Tells the inner service who it is.
    pub(crate) fn mark(self, head: &mut Parts) {
        if let Some((name, value)) = self.forward {
            head.headers.insert(name, value);
        }
        head.extensions.insert(self.identity);
    }
}

impl Not {
    /// It is so with a token that was sent.
    pub(super) fn token(why: Why) -> Self {
        Self { why, token_sent: true, cause: None }
    }

    pub(super) fn because(self, cause: &'static str) -> Self {
        Self { cause: Some(Cause::Known(cause)), ..self }
    }
}

impl From<Why> for Not {
    fn from(why: Why) -> Self {
        Self { why, token_sent: false, cause: None }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cause")
    }
}
