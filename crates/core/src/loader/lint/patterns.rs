//! Patterns that an operator should check. Such patterns cross, differ only in letter case, have methods that no client
//! sends, or look like regular expressions.

use std::collections::HashMap;

use http::Method;

use super::report::Report;
use crate::guard::pattern::Pattern;
use crate::policy::Matcher;
use crate::policy::keys::RouteTable;
use crate::table::{TablePath, closest};

pub(super) fn lint_overlap(report: &mut Report<'_>) {
    for (part, own) in report.loaded.policy.parts.iter().enumerate() {
        for route in 0..own.matcher.patterns.len() {
            report_crossing_routes(report, &own.matcher, part, route);
        }
        report_case_variants(report, &own.matcher, part);
    }
}

const ONE_CASE: &str =
    "keep one of them, or set case = \"exact\" on both if every service treats the two paths as different";

/// Reports routes that differ only in letter case, but have different guards. A request for either path must pass the
/// guards of both routes (G0), which is seldom intended.
fn report_case_variants(report: &mut Report<'_>, matcher: &Matcher, part: usize) {
    let (base, patterns) = (matcher.base, &matcher.patterns);
    let mut first: HashMap<String, usize> = HashMap::new();
    for (route, pattern) in patterns.iter().enumerate() {
        let other = *first.entry(pattern.written.to_lowercase()).or_insert(route);
        if patterns[other].is_same_path(pattern) || !report.loaded.policy.guards_differ(base + other, base + route) {
            continue;
        }
        let place = TablePath::Route(part, route);
        let location = report.location(&place, (&TablePath::Route(part, other), "match"));
        let wrong = format!("the route differs only in letter case from another route with other guards ({location})");
        report.warn("route-differs-in-case", (&place, "match"), wrong, ONE_CASE);
    }
}

/// Reports two routes that both match some request, although neither path is inside the other. For such a request, the
/// pattern with the earlier literal decides, so the setting of the other route has no effect.
fn report_crossing_routes(report: &mut Report<'_>, matcher: &Matcher, part: usize, route: usize) {
    let (loaded, pattern) = (report.loaded, &matcher.patterns[route]);
    for other in matcher.overlapping(pattern).into_iter().filter(|other| *other > route) {
        let its = &matcher.patterns[other];
        let Some((method, path)) = pattern.common_request(its).filter(|(_, path)| loaded.is_inside(part, path)) else {
            continue;
        };
        if pattern.covers_path(its) || its.covers_path(pattern) {
            continue;
        }
        let routes = &loaded.part(part).routes;
        let differs = |key: &'static str| match (routes[route].keys.value_of(key), routes[other].keys.value_of(key)) {
            (Some((name, one)), Some((_, other))) if one != other => Some(name),
            _ => None,
        };
        let keys: Vec<_> = RouteTable::settings().filter_map(differs).collect();
        let Some(key) = keys.first() else { continue };
        let mut in_order = Vec::new();
        matcher.each_match(&method, path.as_bytes(), &mut |at, is_exact| in_order.extend(is_exact.then_some(at)));
        let place = |route: usize| in_order.iter().position(|at| *at == matcher.base + route);
        let first = place(route) < place(other);
        let (winner, loser) = if first { (route, other) } else { (other, route) };
        let (winner, loser) = (TablePath::Route(part, winner), TablePath::Route(part, loser));
        let line = report.location(&loser, (&winner, "match"));
        let wrong = format!("{method} {path} also matches another route ({line}), which decides {}", keys.join(", "));
        let advice = "add a route for the paths that both match, or make them match different paths";
        report.warn("routes-cross", (&loser, key), wrong, advice);
    }
}

/// The methods in IANA's registry, except for `*` and `PRI`, which no client sends.
const REGISTERED: &str = "\
    ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY \
    MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PUT \
    QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL";

/// Methods of caches and of UPnP, which are in no registry.
const COMMON: &str = "BAN M-SEARCH NOTIFY PURGE SUBSCRIBE UNSUBSCRIBE";

pub(super) fn lint_methods(report: &mut Report<'_>, at: (&TablePath, &str), pattern: &Pattern) {
    const NAME: &str = "method-unregistered";
    let known = |method: &str| REGISTERED.split(' ').chain(COMMON.split(' ')).any(|it| it == method);
    for method in pattern.methods.iter().map(Method::as_str).filter(|method| !known(method)) {
        let wrong = format!("{method} is not a registered method; only requests with exactly this method match");
        match closest(method, REGISTERED.split(' ')) {
            _ if matches!(method, "ALL" | "ANY") => {
                report.warn(NAME, at, wrong, "remove it, because a path without a method matches all methods");
            }
            Some(near) => report.warn(NAME, at, wrong, &format!("did you mean {near}?")),
            None => report.note(NAME, at, wrong, "this is fine if clients send the method"),
        }
    }
}

/// Operators of regular expressions that no path of an API contains. `$` and parentheses are not in this list, because
/// paths of OData contain them.
const OPERATORS: [&str; 6] = [".*", ".+", "[", "]", "|", "^"];

pub(super) fn message_like_expression(report: &mut Report<'_>, place: &TablePath, message: &str) {
    const OPERATORS: [&str; 5] = [".*", ".+", r"\d", r"\w", r"\s"];
    if message.starts_with('^') || message.ends_with('$') || OPERATORS.iter().any(|it| message.contains(it)) {
        let wrong = "a message is not a regular expression, so only an error with exactly this text matches";
        let advice = "this is fine if the text is meant literally; otherwise write message_pattern instead of message";
        report.note("message-like-expression", (place, "message"), wrong, advice);
    }
}

pub(super) fn lint_expressions(report: &mut Report<'_>, at: (&TablePath, &str), pattern: &Pattern) {
    let is_like = |literal: &str| OPERATORS.iter().any(|it| literal.contains(it)) || literal.ends_with('$');
    if let Some(literal) = pattern.literals().filter(|literal| is_like(literal)).last() {
        let wrong = format!("a path pattern is not a regular expression: it matches only the literal text {literal:?}");
        let advice = "write a name in braces, such as {id}, for one arbitrary segment, and {*rest} at the end for all segments that follow";
        report.warn("pattern-like-expression", at, wrong, advice);
    }
}
