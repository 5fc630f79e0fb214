//! Settings that require less of a request than those of a base, which they replace (`manual/policy.md`).

use std::collections::HashSet;

use super::report::Report;
use crate::loader::chain::{keys, value_of};
use crate::loader::sources::Override;
use crate::loader::witness::Witness;
use crate::policy::error::TablePath;

pub(super) fn lint(report: &mut Report<'_>, witnesses: &[Witness<'_>]) {
    for table in &report.loaded.sources.overrides {
        report_override(report, table);
    }
    let mut reported = HashSet::new();
    for witness in witnesses {
        let found = overrides_of(report, witness);
        let new: Vec<_> = found.into_iter().filter(|it| reported.insert((it.place.clone(), it.key.clone()))).collect();
        new.iter().for_each(|it| report_override(report, it));
    }
}

/// The keys that a route sets, although the next wider table, which is in a base, sets them as well.
fn overrides_of(report: &Report<'_>, Witness { place, chain, .. }: &Witness<'_>) -> Vec<Override> {
    let mut from_here = chain.tables.iter().skip_while(|(other, _)| other != place);
    let Some((TablePath::Route(..), own)) = from_here.next() else { return Vec::new() };
    let wider: Vec<_> = from_here.collect();
    let overridden = |key| {
        let (name, value) = value_of(own, key)?;
        let (at, base, (its, base_value)) =
            wider.iter().find_map(|(at, keys)| Some((at, *keys, value_of(keys, key)?)))?;
        if base_value == value || !report.loaded.sources.is_in_base((at, its), place) {
            return None;
        }
        let line = report.loaded.span_of(at, its).map(|at| format!("{}:{}", at.file, at.line))?;
        let base = (own.weakens(base, key)).then(|| (format!("{its} = {base_value}"), line))?;
        Some(Override { place: place.clone(), key: name.to_owned(), base })
    };
    keys().filter_map(overridden).collect()
}

fn report_override(report: &mut Report<'_>, Override { place, key, base: (base_value, line) }: &Override) {
    let wrong = format!("this requires less of requests than {base_value} of the base ({line})");
    let advice = "fine if the service needs it; otherwise remove it here, so that the base applies";
    report.warn("weakens-base", (place, key), wrong, advice);
}
