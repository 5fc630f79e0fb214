//! `/readiness.json`: the counts of each route under the active policy, and whether the route is ready for its next
//! mode.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use error_envelope_core::policy::Mode;
use error_envelope_core::session::Outcome;
use error_envelope_runtime::PolicyStatus;
use serde_json::{Value, json};

use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
use crate::error_store::error_record::{rfc3339, time};
use crate::error_store::place::Place;
use crate::error_store::requests::Tally;

/// The outcomes of requests whose client got an error.
const ERRORS: [Outcome; 3] = [Outcome::ClientError, Outcome::ServerError, Outcome::Broken];

/// The counts of a place, and its mode in the policy.
#[derive(Default)]
struct Known {
    /// The mode in the active policy, or `None` if the active policy no longer contains the place.
    mode: Option<Mode>,
    tally: Tally,
    service: Option<String>,
}

pub(crate) fn show(request: &AdminRequest<'_>) -> Answer {
    let shared = &request.admin.shared;
    let status = shared.policy_status();
    let mut places: BTreeMap<Place, Known> = BTreeMap::new();
    for route in status.iter().flat_map(|status| status.policy.routes()) {
        let place = Place { route: Some(route.pattern().into()), scope: route.scope().map(Arc::from) };
        // If several routes have the same pattern and scope, the mode of the first route applies.
        places.entry(place).or_default().mode.get_or_insert(route.mode());
    }
    let outside: BTreeMap<Place, Mode> =
        places.iter().filter_map(|(place, it)| Some((place.clone(), it.mode?))).collect();
    let mut met_in_scopes = BTreeSet::new();
    let requests = shared.store.requests();
    for (place, row) in requests.places().filter(|(_, row)| !row.tallies.is_empty()) {
        let known = places.entry(place.clone()).or_default();
        let of_scope = || status.as_ref().and_then(|status| mode_of(status, place.scope.as_deref()));
        let wide = Place { scope: None, ..place.clone() };
        // A place without a route contains the requests of a scope, or of the policy, that match no route.
        if place.route.is_none() {
            known.mode = of_scope();
        } else if let (None, Some(mode)) = (known.mode, outside.get(&wide)) {
            // A route outside of the scopes also applies to the requests of scopes.
            let modes = [Some(*mode), of_scope()];
            known.mode = modes.into_iter().flatten().find(|mode| row.tally(Some(*mode)).is_some()).or(Some(*mode));
            met_in_scopes.insert(wide);
        }
        // A request that began in another mode, before the last reload, does not show what the next mode would do.
        known.tally = row.tally(known.mode).cloned().unwrap_or_default();
        known.service = row.service.as_ref().map(ToString::to_string);
    }
    let are_incomplete = requests.are_incomplete;
    drop(requests);
    places.retain(|place, known| known.tally.requests() > 0 || !met_in_scopes.contains(place));
    let mut places: Vec<_> = places.into_iter().collect();
    places.sort_by_key(|(_, known)| Reverse(known.tally.count_of(&ERRORS)));
    let routes: Vec<_> = places.iter().map(|(place, known)| describe(place, known, are_incomplete)).collect();
    // The counts of a policy begin when it becomes active. If another policy was active for a while in between, the
    // earlier counts continue.
    let counted = rfc3339(shared.store.counts_since.load(Ordering::Relaxed));
    let applied = status.as_ref().map(|status| time(status.since).max(rfc3339(shared.store.since)));
    let since = applied.map_or_else(|| counted.clone(), |applied| applied.min(counted.clone()));
    answer::json(&json!({"since": since, "kill_switch": shared.store.switch.is_on(), "routes": routes}))
}

/// Returns the mode for requests of the scope that match no route. Returns `None` if the policy does not contain the
/// scope.
fn mode_of(status: &PolicyStatus, scope: Option<&str>) -> Option<Mode> {
    let policy = &status.policy;
    match scope {
        Some(scope) => policy.scope_modes().find(|(known, _)| *known == scope).map(|(_, mode)| mode),
        None => Some(policy.summary().mode()),
    }
}

fn describe(place: &Place, Known { mode, tally, service }: &Known, are_incomplete: bool) -> Value {
    let is_known = !are_incomplete || tally.requests() > 0;
    let in_policy = mode.is_some();
    let mode = mode.unwrap_or(tally.mode);
    // In these modes, the layer does not read errors that pass unchanged, so it cannot count them.
    let reads = !matches!(mode, Mode::Off | Mode::Own | Mode::Fill);
    let counted = |count: u64| is_known.then_some(count);
    let read = |count| counted(count).filter(|_| reads);
    json!({
        "route": place.route.as_deref(),
        "scope": place.scope.as_deref(),
        "service": service,
        "mode": mode.as_str(),
        "in_policy": in_policy,
        "next": next(mode).map(Mode::as_str),
        "verdict": if is_known { verdict(mode, tally) } else { "unknown" },
        "requests": counted(tally.requests()),
        "errors": counted(tally.count_of(&ERRORS)),
        "without_code": read(tally.without_code),
        "own_would_refuse": counted(tally.own_would_refuse),
        "auth_would_refuse": counted(tally.auth_would_refuse),
        "fill_would_rewrite": read(tally.would_fill),
        "enforce_would_rewrite": read(tally.would_rewrite),
        "client_left": counted(tally.count_of(&[Outcome::ClientLeft])),
        "last": (tally.last > 0).then(|| rfc3339(tally.last)),
    })
}

/// Returns the verdict on a route. It does not depend on the codes of errors, because an error whose code follows only
/// from its status is still a valid envelope.
///
/// 1. `ready`: the next mode would refuse no request that passes now.
/// 2. `not_ready`: the next mode would refuse requests that pass now. In mode `enforce`, this verdict means that the
///    route would refuse requests without its `auth_observe`.
/// 3. `unseen`: the route had no requests, or its mode is `off`: then the layer does not examine requests.
/// 4. `done`: the route is in mode `enforce`, and none of its guards only observes requests that it would refuse.
///    Nothing is left to do.
///
/// If too many places had requests to count all of them, a place without counts has the verdict `unknown` instead.
pub(crate) fn verdict(mode: Mode, tally: &Tally) -> &'static str {
    match mode {
        Mode::Enforce if tally.auth_would_refuse == 0 => "done",
        Mode::Enforce => "not_ready",
        Mode::Off => "unseen",
        _ if tally.own_would_refuse > 0 => "not_ready",
        _ if tally.requests() == 0 => "unseen",
        _ => "ready",
    }
}

/// Returns the next mode, in the order in which an operator enables the modes.
pub(crate) fn next(mode: Mode) -> Option<Mode> {
    match mode {
        Mode::Off => Some(Mode::Observe),
        Mode::Observe => Some(Mode::Own),
        Mode::Own => Some(Mode::Fill),
        Mode::Fill => Some(Mode::Enforce),
        // `Enforce` is the last mode. A mode that the core adds later is not in this order yet.
        _ => None,
    }
}

#[cfg(test)]
mod tests;
