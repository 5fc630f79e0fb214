//! Map rules that never match (R1).

use std::sync::Arc;

use super::report::Report;
use crate::dialect::Dialect;
use crate::guard::pattern::Pattern;
use crate::loader::file::PolicyFile;
use crate::policy::error::TablePath;
use crate::policy::{Mode, RouteSettings};

pub(super) fn lint(report: &mut Report<'_>) {
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
fn never_reached(report: &mut Report<'_>, part: usize, patterns: &[Vec<Pattern>]) {
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
fn passing_mode(loaded: &PolicyFile, part: usize, route: &Pattern, patterns: &[Vec<Pattern>]) -> Option<Mode> {
    let settings = loaded.settings_of_each(part, route, patterns)?;
    let passes = |it: &Arc<RouteSettings>| matches!(it.mode, Mode::Off | Mode::Own) && it.dialect == Dialect::default();
    if settings.iter().all(passes) { settings.first().map(|it| it.mode) } else { None }
}
