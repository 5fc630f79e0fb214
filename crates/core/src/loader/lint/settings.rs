//! Settings that an operator should check, in whichever table they are set: those that open a door, that require less than a
//! base (`manual/policy.md`), or that never apply because an included file sets the same keys.

use std::collections::HashSet;

use super::report::Report;
use crate::loader::chain::{ResolvedSetting, SettingChain, keys, value_of};
use crate::loader::sources::Override;
use crate::loader::witness::Witness;
use crate::policy::keys::RouteTable;
use crate::table::TablePath;

pub(super) fn lint_routes(report: &mut Report<'_>, witnesses: &[Witness<'_>]) {
    // One lint for each table that causes it, even if many routes inherit the setting.
    let mut reported = HashSet::new();
    for witness in witnesses {
        mode_opens_no_door(report, witness, &mut reported);
        open_under_closed(report, witness, &mut reported);
    }
    report.for_each_settings(auth_observe);
}

type Describe = HashSet<(&'static str, TablePath, Option<TablePath>)>;

/// Reports modes that look as if they opened a route, because no mode affects credentials (M1, G2).
fn mode_opens_no_door(report: &mut Report<'_>, Witness { chain, settings, .. }: &Witness<'_>, reported: &mut Describe) {
    const NAME: &str = "mode-opens-no-door";
    let (mode, auth) = (chain.resolved("mode"), chain.resolved("auth"));
    let watches = matches!(mode.value.as_str(), "\"off\"" | "\"observe\"");
    if !watches || settings.auth.is_none() || settings.auth_observe || settings.auth_optional {
        return;
    }
    let Some((nearer, other)) = nearer_first(chain, &mode, &auth) else { return };
    if reported.insert((NAME, nearer.place.clone(), other.map(|(place, _)| place.clone()))) {
        let location = nearer.with_location(report, other);
        let wrong = format!(
            "mode = {} does not switch off auth: requests without credentials are still refused{location}",
            mode.value
        );
        let advice = "set auth_observe = true to accept all requests and log the failures, or auth = [] to require no credentials";
        report.warn(NAME, (&nearer.place, nearer.key), wrong, advice);
    }
}

fn open_under_closed(report: &mut Report<'_>, Witness { place, chain, .. }: &Witness<'_>, reported: &mut Describe) {
    const NAME: &str = "open-under-closed";
    let mut from_here = chain.tables.iter().skip_while(|(other, _)| other != place);
    if !from_here.next().is_some_and(|(_, keys)| keys.auth.as_ref().is_some_and(Vec::is_empty)) {
        return;
    }
    let wider = from_here.find_map(|(place, keys)| Some((place, keys.auth.as_ref()?)));
    let Some((wider, names)) = wider.filter(|(_, names)| !names.is_empty()) else { return };
    // `auth` in a base is reported with the other keys of that base.
    if report.loaded.sources.is_in_base((wider, "auth"), place) {
        return;
    }
    if reported.insert((NAME, place.clone(), None)) {
        let line = report.location(place, (wider, "auth"));
        let what = if matches!(place, TablePath::Route(..)) { "route" } else { "scope" };
        let wrong = format!("the {what} requires no credentials, but a wider setting is auth = {names:?} ({line})");
        report.note(NAME, (place, "auth"), wrong, "fine for a health check or a login; otherwise remove auth here");
    }
}

fn auth_observe(report: &mut Report<'_>, place: &TablePath, keys: &RouteTable) {
    if keys.auth_observe == Some(true) {
        let wrong = "credentials are checked and logged, but no request is refused".to_owned();
        let advice = "remove it once the log shows no failure of a valid client";
        report.warn("auth-observe", (place, "auth_observe"), wrong, advice);
    }
}

/// A key, and the table that sets it.
struct KeySetting {
    place: TablePath,
    key: &'static str,
}

/// Of two keys, first the one that the table nearer to the request sets; then the other, if a table sets it at all.
fn nearer_first<'d>(
    chain: &SettingChain<'_>,
    one: &'d ResolvedSetting,
    other: &'d ResolvedSetting,
) -> Option<(KeySetting, Option<(&'d TablePath, &'static str)>)> {
    let distance = |key: &ResolvedSetting| key.place.as_ref().and_then(|place| chain.distance(place));
    let (near, far) = match (distance(one), distance(other)) {
        (Some(one_is), Some(other_is)) if other_is < one_is => (other, one),
        (None, _) => (other, one),
        _ => (one, other),
    };
    let near_setting = KeySetting { place: near.place.clone()?, key: near.key };
    Some((near_setting, far.place.as_ref().map(|place| (place, far.key))))
}

impl KeySetting {
    fn with_location(&self, report: &Report<'_>, other: Option<(&TablePath, &'static str)>) -> String {
        let elsewhere = other.filter(|(place, _)| **place != self.place);
        elsewhere.map_or_else(String::new, |(place, key)| {
            format!(" ({key}: {})", report.location(&self.place, (place, key)))
        })
    }
}

pub(super) fn lint_overrides(report: &mut Report<'_>, witnesses: &[Witness<'_>]) {
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

pub(super) fn lint_shadows(report: &mut Report<'_>, witnesses: &[Witness<'_>]) {
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
