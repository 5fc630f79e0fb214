//! Shapes of the policy that never match, or whose template loses something that clients need (rule R15).

use super::report::Report;
use crate::dialect::custom::{CustomShape, Placeholder, Pointer, Template};
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
            if let Some(template) = &shape.description().template {
                for (wrong, advice) in losses(*shape, template) {
                    report.warn("shape-template", (&place, "write"), wrong, advice);
                }
            }
        }
    }
}

/// Whether every body in `shape` also fulfils all conditions of `earlier`.
fn takes_all_of(earlier: CustomShape, shape: CustomShape) -> bool {
    let follows = |sign: &_| shape.description().when.iter().any(|own| own.implies(sign));
    earlier.description().when.iter().all(follows)
}

fn losses(shape: CustomShape, template: &Template) -> Vec<(String, &'static str)> {
    let it = shape.description();
    let mut losses = Vec::new();
    if !template.has(Placeholder::Code) && !template.has(Placeholder::Name) {
        losses.push((
            "the bodies have no code: clients find it only in the header x-error-code".to_owned(),
            "add {{name}} or {{code}}",
        ));
    }
    if !template.has(Placeholder::RequestId) {
        losses.push((
            "the bodies have no request id: clients find it only in the header x-request-id".to_owned(),
            "add {{request_id}}",
        ));
    }
    let places = [
        ("code", &*it.code, &[Placeholder::Name, Placeholder::Code][..]),
        ("message", &it.message, &[Placeholder::Message]),
        ("details", &it.details, &[Placeholder::Details]),
        ("request_id", it.request_id.as_slice(), &[Placeholder::RequestId]),
    ];
    for (key, places, placeholders) in places {
        let Some(read) = places.first().map(Pointer::to_string) else { continue };
        let mut written = placeholders.iter().filter_map(|which| template.place_of(*which)).map(|it| it.to_string());
        // Of a list, the first element is read.
        if !written.any(|written| places.iter().any(|read| written == read.to_string().replace("/*", "/0"))) {
            let wrong =
                format!("the template has no placeholder for {key} at {read:?}, where a second gateway reads it");
            losses.push((wrong, "put the placeholder there, so that errors stay the same through two gateways (E7)"));
        }
    }
    if let Some(sign) = it.when.iter().find(|sign| !template.may_fulfil(sign)) {
        let wrong = format!(
            "a body that the template writes is not recognised as this shape: it has no {:?}",
            sign.at.to_string()
        );
        losses.push((wrong, "write into the template what `when` requires"));
    }
    losses
}
