//! Tables that an operator should check. Some tables have settings that let more requests in, that require less than a
//! base (`manual/policy.md`), or that never apply because an included file sets the same keys. Other tables have no
//! effect. Tables without an effect are rules (R1) and shapes (R15) that never match, and schemes and headers that
//! nothing requires.

use std::collections::HashSet;
use std::sync::Arc;

use super::patterns::message_like_expression;
use super::report::{Report, Witness};
use crate::dialect::Dialect;
use crate::guard::pattern::Pattern;
use crate::loader::file::PolicyFile;
use crate::loader::sources::Override;
use crate::policy::keys::RouteTable;
use crate::policy::rule::Rule;
use crate::policy::{Mode, RouteSettings};
use crate::table::TablePath;

pub(super) fn lint_routes(report: &mut Report<'_>, witnesses: &[Witness<'_>]) {
    for witness in witnesses {
        mode_opens_no_door(report, witness);
        open_under_closed(report, witness);
    }
    for (part, own) in report.loaded.builder.parts().enumerate() {
        auth_observe(report, &TablePath::Defaults(part), &own.keys);
        for (index, route) in own.routes.iter().enumerate() {
            auth_observe(report, &TablePath::Route(part, index), &route.keys);
        }
    }
}

/// Reports modes that an operator may have set to open a route. No mode opens a route, because no mode affects
/// credentials (M1, G2).
fn mode_opens_no_door(report: &mut Report<'_>, Witness { chain, settings, .. }: &Witness<'_>) {
    let (mode, auth) = (chain.resolved("mode"), chain.resolved("auth"));
    let watches = matches!(mode.value.as_str(), "\"off\"" | "\"observe\"");
    if !watches || settings.auth.is_none() || settings.auth_observe || settings.auth_optional {
        return;
    }
    // Neither value is the default, so tables set both. The lint is reported at the table that is nearer to the
    // request.
    let (Some(of_mode), Some(of_auth)) = (&mode.place, &auth.place) else { return };
    let is_nearer = chain.distance(of_auth) < chain.distance(of_mode);
    let (near, far) =
        if is_nearer { ((of_auth, "auth"), (of_mode, "mode")) } else { ((of_mode, "mode"), (of_auth, "auth")) };
    let location = match near.0 == far.0 {
        true => String::new(),
        false => format!(" ({}: {})", far.1, report.location(near.0, far)),
    };
    let wrong = format!(
        "mode = {} does not switch off auth: requests without credentials are still refused{location}",
        mode.value
    );
    let advice =
        "set auth_observe = true to accept all requests and log the failures, or auth = [] to require no credentials";
    report.warn("mode-opens-no-door", near, wrong, advice);
}

fn open_under_closed(report: &mut Report<'_>, witness: &Witness<'_>) {
    let (place, own, wider) = witness.own_and_wider();
    if own.auth.as_ref().is_none_or(|names| !names.is_empty()) {
        return;
    }
    let wider = wider.iter().find_map(|(place, keys)| Some((place, keys.auth.as_ref()?)));
    let Some((wider, names)) = wider.filter(|(_, names)| !names.is_empty()) else { return };
    // `auth` in a base is reported with the other keys of that base.
    if !report.loaded.sources.is_in_base((wider, "auth"), place) {
        let line = report.location(place, (wider, "auth"));
        let what = if matches!(place, TablePath::Route(..)) { "route" } else { "scope" };
        let wrong = format!("the {what} requires no credentials, but a wider setting is auth = {names:?} ({line})");
        let advice = "this is fine for a health check or a login; otherwise remove auth here";
        report.note("open-under-closed", (place, "auth"), wrong, advice);
    }
}

fn auth_observe(report: &mut Report<'_>, place: &TablePath, keys: &RouteTable) {
    if keys.auth_observe == Some(true) {
        let wrong = "credentials are checked and logged, but no request is refused";
        let advice = "remove auth_observe once the log shows no failures of valid clients";
        report.warn("auth-observe", (place, "auth_observe"), wrong, advice);
    }
}

pub(super) fn lint_overrides(report: &mut Report<'_>, witnesses: &[Witness<'_>]) {
    report.loaded.sources.overrides.iter().for_each(|table| report_override(report, table));
    for witness in witnesses {
        overrides_of(report, witness).iter().for_each(|it| report_override(report, it));
    }
}

/// Returns the keys that a route sets although the next wider table sets these keys, too, and is in a base.
fn overrides_of(report: &Report<'_>, witness: &Witness<'_>) -> Vec<Override> {
    let (place @ TablePath::Route(..), own, wider) = witness.own_and_wider() else { return Vec::new() };
    let overridden = |key| {
        let (name, value) = own.value_of(key)?;
        let (at, base, (its, base_value)) =
            wider.iter().find_map(|(at, keys)| Some((at, *keys, keys.value_of(key)?)))?;
        if base_value == value || !report.loaded.sources.is_in_base((at, its), place) {
            return None;
        }
        let line = report.loaded.sources.locate(at, its).map(|at| format!("{}:{}", at.file, at.line))?;
        let base = own.weakens(base, key).then(|| (format!("{its} = {base_value}"), line))?;
        Some(Override { place: place.clone(), key: name.to_owned(), base })
    };
    RouteTable::settings().filter_map(overridden).collect()
}

fn report_override(report: &mut Report<'_>, Override { place, key, base: (base_value, line) }: &Override) {
    let wrong = format!("this requires less of requests than {base_value} of the base ({line})");
    let advice = "this is fine if the service needs it; otherwise remove the setting here, so that the base applies";
    report.warn("weakens-base", (place, key), wrong, advice);
}

pub(super) fn lint_shadows(report: &mut Report<'_>, witnesses: &[Witness<'_>]) {
    for witness in witnesses {
        let (place @ TablePath::Route(part, _), own, _) = witness.own_and_wider() else { continue };
        for key in RouteTable::settings().filter(|_| witness.chain.part != *part) {
            let (Some((name, value)), decided) = (own.value_of(key), witness.chain.resolved(key)) else { continue };
            let narrower = decided.place.filter(|by| by.part() != Some(*part) && decided.value != value);
            let Some(by) = narrower else { continue };
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
    let loaded = report.loaded;
    for (part, scope) in loaded.policy.parts.iter().enumerate() {
        let rules = scope.own_rules();
        for (index, rule) in rules.iter().enumerate() {
            never_fits(report, part, rule, &rules[..index]);
            message_like_expression(report, &TablePath::Map(part, index), rule.exact_message().unwrap_or_default());
        }
    }
}

const NEVER_FITS: &str = "map-never-fits";

/// Reports a rule that never matches. Either an earlier rule of the same list matches all its errors, or the rule
/// requires a message that cannot occur. A third reason is that the rule's errors pass unchanged, because of the mode
/// of its route (M1).
fn never_fits(report: &mut Report<'_>, part: usize, rule: &Rule, earlier: &[Arc<Rule>]) {
    let place = TablePath::Map(part, earlier.len());
    if rule.exact_message().is_some_and(|text| text != text.trim()) {
        let wrong = "no error matches, because messages are compared without surrounding white space";
        report.warn(NEVER_FITS, (&place, "message"), wrong, "remove the white space around the message");
    } else if let Some(first) = earlier.iter().position(|earlier| earlier.covers(rule)) {
        let line = report.location(&place, (&TablePath::Map(part, first), ""));
        let wrong = format!("no error reaches the rule: an earlier rule matches all of them ({line})");
        report.warn(NEVER_FITS, (&place, ""), wrong, "put the narrower rule first, or remove this one");
    }
    if let Some(mode) = rule.route.as_ref().and_then(|route| passing_mode(report.loaded, part, route)) {
        let wrong =
            format!("no error reaches the rule: errors pass through on its route, by mode = {:?}", mode.as_str());
        report.warn(NEVER_FITS, (&place, "route"), wrong, "remove it, or give the route another mode");
    }
}

/// Returns the mode in which errors pass unchanged, if all requests that the pattern matches have such a mode.
fn passing_mode(loaded: &PolicyFile, part: usize, route: &Pattern) -> Option<Mode> {
    let settings = loaded.settings_of_each(part, route)?;
    let passes = |it: &Arc<RouteSettings>| matches!(it.mode, Mode::Off | Mode::Own) && it.dialect == Dialect::default();
    if settings.iter().all(passes) { settings.first().map(|it| it.mode) } else { None }
}

pub(super) fn lint_shapes(report: &mut Report<'_>) {
    let loaded = report.loaded;
    for (part, own) in loaded.policy.parts.iter().zip(loaded.builder.parts()) {
        // This checks only the shapes of the part itself. The shapes of the parts around it come after them, and are
        // checked with those parts.
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
    for (name, header) in &loaded.builder.headers {
        let place = TablePath::Header(name.clone());
        if !headers.contains(name.as_str()) {
            let advice = "add it to require_headers, or remove the table";
            report.warn("unused-header", (&place, ""), "no route requires the header", advice);
        } else if let Some(set) = header.set_by_gateway() {
            let wrong = format!(
                "by default, the gateway itself sets {set} on each request, so the requirement never fails there"
            );
            let advice = "remove it, or add a pattern that the value must match";
            report.warn("header-never-missing", (&place, "name"), wrong, advice);
        }
    }
    let schemes = names_in(|keys| keys.auth.as_ref());
    for (name, scheme) in &loaded.builder.schemes {
        let place = TablePath::Auth(name.clone());
        if !schemes.contains(name.as_str()) {
            let advice = "add it to auth, or remove the table";
            report.warn("unused-auth", (&place, ""), "no route uses the auth scheme", advice);
        }
        if scheme.is_jwt_without_audience() {
            let wrong = "no audience is set: tokens with an audience are refused, and tokens without one are accepted for any service";
            let advice = "set audience to the value in the tokens";
            report.warn("jwt-without-audience", (&place, ""), wrong, advice);
        }
    }
}
