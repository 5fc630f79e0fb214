//! Tables that have no effect: rules (R1) and shapes (R15) that never match, schemes and headers that nothing requires.

use std::collections::HashSet;
use std::sync::Arc;

use super::report::Report;
use crate::dialect::Dialect;
use crate::guard::pattern::Pattern;
use crate::loader::file::PolicyFile;
use crate::policy::keys::RouteTable;
use crate::policy::{Mode, RouteSettings};
use crate::table::TablePath;

pub(super) fn lint_rules(report: &mut Report<'_>) {
    let patterns = report.loaded.patterns();
    for part in 0..=report.loaded.builder.scopes.len() {
        never_fits(report, part);
        never_reached(report, part, &patterns);
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
fn never_reached(report: &mut Report<'_>, part: usize, patterns: &[&[Pattern]]) {
    for (index, rule) in report.loaded.policy.parts[part].own_rules().iter().enumerate() {
        let place = TablePath::Map(part, index);
        if let Some(mode) = rule.route().and_then(|route| passing_mode(report.loaded, part, route, patterns)) {
            let wrong =
                format!("no error reaches the rule: errors pass through on its route, by mode = {:?}", mode.as_str());
            report.warn(NEVER_FITS, (&place, "route"), wrong, "remove it, or give the route another mode");
        }
    }
}

/// The mode in which errors pass unchanged, if all requests that the pattern matches have such a mode.
fn passing_mode(loaded: &PolicyFile, part: usize, route: &Pattern, patterns: &[&[Pattern]]) -> Option<Mode> {
    let settings = loaded.settings_of_each(part, route, patterns)?;
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
