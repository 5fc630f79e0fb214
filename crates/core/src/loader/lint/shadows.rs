//! Settings of routes that never apply, because all requests of the route are in the scope of an included file that
//! sets the same keys.

use std::collections::HashSet;

use super::report::Report;
use crate::loader::chain::{keys, value_of};
use crate::loader::witness::Witness;
use crate::policy::error::TablePath;

pub(super) fn lint(report: &mut Report<'_>, witnesses: &[Witness<'_>]) {
    let mut reported = HashSet::new();
    for Witness { place, chain, .. } in witnesses {
        let TablePath::Route(part, _) = place else { continue };
        if chain.part == *part {
            continue;
        }
        let own = chain.tables.iter().find(|(other, _)| other == place).map(|(_, keys)| *keys);
        let set = |key| own.and_then(|own| value_of(own, key));
        for (key, (name, value)) in keys().filter_map(|key| Some((key, set(key)?))) {
            let decided = chain.resolved(key);
            let narrower = decided.place.filter(|by| by.part() != Some(*part) && decided.value != value);
            let Some(by) = narrower.filter(|_| reported.insert((place.clone(), key))) else { continue };
            let line = report.location(place, (&by, decided.key));
            let wrong = format!(
                "this never applies: {} = {} of an included file comes first ({line})",
                decided.key, decided.value
            );
            let advice = "set it in a route of that file, or remove it here";
            report.warn("shadowed-by-include", (place, name), wrong, advice);
        }
    }
}
