//! Shapes of the policy that never match, because an earlier one matches all of their bodies (rule R15).

use super::report::Report;
use crate::dialect::custom::CustomShape;
use crate::policy::error::TablePath;

pub(super) fn lint(report: &mut Report<'_>) {
    let loaded = report.loaded;
    for (part, own) in loaded.policy.parts.iter().zip(loaded.builder.parts()) {
        // Only the shapes of the part itself: those of the parts around it come after them, and are checked with those
        // parts.
        for (at, shape) in part.shapes.iter().take(own.shapes.len()).enumerate() {
            let place = TablePath::Shape(shape.as_str().to_owned());
            if let Some(earlier) = part.shapes[..at].iter().find(|earlier| takes_all_of(**earlier, *shape)) {
                let wrong =
                    format!("every body of this shape is read as {:?}, which is tried before it", earlier.as_str());
                let advice = "put this shape before that one, or add a condition to that one's `when`";
                report.warn("shape-never-read", (&place, "when"), wrong, advice);
            }
        }
    }
}

/// Whether every body in `shape` also fulfils all conditions of `earlier`.
fn takes_all_of(earlier: CustomShape, shape: CustomShape) -> bool {
    let follows = |sign: &_| shape.description().when.iter().any(|own| own.implies(sign));
    earlier.description().when.iter().all(follows)
}
