//! The refusal of a request that no scheme lets in (rule G2).

use std::slice;
use std::sync::Arc;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, StatusCode};

use super::Identity;
use super::challenge::TokenError;
use super::compile::Scheme;
use super::outcome::{AuthFailure, Rejection};
use crate::code::ErrorCode;
use crate::fault::Fault;

/// The schemes that did not let the request in, of one route or of several (rule G0).
#[derive(Debug)]
pub(crate) enum AuthRefusal {
    /// One scheme refused the request. Most refusals are of this kind, which allocates nothing.
    One((Arc<Scheme>, Rejection)),
    Several(Vec<(Arc<Scheme>, Rejection)>),
}

impl AuthRefusal {
    /// Adds the schemes of another route. If two checks got equally far, the schemes of `self` come first.
    pub(crate) fn and(self, other: Self) -> Self {
        other.into_list().into_iter().fold(self, |all, (scheme, rejection)| all.with_scheme(&scheme, rejection))
    }

    /// Adds schemes that did not refuse the request, because they let it in or were not needed. The added schemes do
    /// not change the decision, but a 401 also contains their challenges.
    pub(crate) fn with_offered_schemes(self, schemes: &[Arc<Scheme>]) -> Self {
        schemes.iter().fold(self, |all, scheme| all.with_scheme(scheme, AuthFailure::Missing.into()))
    }

    /// Returns the fault for the client, which is the fault of the scheme whose check got furthest. A 401 contains the
    /// challenges of all schemes.
    pub(crate) fn fault(&self) -> Fault {
        match self {
            // A fault with a cause belongs to one request only, so it is not prepared.
            Self::One((scheme, rejection)) if rejection.cause.is_none() => {
                let make = || refuse(self.all());
                scheme.refusals.get_or_prepare(rejection.why as usize, rejection.token_sent, make)
            }
            _ => refuse(self.all()),
        }
    }

    /// Returns the caller that the credentials name, if they are genuine. If there are several schemes, the caller is
    /// from the scheme whose check got furthest.
    pub(crate) fn caller(&self) -> Option<Identity> {
        let (scheme, rejection) = furthest(self.all())?;
        Some(Identity::new(scheme.name.clone(), Some(rejection.caller.as_deref()?)))
    }

    /// Returns true if the request has no credentials for any of the schemes.
    pub(crate) fn is_for_missing_credentials(&self) -> bool {
        self.all().iter().all(|(_, rejection)| rejection.why == AuthFailure::Missing)
    }

    /// Adds a scheme, unless it is already in the list. A second result of one scheme for the same request would be the
    /// same.
    fn with_scheme(self, scheme: &Arc<Scheme>, rejection: Rejection) -> Self {
        if self.all().iter().any(|(other, _)| Arc::ptr_eq(other, scheme)) {
            return self;
        }
        let mut all = self.into_list();
        all.push((scheme.clone(), rejection));
        Self::Several(all)
    }

    fn all(&self) -> &[(Arc<Scheme>, Rejection)] {
        match self {
            Self::One(only) => slice::from_ref(only),
            Self::Several(all) => all,
        }
    }

    fn into_list(self) -> Vec<(Arc<Scheme>, Rejection)> {
        match self {
            Self::One(only) => vec![only],
            Self::Several(all) => all,
        }
    }
}

fn refuse(all: &[(Arc<Scheme>, Rejection)]) -> Fault {
    // If no scheme is in the list, nothing has refused the request.
    let Some((scheme, rejection)) = furthest(all) else { return Fault::new(ErrorCode::AUTH_MISSING) };
    let fault = scheme.fault(rejection);
    if fault.status() == StatusCode::UNAUTHORIZED { with_challenges(fault, all) } else { fault }
}

/// Returns the scheme whose check got furthest. If several checks got equally far, returns the first of these schemes.
fn furthest(all: &[(Arc<Scheme>, Rejection)]) -> Option<&(Arc<Scheme>, Rejection)> {
    // `max_by_key` returns the last of equal elements, so the order is reversed to get the first.
    all.iter().rev().max_by_key(|(_, rejection)| rejection.why)
}

/// Returns the challenges for a 401 that a service sent without a challenge (RFC 9110 §15.5.2). The result contains the
/// challenges of the route's schemes, or else Bearer.
pub(crate) fn challenges_of_service(schemes: &[Arc<Scheme>], code: &ErrorCode) -> Vec<HeaderValue> {
    let error = match code.as_str() {
        "auth_expired" => TokenError::Expired,
        "auth_invalid" => TokenError::Invalid,
        _ => TokenError::NoToken,
    };
    let mut lines: Vec<HeaderValue> = Vec::new();
    for line in schemes.iter().map(|scheme| scheme.challenges.line(error)) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if lines.is_empty() { vec![HeaderValue::from_static("Bearer")] } else { lines }
}

/// Adds a challenge line for each scheme. Equal lines are added only once.
fn with_challenges(mut fault: Fault, all: &[(Arc<Scheme>, Rejection)]) -> Fault {
    for (scheme, rejection) in all {
        let line = scheme.challenges.line(match rejection {
            Rejection { why: AuthFailure::Expired, .. } => TokenError::Expired,
            Rejection { token_sent: true, .. } => TokenError::Invalid,
            _ => TokenError::NoToken,
        });
        if !fault.headers().get_all(WWW_AUTHENTICATE).iter().any(|other| *other == line) {
            fault = fault.with_header(WWW_AUTHENTICATE, line);
        }
    }
    fault
}
