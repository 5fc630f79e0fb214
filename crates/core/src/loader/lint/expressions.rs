//! Patterns that look like regular expressions: a guard on `/users/[0-9]+` matches that very text alone, and guards
//! nothing.

use super::report::Report;
use crate::guard::pattern::{Pattern, Segment};
use crate::policy::error::TablePath;

/// No API has these in a path. A `$` at its beginning and brackets without an operator are OData's.
const OPERATORS: [&str; 6] = [".*", ".+", "[", "]", "|", "^"];

pub(super) fn lint(report: &mut Report<'_>) {
    report.for_each_pattern(like_expression);
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
