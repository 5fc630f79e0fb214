//! Authentication (rule G2): the credentials that every reading of a request requires (G0), whatever the mode (M1).

use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;

use crate::fault::Fault;
use crate::guard::auth::{self, AuthRefusal, Scheme, SchemesOutcome, Verified, VerifierFailure};
use crate::policy::{Matched, Policy, Preflight, Settings};

/// The decision about a request, and the fault that would have refused it without `auth_observe`.
pub(super) enum AuthDecision {
    Open(Option<Fault>),
    Closed(Fault, Option<Fault>),
    /// The decision depends on verifiers.
    Ask(Box<PendingAuth>),
}

/// The auth state of every reading: all must allow the request.
#[derive(Debug)]
pub(super) struct PendingAuth {
    normal: Option<RouteAuth>,
    /// Few requests have others: nothing is allocated for them.
    others: Vec<RouteAuth>,
}

#[derive(Debug)]
struct RouteAuth {
    verdict: SchemesOutcome,
    /// The settings of its route.
    settings: Settings,
}

/// Runs all checks that need no wait. The head carries an admitted caller's identity to the inner service.
pub(super) fn check_auth(
    policy: &Policy,
    matched: &Matched,
    (head, is_preflight): (&mut Parts, bool),
    now: &dyn Fn() -> SystemTime,
) -> AuthDecision {
    let auth_of = |settings: &Settings| {
        let schemes = policy.schemes(settings);
        if schemes.is_empty() || settings.preflight == Preflight::Pass && is_preflight {
            return None;
        }
        let verdict = auth::check_without_wait(schemes, &*head, now);
        Some(RouteAuth::new(verdict, *settings))
    };
    let others = matched.others.iter().filter_map(|reading| auth_of(&reading.settings)).collect();
    match (PendingAuth { normal: auth_of(&matched.normal), others }) {
        PendingAuth { normal: None, others } if others.is_empty() => AuthDecision::Open(None),
        pending => pending.decide(policy, head),
    }
}

impl PendingAuth {
    /// The scheme whose verifier runs next.
    pub(super) fn next(&self) -> Option<&Arc<Scheme>> {
        self.all().find_map(|route| match &route.verdict {
            SchemesOutcome::Open(undecided) => undecided.next(),
            _ => None,
        })
    }

    /// Takes that verifier's result, or checks again where keys were awaited.
    pub(super) fn verified(
        self,
        outcome: Result<Verified, VerifierFailure>,
        policy: &Policy,
        head: &mut Parts,
        now: &dyn Fn() -> SystemTime,
    ) -> AuthDecision {
        let Some(scheme) = self.next().cloned() else { return self.decide(policy, head) };
        let outcome = |route: RouteAuth| match route.verdict {
            SchemesOutcome::Open(undecided) => {
                let verdict = undecided.verified((&scheme, &outcome), (&*head).into(), now);
                RouteAuth::new(verdict, route.settings)
            }
            _ => route,
        };
        let others = self.others.into_iter().map(outcome).collect();
        Self { normal: self.normal.map(outcome), others }.decide(policy, head)
    }

    /// All readings, the normalised one last.
    fn all(&self) -> impl Iterator<Item = &RouteAuth> {
        self.others.iter().chain(&self.normal)
    }

    /// Where one reading already refuses, no verifier of another one is called.
    fn decide(self, policy: &Policy, head: &mut Parts) -> AuthDecision {
        let shut = self.all().any(RouteAuth::is_shut);
        if !shut && self.next().is_some() {
            return AuthDecision::Ask(Box::new(self));
        }
        // If there is only one reading, its refusal already has all challenges.
        let offered: Vec<Settings> = match shut && !self.others.is_empty() {
            true => self.all().map(|route| route.settings).filter(|settings| !settings.auth_observe).collect(),
            false => Vec::new(),
        };
        // A route without credentials has no caller, even if another reading of the path leads to a route with one.
        let is_anonymous = self.normal.as_ref().is_some_and(|it| matches!(it.verdict, SchemesOutcome::Anonymous));
        let (mut closed, mut observed) = (None, None);
        for RouteAuth { verdict, settings } in self.others.into_iter().chain(self.normal) {
            match verdict {
                SchemesOutcome::Refused(refusal) => {
                    let place = if settings.auth_observe { &mut observed } else { &mut closed };
                    *place = Some(match place.take() {
                        None => refusal,
                        Some(first) => AuthRefusal::and(first, refusal),
                    });
                }
                // If the readings name different callers, that of the normalised reading counts, as it does for the rest of
                // the request.
                SchemesOutcome::In(passed) if !shut && !is_anonymous => passed.mark(head),
                SchemesOutcome::In(_) | SchemesOutcome::Anonymous | SchemesOutcome::Open(_) => {}
            }
        }
        let observed = observed.map(|refusal| refusal.fault());
        match closed {
            None => AuthDecision::Open(observed),
            Some(refusal) => {
                let offer = |refusal: AuthRefusal, settings| refusal.offering(policy.schemes(settings));
                AuthDecision::Closed(offered.iter().fold(refusal, offer).fault(), observed)
            }
        }
    }
}

impl RouteAuth {
    fn new(verdict: SchemesOutcome, settings: Settings) -> Self {
        let verdict = match verdict {
            SchemesOutcome::Refused(refusal) if settings.auth_optional && refusal.is_for_missing_credentials() => {
                SchemesOutcome::Anonymous
            }
            decided => decided,
        };
        Self { verdict, settings }
    }

    /// Whether it refuses the request, and not only in the log.
    fn is_shut(&self) -> bool {
        !self.settings.auth_observe && matches!(self.verdict, SchemesOutcome::Refused(_))
    }
}
