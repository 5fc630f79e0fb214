//! Patterns and messages that look like regular expressions. A guard on `/users/[0-9]+` only matches that exact text,
//! so it guards nothing.

use super::report::Report;
use crate::guard::pattern::{Pattern, Segment};
use crate::policy::error::TablePath;

/// No path of an API has these characters. OData has a `$` at the beginning, and brackets without an operator.
const OPERATORS: [&str; 6] = [".*", ".+", "[", "]", "|", "^"];

pub(super) fn lint(report: &mut Report<'_>) {
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
