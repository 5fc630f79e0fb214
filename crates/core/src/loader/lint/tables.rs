//! Tables that an operator should check: settings that open a door, that require less than a base
//! (`manual/policy.md`), or that never apply because an included file sets the same keys; and tables that have no effect:
//! rules (R1) and shapes (R15) that never match, schemes and headers that nothing requires.

use std::collections::HashSet;
use std::sync::Arc;

use super::report::{Report, Witness};
use crate::dialect::Dialect;
use crate::guard::pattern::Pattern;
use crate::loader::file::PolicyFile;
use crate::loader::keys::{ResolvedSetting, SettingChain};
use crate::loader::sources::Override;
use crate::policy::keys::RouteTable;
use crate::policy::{Mode, RouteSettings};
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
        let (name, value) = own.value_of(key)?;
        let (at, base, (its, base_value)) =
            wider.iter().find_map(|(at, keys)| Some((at, *keys, keys.value_of(key)?)))?;
        if base_value == value || !report.loaded.sources.is_in_base((at, its), place) {
            return None;
        }
        let line = report.loaded.span_of(at, its).map(|at| format!("{}:{}", at.file, at.line))?;
        let base = (own.weakens(base, key)).then(|| (format!("{its} = {base_value}"), line))?;
        Some(Override { place: place.clone(), key: name.to_owned(), base })
    };
    RouteTable::settings().filter_map(overridden).collect()
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
        let set = |key| own.and_then(|own| own.value_of(key));
        for (key, (name, value)) in RouteTable::settings().filter_map(|key| Some((key, set(key)?))) {
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

pub(super) fn lint_rules(report: &mut Report<'_>) {
    for part in 0..=report.loaded.builder.scopes.len() {
        never_fits(report, part);
        never_reached(report, part);
    }
}

const NEVER_FITS: &str = "map-never-fits";

/// Reports a rule that never matches: an earlier rule of the same list matches every error that it does, or it requires
/// a message that cannot occur.
fn never_fits(report: &mut Report<'_>, part: usize) {
    let own = report.loaded.policy.parts[part].own_rules();
    for (index, rule) in own.iter().enumerate() {
        let place = TablePath::Map(part, index);
        if rule.requires_outer_spaces() {
            let wrong = "no error matches: messages are compared without surrounding white space".to_owned();
            report.warn(NEVER_FITS, (&place, "message"), wrong, "remove the white space around the message");
        } else if let Some(first) = own[..index].iter().position(|earlier| earlier.covers(rule)) {
            let line = report.location(&place, (&TablePath::Map(part, first), ""));
            let wrong = format!("no error reaches the rule: an earlier rule matches all of them ({line})");
            report.warn(NEVER_FITS, (&place, ""), wrong, "put the narrower rule first, or remove this one");
        }
    }
}

/// Reports a rule whose errors pass unchanged, because of the mode of the route to which it is restricted (M1).
fn never_reached(report: &mut Report<'_>, part: usize) {
    for (index, rule) in report.loaded.policy.parts[part].own_rules().iter().enumerate() {
        let place = TablePath::Map(part, index);
        if let Some(mode) = rule.route().and_then(|route| passing_mode(report.loaded, part, route)) {
            let wrong =
                format!("no error reaches the rule: errors pass through on its route, by mode = {:?}", mode.as_str());
            report.warn(NEVER_FITS, (&place, "route"), wrong, "remove it, or give the route another mode");
        }
    }
}

/// The mode in which errors pass unchanged, if all requests that the pattern matches have such a mode.
fn passing_mode(loaded: &PolicyFile, part: usize, route: &Pattern) -> Option<Mode> {
    let settings = loaded.settings_of_each(part, route)?;
    let passes = |it: &Arc<RouteSettings>| matches!(it.mode, Mode::Off | Mode::Own) && it.dialect == Dialect::default();
    if settings.iter().all(passes) { settings.first().map(|it| it.mode) } else { None }
}

pub(super) fn lint_shapes(report: &mut Report<'_>) {
    let loaded = report.loaded;
    for (part, own) in loaded.policy.parts.iter().zip(loaded.builder.parts()) {
        // Only the shapes of the part itself: those of the parts around it come after them, and are checked with those
        // parts.
        for (at, shape) in part.shapes.iter().take(own.shapes.len()).enumerate() {
            let place = TablePath::Shape(shape.as_str().to_owned());
            if let Some(earlier) =
                part.shapes[..at].iter().find(|it| it.description().conditions.cover(&shape.description().conditions))
            {
                let wrong =
                    format!("every body of this shape is read as {:?}, which is tried before it", earlier.as_str());
                let advice = "put this shape before that one, or add a condition to that one's `when`";
                report.warn("shape-never-read", (&place, "when"), wrong, advice);
            }
        }
    }
}

pub(super) fn lint_names(report: &mut Report<'_>) {
    let loaded = report.loaded;
    let names_in = |names: fn(&RouteTable) -> Option<&Vec<String>>| -> HashSet<&str> {
        let parts = loaded.builder.parts();
        let tables = parts.flat_map(|part| std::iter::once(&part.keys).chain(part.routes.iter().map(|it| &it.keys)));
        tables.filter_map(names).flatten().map(String::as_str).collect()
    };
    let headers = names_in(|keys| keys.require_headers.as_ref());
    for (name, _) in loaded.builder.headers.iter().filter(|(name, _)| !headers.contains(name.as_str())) {
        let wrong = "no route requires the header".to_owned();
        report.warn(
            "unused-header",
            (&TablePath::Header(name.clone()), ""),
            wrong,
            "add it to require_headers, or remove the table",
        );
    }
    let schemes = names_in(|keys| keys.auth.as_ref());
    for (name, scheme) in &loaded.builder.schemes {
        let place = TablePath::Auth(name.clone());
        if !schemes.contains(name.as_str()) {
            let wrong = "no route uses the auth scheme".to_owned();
            report.warn("unused-auth", (&place, ""), wrong, "add it to auth, or remove the table");
        }
        if scheme.is_jwt_without_audience() {
            let wrong = "no audience is set: tokens with an audience are refused, and tokens without one are accepted for any service";
            let advice = "set audience to the value in the tokens";
            report.warn("jwt-without-audience", (&place, ""), wrong.to_owned(), advice);
        }
    }
}
