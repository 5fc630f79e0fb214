//! Who may pass (rule G2): the credentials that both spellings of a path ask for (G0), whatever the mode (M1).

use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;

use super::request::is_preflight;
use crate::fault::Fault;
use crate::guard::auth::{self, Failed, Refusal, Scheme, Verdict, Verified};
use crate::policy::{Matched, Policy, Preflight, Settings};

/// What becomes of a request. A fault beside it is one that `auth_observe` does not let refuse it.
pub(super) enum Door {
    Open(Option<Fault>),
    Closed(Fault, Option<Fault>),
    /// It depends on verifiers.
    Ask(Box<Locks>),
}

/// Those of the path as sent and of the path normalised: both must open.
#[derive(Debug)]
pub(super) struct Locks([Option<Lock>; 2]);

#[derive(Debug)]
struct Lock {
    verdict: Verdict,
    /// Those of its route.
    settings: Settings,
}

/// Asks all that needs no wait. Whom it lets in is told to the inner service by the head.
pub(super) fn ask(policy: &Policy, matched: &Matched, head: &mut Parts, now: &dyn Fn() -> SystemTime) -> Door {
    let lock = |settings: &Settings| {
        let schemes = policy.schemes(settings);
        if schemes.is_empty() || settings.preflight == Preflight::Pass && is_preflight(head) {
            return None;
        }
        let verdict = auth::at_once(schemes, &head.headers, now);
        Some(Lock { verdict, settings: *settings })
    };
    match (matched.sent.as_deref().and_then(lock), lock(&matched.normal)) {
        (None, None) => Door::Open(None),
        (sent, normal) => Locks([sent, normal]).decide(policy, head),
    }
}

impl Locks {
    /// The scheme whose verifier is to be asked next.
    pub(super) fn next(&self) -> Option<&Arc<Scheme>> {
        self.0.iter().flatten().find_map(|lock| match &lock.verdict {
            Verdict::Open(undecided) => undecided.next(),
            _ => None,
        })
    }

    /// Takes what that verifier said.
    pub(super) fn verified(self, outcome: Result<Verified, Failed>, policy: &Policy, head: &mut Parts) -> Door {
        let Some(scheme) = self.next().cloned() else { return self.decide(policy, head) };
        let told = |lock: Lock| match lock.verdict {
            Verdict::Open(undecided) => Lock { verdict: undecided.verified(&scheme, &outcome), ..lock },
            _ => lock,
        };
        Self(self.0.map(|lock| lock.map(told))).decide(policy, head)
    }

    /// A lock that is shut needs no verifier of the other one.
    fn decide(self, policy: &Policy, head: &mut Parts) -> Door {
        let shut = self.0.iter().flatten().any(Lock::is_shut);
        if !shut && self.next().is_some() {
            return Door::Ask(Box::new(self));
        }
        let settings = self.0.each_ref().map(|lock| lock.as_ref().map(|lock| lock.settings));
        let (mut closed, mut observed) = (None, None);
        for Lock { verdict, settings } in self.0.into_iter().flatten() {
            match verdict {
                Verdict::Refused(refusal) => {
                    let place = if settings.auth_observe { &mut observed } else { &mut closed };
                    *place = Some(match place.take() {
                        None => refusal,
                        Some(first) => Refusal::and(first, refusal),
                    });
                }
                // Where the two name two callers, the rest of the request follows the normalised path, and so does this.
                Verdict::In(passed) if !shut => passed.mark(head),
                Verdict::In(_) | Verdict::Open(_) => {}
            }
        }
        let observed = observed.map(|refusal| refusal.fault());
        match closed {
            None => Door::Open(observed),
            Some(refusal) => {
                let enforced = settings.iter().flatten().filter(|settings| !settings.auth_observe);
                let offer = |refusal: Refusal, settings| refusal.offering(policy.schemes(settings));
                Door::Closed(enforced.fold(refusal, offer).fault(), observed)
            }
        }
    }
}

impl Lock {
    /// Whether it refuses the request, and not only in the log.
    fn is_shut(&self) -> bool {
        !self.settings.auth_observe && matches!(self.verdict, Verdict::Refused(_))
    }
}
