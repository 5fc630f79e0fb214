//! Who may pass (rule G2): the credentials that every reading of a request asks for (G0), whatever the mode (M1).

use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;

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

/// Those of every reading: all must open.
#[derive(Debug)]
pub(super) struct Locks {
    normal: Option<Lock>,
    /// Few requests have others: nothing is allocated for them.
    others: Vec<Lock>,
}

#[derive(Debug)]
struct Lock {
    verdict: Verdict,
    /// Those of its route.
    settings: Settings,
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
        Some(Lock { verdict, settings: *settings })
    };
    let others = matched.others.iter().filter_map(|reading| lock(&reading.settings)).collect();
    match (Locks { normal: lock(&matched.normal), others }) {
        Locks { normal: None, others } if others.is_empty() => Door::Open(None),
        locks => locks.decide(policy, head),
    }
}

impl Locks {
    /// The scheme whose verifier is to be asked next.
    pub(super) fn next(&self) -> Option<&Arc<Scheme>> {
        self.all().find_map(|lock| match &lock.verdict {
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
        let others = self.others.into_iter().map(told).collect();
        Self { normal: self.normal.map(told), others }.decide(policy, head)
    }

    /// The normalised reading's last.
    fn all(&self) -> impl Iterator<Item = &Lock> {
        self.others.iter().chain(&self.normal)
    }

    /// A lock that is shut needs no verifier of the other one.
    fn decide(self, policy: &Policy, head: &mut Parts) -> Door {
        let shut = self.all().any(Lock::is_shut);
        if !shut && self.next().is_some() {
            return Door::Ask(Box::new(self));
        }
        // One lock offers nothing that its refusal does not.
        let offered: Vec<Settings> = match shut && !self.others.is_empty() {
            true => self.all().map(|lock| lock.settings).filter(|settings| !settings.auth_observe).collect(),
            false => Vec::new(),
        };
        let (mut closed, mut observed) = (None, None);
        for Lock { verdict, settings } in self.others.into_iter().chain(self.normal) {
            match verdict {
                Verdict::Refused(refusal) => {
                    let place = if settings.auth_observe { &mut observed } else { &mut closed };
                    *place = Some(match place.take() {
                        None => refusal,
                        Some(first) => Refusal::and(first, refusal),
                    });
                }
                // Where they name several callers, the rest of the request follows the normalised reading, and so does this.
                Verdict::In(passed) if !shut => passed.mark(head),
                Verdict::In(_) | Verdict::Open(_) => {}
            }
        }
        let observed = observed.map(|refusal| refusal.fault());
        match closed {
            None => Door::Open(observed),
            Some(refusal) => {
                let offer = |refusal: Refusal, settings| refusal.offering(policy.schemes(settings));
                Door::Closed(offered.iter().fold(refusal, offer).fault(), observed)
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
