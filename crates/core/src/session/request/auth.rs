//! Authenticates a request by the schemes of its route (G2). If the path of the request can be read in several ways,
//! the credentials for every reading are required (G0), in any mode (M1).

use std::sync::Arc;
use std::time::SystemTime;

use error_envelope_fault::identity::NoCaller;
use http::request::Parts;

use crate::fault::Fault;
use crate::guard::auth::{self, AuthRefusal, Identity, Scheme, SchemesOutcome, Verified, VerifierFailure};
use crate::policy::{Matched, Preflight, RouteSettings};

/// The decision about a request. A decision may include the fault with which the request would have been refused
/// without `auth_observe`.
pub(in crate::session) enum AuthDecision {
    /// The request is let in. The first value is the refusal that is not enforced, and the second value is the caller.
    Open(Option<Fault>, Option<Identity>),
    /// The request is refused. The values are the refusal, another refusal that is not enforced, and the caller that
    /// the refused credentials name.
    Closed(Fault, Option<Fault>, Option<Identity>),
    /// Verifiers must be called first.
    Ask(Box<PendingAuth>),
}

/// The state of authentication for every reading of the request. The request is allowed only if each reading allows it.
#[derive(Debug)]
pub(in crate::session) struct PendingAuth {
    normal: Option<RouteAuth>,
    /// The other readings of the request. Most requests have no other readings, and an empty list allocates nothing.
    others: Vec<RouteAuth>,
}

#[derive(Debug)]
struct RouteAuth {
    verdict: SchemesOutcome,
    /// The settings of the route to which the reading leads.
    settings: Arc<RouteSettings>,
}

/// Runs all checks that need not wait for a verifier or for keys. If the request is allowed, the caller's identity is
/// written into the head.
pub(in crate::session) fn check_auth(
    matched: &Matched,
    (head, is_preflight): (&mut Parts, bool),
    now: &dyn Fn() -> SystemTime,
) -> AuthDecision {
    let auth_of = |settings: &Arc<RouteSettings>| {
        let schemes = &settings.auth;
        if schemes.is_empty() || settings.preflight == Preflight::Pass && is_preflight {
            return None;
        }
        let verdict = auth::check_without_wait(schemes, &*head, now);
        Some(RouteAuth::new(verdict, settings.clone()))
    };
    let others = matched.others.iter().filter_map(|reading| auth_of(&reading.settings)).collect();
    match (PendingAuth { normal: auth_of(&matched.normal), others }) {
        PendingAuth { normal: None, others } if others.is_empty() => {
            if !matched.normal.auth.is_empty() {
                head.extensions.insert(NoCaller);
            }
            AuthDecision::Open(None, None)
        }
        pending => pending.decide(head),
    }
}

impl PendingAuth {
    /// Returns the scheme whose verifier is to be called next.
    pub(in crate::session) fn next(&self) -> Option<&Arc<Scheme>> {
        self.readings().find_map(|route| match &route.verdict {
            SchemesOutcome::Open(undecided) => undecided.next(),
            _ => None,
        })
    }

    /// Continues with the result of the verifier of [`next`](Self::next). If keys were fetched instead, the scheme is
    /// checked again.
    pub(in crate::session) fn verified(
        self,
        outcome: Result<Verified, VerifierFailure>,
        head: &mut Parts,
        now: &dyn Fn() -> SystemTime,
    ) -> AuthDecision {
        let Some(scheme) = self.next().cloned() else { return self.decide(head) };
        let outcome = |route: RouteAuth| match route.verdict {
            SchemesOutcome::Open(undecided) => {
                let verdict = undecided.verified((&scheme, &outcome), (&*head).into(), now);
                RouteAuth::new(verdict, route.settings)
            }
            _ => route,
        };
        let others = self.others.into_iter().map(outcome).collect();
        Self { normal: self.normal.map(outcome), others }.decide(head)
    }

    /// Returns all readings. The normalised reading is the last.
    fn readings(&self) -> impl Iterator<Item = &RouteAuth> {
        self.others.iter().chain(&self.normal)
    }

    /// Decides by all readings. If one reading already refuses the request, the verifiers of the other readings are not
    /// called.
    fn decide(self, head: &mut Parts) -> AuthDecision {
        let is_refused = self.readings().any(RouteAuth::refuses);
        if !is_refused && self.next().is_some() {
            return AuthDecision::Ask(Box::new(self));
        }
        // If there is only one reading, its refusal already names all the challenges.
        let offered: Vec<Arc<RouteSettings>> = match is_refused && !self.others.is_empty() {
            true => {
                self.readings().map(|route| route.settings.clone()).filter(|settings| !settings.auth_observe).collect()
            }
            false => Vec::new(),
        };
        // A route that requires no credentials has no caller, even if another reading leads to a route that has a
        // caller.
        let is_anonymous = self.normal.as_ref().is_some_and(|it| matches!(it.verdict, SchemesOutcome::Anonymous));
        let is_let_in = self.normal.as_ref().is_none_or(|it| matches!(it.verdict, SchemesOutcome::In(_)));
        let (mut closed, mut observed, mut caller) = (None, None, None);
        for RouteAuth { verdict, settings } in self.others.into_iter().chain(self.normal) {
            match verdict {
                SchemesOutcome::Refused(refusal) => {
                    let place = if settings.auth_observe { &mut observed } else { &mut closed };
                    *place = Some(match place.take() {
                        None => refusal,
                        Some(first) => AuthRefusal::and(first, refusal),
                    });
                }
                // If the readings lead to different callers, the caller of the normalised reading is used, because that
                // reading decides everything else about the request as well.
                SchemesOutcome::In(passed) if !is_refused && !is_anonymous => {
                    caller = Some(passed.identity.clone());
                    passed.mark(head);
                }
                SchemesOutcome::In(_) | SchemesOutcome::Anonymous | SchemesOutcome::Open(_) => {}
            }
        }
        if closed.is_none() && !is_let_in {
            head.extensions.insert(NoCaller);
        }
        let refused = closed.as_ref().or(observed.as_ref());
        let caller = caller.or_else(|| refused.and_then(AuthRefusal::caller));
        let observed = observed.map(|refusal| refusal.fault());
        match closed {
            None => AuthDecision::Open(observed, caller),
            Some(refusal) => {
                let offer =
                    |refusal: AuthRefusal, settings: &Arc<RouteSettings>| refusal.with_offered_schemes(&settings.auth);
                AuthDecision::Closed(offered.iter().fold(refusal, offer).fault(), observed, caller)
            }
        }
    }
}

impl RouteAuth {
    fn new(verdict: SchemesOutcome, settings: Arc<RouteSettings>) -> Self {
        let verdict = match verdict {
            SchemesOutcome::Refused(refusal) if settings.auth_optional && refusal.is_for_missing_credentials() => {
                SchemesOutcome::Anonymous
            }
            decided => decided,
        };
        Self { verdict, settings }
    }

    /// Returns true if this reading refuses the request, rather than only logging a refusal.
    fn refuses(&self) -> bool {
        !self.settings.auth_observe && matches!(self.verdict, SchemesOutcome::Refused(_))
    }
}
