//! Patterns that an operator should check: of routes that cross or differ only in letter case, with methods that no client
//! sends, or that look like regular expressions.

use std::collections::HashMap;

use http::Method;

use super::report::Report;
use crate::guard::pattern::{Pattern, Segment};
use crate::loader::chain::{self, value_of};
use crate::policy::error::TablePath;
use crate::table::suggestion::closest;

pub(super) fn lint_overlap(report: &mut Report<'_>) {
    let patterns = report.loaded.patterns();
    let parts: Vec<_> = patterns.iter().map(|of_part| Neighbours::new(of_part)).collect();
    for (part, neighbours) in parts.iter().enumerate() {
        for route in 0..neighbours.patterns.len() {
            report_crossing_routes(report, neighbours, part, route);
        }
        report_case_variants(report, neighbours.patterns, part);
    }
}

const ONE_CASE: &str =
    "keep one of them, or set case = \"exact\" on both if every service treats the two paths as different";

/// Reports routes that only differ in letter case, but have different guards. A request for either must pass the guards
/// of both (G0), which is seldom intended.
fn report_case_variants(report: &mut Report<'_>, patterns: &[Pattern], part: usize) {
    let base = report.loaded.policy.parts[part].matcher.base();
    let mut first: HashMap<String, usize> = HashMap::new();
    for (route, pattern) in patterns.iter().enumerate() {
        let other = *first.entry(pattern.written().to_lowercase()).or_insert(route);
        if patterns[other].is_same_path(pattern) || !report.loaded.policy.guards_differ(base + other, base + route) {
            continue;
        }
        let place = TablePath::Route(part, route);
        let location = report.location(&place, (&TablePath::Route(part, other), "match"));
        let wrong = format!("the route differs only in letter case from another route with other guards ({location})");
        report.warn("route-differs-in-case", (&place, "match"), wrong, ONE_CASE);
    }
}

/// Reports two routes that both match some request, although neither path is inside the other. The pattern with the
/// earlier literal decides there, so the setting of the other one is lost.
fn report_crossing_routes(report: &mut Report<'_>, neighbours: &Neighbours<'_>, part: usize, route: usize) {
    let (loaded, pattern) = (report.loaded, &neighbours.patterns[route]);
    for other in neighbours.overlapping(pattern).into_iter().filter(|other| *other > route) {
        let its = &neighbours.patterns[other];
        let Some((method, path)) = pattern.common_request(its).filter(|(_, path)| loaded.is_inside(part, path)) else {
            continue;
        };
        if pattern.covers_path(its) || its.covers_path(pattern) {
            continue;
        }
        let routes = &loaded.part(part).routes;
        let differs = |key: &'static str| match (value_of(&routes[route].keys, key), value_of(&routes[other].keys, key))
        {
            (Some((name, one)), Some((_, other))) if one != other => Some(name),
            _ => None,
        };
        let keys: Vec<_> = chain::keys().filter_map(differs).collect();
        let Some(key) = keys.first() else { continue };
        let mut in_order = Vec::new();
        loaded.policy.parts[part]
            .matcher
            .each_match(&method, path.as_bytes(), &mut |index, is_exact| in_order.extend(is_exact.then_some(index)));
        let base = loaded.policy.parts[part].matcher.base();
        let place = |route: usize| in_order.iter().position(|index| *index == base + route);
        let first = place(route) < place(other);
        let (winner, loser) = if first { (route, other) } else { (other, route) };
        let (winner, loser) = (TablePath::Route(part, winner), TablePath::Route(part, loser));
        let line = report.location(&loser, (&winner, "match"));
        let wrong = format!("{method} {path} also matches another route ({line}), which decides {}", keys.join(", "));
        let advice = "add a route for the paths that both match, or make them match different paths";
        report.warn("routes-cross", (&loser, key), wrong, advice);
    }
}

/// Patterns, arranged by their segments. Those that may match the same request are found without comparing all of them.
struct Neighbours<'a> {
    patterns: &'a [Pattern],
    root: Node<'a>,
}

#[derive(Default)]
struct Node<'a> {
    literals: HashMap<&'a str, Node<'a>>,
    one: Option<Box<Node<'a>>>,
    ends: Vec<usize>,
    rests: Vec<usize>,
}

impl<'a> Neighbours<'a> {
    fn new(patterns: &'a [Pattern]) -> Self {
        let mut root = Node::default();
        for (index, pattern) in patterns.iter().enumerate() {
            let mut node = &mut root;
            for segment in pattern.segments() {
                node = match segment {
                    Segment::Literal(literal) => node.literals.entry(literal).or_default(),
                    Segment::One => node.one.get_or_insert_default(),
                };
            }
            if pattern.has_rest() { &mut node.rests } else { &mut node.ends }.push(index);
        }
        Self { patterns, root }
    }

    /// The patterns that match some request that this pattern matches, in their order.
    fn overlapping(&self, pattern: &Pattern) -> Vec<usize> {
        let mut found = Vec::new();
        self.root.collect_overlapping(pattern.segments(), pattern.has_rest(), &mut found);
        found.retain(|other| self.patterns[*other].common_request(pattern).is_some());
        found.sort_unstable();
        found
    }
}

impl Node<'_> {
    fn collect_overlapping(&self, segments: &[Segment], rest: bool, found: &mut Vec<usize>) {
        found.extend(&self.rests);
        let one = self.one.as_deref();
        match segments {
            [] => {
                found.extend(&self.ends);
                let below = self.literals.values().chain(one).filter(|_| rest);
                below.for_each(|node| node.collect_overlapping(&[], true, found));
            }
            [Segment::Literal(literal), after @ ..] => {
                let fitting = self.literals.get(&**literal).into_iter().chain(one);
                fitting.for_each(|node| node.collect_overlapping(after, rest, found));
            }
            [Segment::One, after @ ..] => {
                self.literals.values().chain(one).for_each(|node| node.collect_overlapping(after, rest, found));
            }
        }
    }
}

/// The methods in IANA's registry, except for `*` and `PRI`, which no client sends.
const REGISTERED: &str = "\
    ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE MKACTIVITY \
    MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PROPFIND PROPPATCH PUT \
    QUERY REBIND REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL";

/// Methods of caches and of UPnP, which are in no registry.
const COMMON: &str = "BAN M-SEARCH NOTIFY PURGE SUBSCRIBE UNSUBSCRIBE";

pub(super) fn lint_methods(report: &mut Report<'_>) {
    report.for_each_pattern(unregistered);
}

fn unregistered(report: &mut Report<'_>, at: (&TablePath, &str), pattern: &Pattern) {
    const NAME: &str = "method-unregistered";
    let known = |method: &str| REGISTERED.split(' ').chain(COMMON.split(' ')).any(|it| it == method);
    for method in pattern.methods().iter().map(Method::as_str).filter(|method| !known(method)) {
        let wrong = format!("{method} is not a registered method; only requests with exactly this method match");
        match closest(method, REGISTERED.split(' ')) {
            _ if matches!(method, "ALL" | "ANY") => {
                report.warn(NAME, at, wrong, "remove it: a path without a method matches all methods");
            }
            Some(near) => report.warn(NAME, at, wrong, &format!("did you mean {near}?")),
            None => report.note(NAME, at, wrong, "fine if clients send it"),
        }
    }
}

/// No path of an API has these characters. OData has a `$` at the beginning, and brackets without an operator.
const OPERATORS: [&str; 6] = [".*", ".+", "[", "]", "|", "^"];

pub(super) fn lint_expressions(report: &mut Report<'_>) {
    report.for_each_pattern(like_expression);
    for part in 0..=report.loaded.builder.scopes.len() {
        for (index, rule) in report.loaded.policy.parts[part].own_rules().iter().enumerate() {
            message_like_expression(report, &TablePath::Map(part, index), rule.exact_message().unwrap_or_default());
        }
    }
}

fn message_like_expression(report: &mut Report<'_>, place: &TablePath, message: &str) {
    const OPERATORS: [&str; 5] = [".*", ".+", r"\d", r"\w", r"\s"];
    if message.starts_with('^') || message.ends_with('$') || OPERATORS.iter().any(|it| message.contains(it)) {
        let wrong = "a message is no regular expression: only an error with this very text matches".to_owned();
        let advice = "fine if it is that text; otherwise write message_pattern instead of message";
        report.note("message-like-expression", (place, "message"), wrong, advice);
    }
}

fn like_expression(report: &mut Report<'_>, at: (&TablePath, &str), pattern: &Pattern) {
    let is_like = |literal: &str| OPERATORS.iter().any(|it| literal.contains(it)) || literal.ends_with('$');
    let literals = pattern.segments().iter().filter_map(|segment| match segment {
        Segment::Literal(literal) => Some(&**literal),
        Segment::One => None,
    });
    if let Some(literal) = literals.into_iter().rev().find(|literal| is_like(literal)) {
        let wrong = format!("a path pattern is not a regular expression: it matches only the literal text {literal:?}");
        let advice = "write {one} for any segment, and {*rest} at the end for all segments that follow";
        report.warn("pattern-like-expression", at, wrong, advice);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g0_all_that_meet_are_found() {
        let segments = ["/a", "/b", "/{x}", ""];
        let mut written = vec!["/".to_owned(), "/{*rest}".to_owned()];
        for first in &segments[..3] {
            for second in segments {
                let path = format!("{first}{}", second.replace('x', "y"));
                written.extend([
                    format!("{path}/{{*rest}}"),
                    format!("GET {path}"),
                    path.clone(),
                    format!("PUT {path}/c"),
                ]);
            }
        }
        let patterns: Vec<_> = written.iter().map(|written| Pattern::parse("match", written).unwrap()).collect();
        let neighbours = Neighbours::new(&patterns);
        for pattern in &patterns {
            let meets = |other: &usize| patterns[*other].common_request(pattern).is_some();
            let naive: Vec<_> = (0..patterns.len()).filter(meets).collect();
            assert_eq!(neighbours.overlapping(pattern), naive, "{}", pattern.written());
        }
    }
}
