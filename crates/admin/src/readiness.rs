//! `/readiness.json`: what was counted of each route, and whether it is ready for its next mode.

use std::cmp::Reverse;
use std::collections::HashMap;

use error_envelope_core::policy::Mode;
use serde_json::{Value, json};

use crate::admin_request::AdminRequest;
use crate::answer::{self, Answer};
use crate::error_store::clock::rfc3339;
use crate::error_store::readiness::{Verdict, next};
use crate::error_store::ring::day;
use crate::error_store::store;
use crate::error_store::tally::Tally;

pub(crate) fn show(request: &AdminRequest<'_>) -> Answer {
    let shared = &request.admin.shared;
    let (status, today) = (shared.policy_status(), day(store::now()));
    let mut modes: HashMap<&str, Mode> = HashMap::new();
    for route in status.iter().flat_map(|it| it.policy().routes()) {
        // Of two routes with the same pattern, the first matches.
        modes.entry(route.pattern()).or_insert(route.mode());
    }
    let recent = shared.store.recent();
    let mut routes: Vec<_> = recent
        .tallies()
        .map(|(route, tally)| {
            let route = route.map(|route| &**route);
            let mode = match route {
                Some(route) => modes.remove(route),
                None => status.as_ref().map(|it| it.policy().summary().mode()),
            };
            (Reverse(tally.errors.sum(today)), route, mode.unwrap_or(tally.mode), mode.is_some(), tally.clone())
        })
        .collect();
    routes.extend(modes.into_iter().map(|(route, mode)| (Reverse(0), Some(route), mode, true, Tally::new(mode))));
    routes.sort_by_key(|(errors, route, ..)| (*errors, *route));
    let routes: Vec<_> =
        routes.iter().map(|(_, route, mode, known, tally)| describe(*route, *mode, *known, tally, today)).collect();
    answer::json(&json!({"since": rfc3339(shared.store.since), "days": 7, "routes": routes}))
}

fn describe(route: Option<&str>, mode: Mode, in_policy: bool, tally: &Tally, today: u32) -> Value {
    let time = |at: u64| (at > 0).then(|| rfc3339(at));
    json!({
        "route": route,
        "mode": mode.as_str(),
        "in_policy": in_policy,
        "next": next(mode).map(Mode::as_str),
        "verdict": Verdict::new(mode, tally, today).as_str(),
        "errors": tally.errors.sum(today),
        "inner": tally.inner.sum(today),
        "without_code": tally.without_code.sum(today),
        "status_suffices": tally.by_status.sum(today),
        "would_refuse": tally.would_refuse.sum(today),
        "abandoned": tally.abandoned.sum(today),
        "last": time(tally.last),
        "last_without_code": time(tally.last_without_code),
        "last_would_refuse": time(tally.last_would_refuse),
    })
}
