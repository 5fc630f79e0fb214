//! Who may pass (rule G2): the credentials that both spellings of a path ask for (G0), whatever the mode (M1).

use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;

use super::request::is_preflight;
use crate::fault::Fault;
use crate::guard::auth::{self, Failed, Scheme, Verdict, Verified};
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
    observed: bool,
}

/// Asks all that needs no wait. Whom it lets in is told to the inner service by the head.
pub(super) fn ask(policy: &Policy, matched: &Matched, head: &mut Parts, now: &dyn Fn() -> SystemTime) -> Door {
    let lock = |settings: &Settings| {
        let schemes = policy.schemes(settings);
        if schemes.is_empty() || settings.preflight == Preflight::Pass && is_preflight(head) {
            return None;
        }
        let verdict = auth::at_once(schemes, &head.headers, now);
        Some(Lock { verdict, observed: settings.auth_observe })
    };
    match (matched.sent.as_deref().and_then(lock), lock(&matched.normal)) {
        (None, None) => Door::Open(None),
        (sent, normal) => Locks([sent, normal]).decide(head),
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
    pub(super) fn verified(self, outcome: Result<Verified, Failed>, head: &mut Parts) -> Door {
        let Some(scheme) = self.next().cloned() else { return self.decide(head) };
        let told = |lock: Lock| match lock.verdict {
            Verdict::Open(undecided) => Lock { verdict: undecided.verified(&scheme, &outcome), ..lock },
            _ => lock,
        };
        Self(self.0.map(|lock| lock.map(told))).decide(head)
    }

    /// A lock that is shut needs no verifier of the other one.
    fn decide(self, head: &mut Parts) -> Door {
        let closed = self.refusal(false);
        if closed.is_none() && self.next().is_some() {
            return Door::Ask(Box::new(self));
        }
        let observed = self.refusal(true);
        if let Some(fault) = closed {
            return Door::Closed(fault, observed);
        }
        // Where the two name two callers, the rest of the request follows the normalised path, and so does this.
        for lock in self.0.into_iter().flatten() {
            if let Verdict::In(passed) = lock.verdict {
                passed.mark(head);
            }
        }
        Door::Open(observed)
    }

    fn refusal(&self, observed: bool) -> Option<Fault> {
        self.0.iter().flatten().filter(|lock| lock.observed == observed).find_map(|lock| match &lock.verdict {
            Verdict::Refused(fault) => Some(fault.clone()),
            _ => None,
        })
    }
}
