//! Map rules that never match or that keep a status, and texts that cannot be mapped back (R1, R12).

use std::collections::HashSet;

use super::report::Report;
use crate::classify::rule::Rule;
use crate::dialect::Dialect;
use crate::guard::pattern::Pattern;
use crate::loader::file::PolicyFile;
use crate::loader::witness::Witness;
use crate::outward::Outward;
use crate::policy::error::TablePath;
use crate::policy::{Mode, Settings};

pub(super) fn lint(report: &mut Report<'_>, witnesses: &[Witness<'_>]) {
    let (patterns, dialects) = (report.loaded.patterns(), dialects_of(report.loaded, witnesses));
    for part in 0..=report.loaded.builder.scopes.len() {
        never_fits(report, part);
        never_reached(report, part, &patterns);
        keeps_status(report, part);
    }
    // One lint for the rules that cause it, even if many scopes inherit them.
    let mut reported = HashSet::new();
    for (part, dialects) in dialects {
        let rules = rules_of(report.loaded, part);
        text_left_out(report, part, &rules, &mut reported);
        if let Some(textual) = dialects.iter().find(|dialect| !dialect.spec().has_codes) {
            text_of_two_codes(report, *textual, &rules, &mut reported);
        }
    }
}

type Describe = HashSet<(&'static str, TablePath)>;

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

/// Reports a rule that sets a code of the policy, but keeps the inner status (R1).
fn keeps_status(report: &mut Report<'_>, part: usize) {
    let scope = &report.loaded.policy.parts[part];
    for (index, rule) in scope.own_rules().iter().enumerate() {
        let (code, own) = (rule.to(), rule.to().status());
        let Some(kept) = rule.status().filter(|status| *status != own) else { continue };
        // Another rule leads to the same code with the code's own status, so errors of several statuses have this code
        // on purpose.
        let has_both = || scope.own_rules().iter().any(|other| other.to() == code && other.status() == Some(own));
        let sets_status = |rule: &Outward| rule.status().is_some() && rule.codes().contains(code);
        let is_sent = rule.to_status().is_some() || scope.outward.iter().any(|rule| sets_status(rule));
        if code.is_in_catalogue() || is_sent || has_both() {
            continue;
        }
        let (kept, own) = (kept.as_u16(), own.as_u16());
        let wrong = format!("clients get the status {kept} with the code {code}, whose own status is {own}");
        let advice = format!("fine if it is meant; otherwise set to_status = {own}");
        report.note("status-kept", (&TablePath::Map(part, index), "status"), wrong, &advice);
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
    let passes = |it: &Settings| matches!(it.mode, Mode::Off | Mode::Own) && it.dialect.is_standard();
    if settings.iter().all(passes) { settings.first().map(|it| it.mode) } else { None }
}

/// Reports texts that are not used when a code is written. If several rules lead to the same code with different texts,
/// none of them decides, and the text of the catalogue is used (R12).
fn text_left_out(report: &mut Report<'_>, part: usize, rules: &[(TablePath, &Rule)], reported: &mut Describe) {
    const NAME: &str = "text-not-read-backwards";
    let targets: HashSet<_> = report.loaded.policy.parts[part]
        .outward
        .iter()
        .filter(|rule| rule.message().is_some())
        .flat_map(|rule| rule.codes().iter().cloned())
        .collect();
    for (at, (place, rule)) in rules.iter().enumerate() {
        let before = rules[..at].iter().filter(|(_, other)| other.to() == rule.to());
        let [(first, _)] = before.collect::<Vec<_>>()[..] else { continue };
        if !targets.contains(rule.to()) && reported.insert((NAME, place.clone())) {
            let line = report.location(place, (first, "message"));
            let code = rule.to();
            let wrong = format!(
                "in other dialects {code} gets the catalogue's message, as two rules have different ones ({line})"
            );
            let advice = "fine if errors always carry their own message; otherwise set one in [[outward]]";
            report.note(NAME, (place, "message"), wrong, advice);
        }
    }
}

/// Reports a text that leads to two codes. In a dialect without codes, clients can only distinguish errors by their
/// text.
fn text_of_two_codes(report: &mut Report<'_>, dialect: Dialect, rules: &[(TablePath, &Rule)], reported: &mut Describe) {
    const NAME: &str = "text-of-two-codes";
    for (at, (place, rule)) in rules.iter().enumerate() {
        let same =
            |other: &&(TablePath, &Rule)| other.1.exact_message() == rule.exact_message() && other.1.to() != rule.to();
        let Some((first, other)) = rules[..at].iter().find(same) else { continue };
        if reported.insert((NAME, place.clone())) {
            let line = report.location(place, (first, "message"));
            let wrong =
                format!("in {} {} and {} have the same message ({line})", dialect.as_str(), rule.to(), other.to());
            let advice = "fine if clients need not distinguish them; otherwise set a message for each in [[outward]]";
            report.note(NAME, (place, "message"), wrong, advice);
        }
    }
}

/// The rules that require an exact text and apply to every route of a scope, in their order.
fn rules_of(loaded: &PolicyFile, part: usize) -> Vec<(TablePath, &Rule)> {
    let own = |at: usize| {
        let scope = &loaded.policy.parts[at];
        scope.own_rules().iter().enumerate().map(move |(index, rule)| (TablePath::Map(at, index), &**rule))
    };
    let all = loaded.around(part).flat_map(own);
    all.filter(|(_, rule)| rule.exact_message().is_some() && rule.route().is_none()).collect()
}

/// The scopes whose errors are written in a dialect other than the standard one, with these dialects.
fn dialects_of(loaded: &PolicyFile, witnesses: &[Witness<'_>]) -> Vec<(usize, Vec<Dialect>)> {
    let of = |part: usize| {
        let inside = witnesses.iter().filter(|witness| witness.chain.part == part);
        let dialects = inside.map(|witness| loaded.policy.dialect(&witness.settings));
        dialects.filter(|dialect| *dialect != Dialect::Standard).collect::<Vec<_>>()
    };
    let parts = (0..=loaded.builder.scopes.len()).map(|part| (part, of(part)));
    parts.filter(|(_, dialects)| !dialects.is_empty()).collect()
}
