//! Which members mean errors (rule R13).

use crate::dialect::json::Object;

/// What a member's name says of what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Nothing,
    Errors,
    /// Errors of some services, and data of others.
    ErrorsOrData,
}

/// A name as it is compared: services spell it with capitals, underscores and hyphens.
pub(super) fn meaning(name: &str, object: &Object<'_>) -> Meaning {
    if name.len() > LONGEST {
        return Meaning::Nothing;
    }
    let name: String = name.chars().filter(|it| !matches!(it, '_' | '-')).flat_map(char::to_lowercase).collect();
    let ends = ["errors", "violations", "issues", "invalidparams"].iter().any(|end| name.ends_with(end));
    match &*name {
        _ if ends || name.starts_with("validation") => Meaning::Errors,
        "modelstate" => Meaning::Errors,
        "error" | "detail" | "details" | "fields" | "params" => Meaning::ErrorsOrData,
        "data" if fails(object) => Meaning::ErrorsOrData,
        _ => Meaning::Nothing,
    }
}

/// Longer than any of them.
const LONGEST: usize = 64;

/// Whether the status beside it is a failing one.
fn fails(object: &Object<'_>) -> bool {
    match object.name("status") {
        Some(status) => {
            matches!(&*status, "fail" | "failed" | "error") || matches!(status.as_bytes(), [b'4' | b'5', _, _])
        }
        None => object.raw("status").is_some_and(|status| status.get() == "false"),
    }
}
