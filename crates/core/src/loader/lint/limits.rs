//! Body limits of a few bytes, whose unit may have been forgotten.

use super::report::Report;
use crate::policy::error::TablePath;
use crate::policy::keys::TableSettings;

const SMALL: u64 = 1024;

pub(super) fn lint(report: &mut Report<'_>) {
    report.for_each_settings(small_body_limit);
}

fn small_body_limit(report: &mut Report<'_>, place: &TablePath, keys: &TableSettings) {
    let wrong = match keys.body_limit.flatten() {
        Some(0) => "every request with a body is refused".to_owned(),
        Some(bytes) if bytes < SMALL => format!("the limit is {bytes} bytes"),
        _ => return,
    };
    let advice = "fine if it is meant; a larger limit has a unit, as in \"64 KiB\"";
    report.note("small-body-limit", (place, "body_limit"), wrong, advice);
}
