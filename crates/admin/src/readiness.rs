//! `/readiness.json`: what was counted of each route since the last policy, and whether it is ready for its next mode.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use error_envelope_core::policy::Mode;
use error_envelope_runtime::PolicyStatus;
use serde_json::{Value, json};

use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
use crate::error_store::error_record::{rfc3339, time};
use crate::error_store::recent_errors::Tally;
use crate::error_store::timeline::Place;

/// What is known of a place.
#[derive(Default)]
struct Known {
    /// The mode in the policy; `None` if the policy does not have the place any more.
    mode: Option<Mode>,
    tally: Tally,
    requests: u64,
}

pub(crate) fn show(request: &AdminRequest<'_>) -> Answer {
    let (admin, shared) = (request.admin, &request.admin.shared);
    let status = shared.policy_status();
    admin.look_at_counters();
    let (requests, recent) = (shared.store.requests().since_policy(), shared.store.recent());
    let mut places: BTreeMap<Place, Known> = BTreeMap::new();
    for route in status.iter().flat_map(|status| status.policy().routes()) {
        // Of two routes with the same pattern, the first matches.
        let place = Place { route: Some(route.pattern().into()), scope: route.scope().map(Arc::from) };
        places.entry(place).or_default().mode.get_or_insert(route.mode());
    }
    for (place, tally) in recent.tallies() {
        let known = places.entry(place.clone()).or_default();
        known.tally = tally.clone();
        // A place without a route is a scope as a whole, or the policy.
        if place.route.is_none() {
            known.mode = Some(tally.mode);
        }
    }
    for (place, count) in requests.iter().flatten().filter(|(_, count)| **count > 0) {
        places.entry(place.clone()).or_default().requests = *count;
    }
    for (scope, mode) in status.iter().flat_map(modes_elsewhere) {
        if let Some(elsewhere) = places.get_mut(&Place { route: None, scope: scope.map(Arc::from) }) {
            elsewhere.mode = Some(mode);
        }
    }
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, known)| Reverse(known.tally.errors));
    let counts_requests = requests.is_some();
    let describe = |(place, known): &(Place, Known)| {
        let service = recent.services.get(place).map(ToString::to_string);
        describe(place, service, known, counts_requests)
    };
    let routes: Vec<_> = places.iter().map(describe).collect();
    // The first request under a policy begins its counts. One that an edit replaced for a while goes on with its own.
    let counted = rfc3339(shared.store.counts_since.load(Ordering::Relaxed));
    let applied = status.as_ref().map(|status| time(status.since()).max(rfc3339(shared.store.since)));
    let since = applied.map_or_else(|| counted.clone(), |applied| applied.min(counted.clone()));
    answer::json(&json!({"since": since, "kill_switch": shared.switch.is_on(), "routes": routes}))
}

/// The modes of the requests that no route matches: of the policy, and of each scope.
fn modes_elsewhere(status: &PolicyStatus) -> impl Iterator<Item = (Option<&str>, Mode)> {
    let scopes = status.policy().scope_modes().map(|(scope, mode)| (Some(scope), mode));
    std::iter::once((None, status.policy().summary().mode())).chain(scopes)
}

fn describe(place: &Place, service: Option<String>, known: &Known, counts_requests: bool) -> Value {
    let Known { mode, tally, requests } = known;
    let mode = mode.unwrap_or(tally.mode);
    let requests = counts_requests.then_some(*requests);
    // These modes do not read the errors that pass.
    let reads = !matches!(mode, Mode::Off | Mode::Own | Mode::Fill);
    json!({
        "route": place.route.as_deref(),
        "scope": place.scope.as_deref(),
        "service": service,
        "mode": mode.as_str(),
        "in_policy": known.mode.is_some(),
        "next": next(mode).map(Mode::as_str),
        "verdict": Verdict::new(mode, tally, requests).as_str(),
        "requests": requests,
        "errors": tally.errors,
        "without_code": reads.then_some(tally.without_code),
        "own_would_refuse": tally.would_refuse,
        "fill_would_rewrite": reads.then_some(tally.would_fill),
        "enforce_would_rewrite": reads.then_some(tally.would_rewrite),
        "abandoned": tally.abandoned,
        "last": (tally.last > 0).then(|| rfc3339(tally.last)),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ready,
    /// The next mode would refuse requests that pass now.
    NotReady,
    /// There were no requests, or none is examined in mode `off`.
    Unseen,
    /// The route is in `enforce`: nothing is left to do.
    Done,
}

impl Verdict {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::NotReady => "not_ready",
            Self::Unseen => "unseen",
            Self::Done => "done",
        }
    }

    /// `requests` is `None` if this process does not count requests. Codes do not matter: an error whose code is only
    /// its status's is a good envelope.
    pub(crate) fn new(mode: Mode, tally: &Tally, requests: Option<u64>) -> Self {
        match mode {
            Mode::Enforce => Self::Done,
            Mode::Off => Self::Unseen,
            _ if tally.would_refuse > 0 => Self::NotReady,
            _ if requests.unwrap_or(tally.errors) == 0 => Self::Unseen,
            _ => Self::Ready,
        }
    }
}

/// The mode after this one, in the order in which an operator turns them on.
pub(crate) fn next(mode: Mode) -> Option<Mode> {
    match mode {
        Mode::Off => Some(Mode::Observe),
        Mode::Observe => Some(Mode::Own),
        Mode::Own => Some(Mode::Fill),
        Mode::Fill => Some(Mode::Enforce),
        // `Enforce` is the last mode; one that the core adds later is not in this order yet.
        _ => None,
    }
}

#[cfg(test)]
mod tests;
