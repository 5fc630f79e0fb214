//! Who may pass (rule G2): the credentials that every reading of a request asks for (G0), whatever the mode (M1).

use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;

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

/// Those of every reading, the normalised one's last: all must open.
#[derive(Debug)]
pub(super) struct Locks(Vec<Lock>);

#[derive(Debug)]
struct Lock {
    verdict: Verdict,
    observed: bool,
}

/// Asks all that needs no wait. Whom it lets in is told to the inner service by the head.
pub(super) fn ask(
    policy: &Policy,
    matched: &Matched,
    (head, is_preflight): (&mut Parts, bool),
    now: &dyn Fn() -> SystemTime,
) -> Door {
    let lock = |settings: &Settings| {
        let schemes = policy.schemes(settings);
        if schemes.is_empty() || settings.preflight == Preflight::Pass && is_preflight {
            return None;
        }
        let verdict = auth::at_once(schemes, &head.headers, now);
        Some(Lock { verdict, observed: settings.auth_observe })
    };
    let locks: Vec<Lock> = matched.guards().filter_map(lock).collect();
    if locks.is_empty() { Door::Open(None) } else { Locks(locks).decide(head) }
}

impl Locks {
    /// The scheme whose verifier is to be asked next.
    pub(super) fn next(&self) -> Option<&Arc<Scheme>> {
        self.0.iter().find_map(|lock| match &lock.verdict {
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
        Self(self.0.into_iter().map(told).collect()).decide(head)
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
        // Where they name several callers, the rest of the request follows the normalised reading, and so does this.
        for lock in self.0 {
            if let Verdict::In(passed) = lock.verdict {
                passed.mark(head);
            }
        }
        Door::Open(observed)
    }

    fn refusal(&self, observed: bool) -> Option<Fault> {
        self.0.iter().filter(|lock| lock.observed == observed).find_map(|lock| match &lock.verdict {
            Verdict::Refused(fault) => Some(fault.clone()),
            _ => None,
        })
    }
}
