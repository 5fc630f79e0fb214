//! Issue lists, which report the errors of a validation field by field (E8).
//!
//! The canonical list has the form of Zod issues, `[{"path":["to"],"message":"…","code":"…"?}]`.

pub mod written;

use http::StatusCode;
use serde_json::value::RawValue;

pub use crate::issue_list::IssueList;
use crate::issue_list::List;
use crate::json::{self, Object};

/// Returns true if a status means that the input of the request was wrong. An error with such a status may have an
/// issue list (E8, R13).
pub fn tells_of_input(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 422)
}

/// Returns true if `details` is an object that has a well-formed issue list under `issues`.
pub fn are_in(details: &str) -> bool {
    Object::parse(details).and_then(|details| details.raw("issues")).is_some_and(|issues| are_zod(issues.get()))
}

/// Returns an issue list that contains only this message, as one issue with an empty path.
pub fn of_message(message: &str) -> String {
    let mut list = List::new();
    list.push(b"[]", message, None);
    list.close()
}

/// Returns true if `details` has a well-formed issue list, and each issue has only the fields of the canonical form.
pub fn are_canonical_in(details: &str) -> bool {
    let is_own = |(name, _): (&str, &RawValue)| matches!(name, "path" | "message" | "code");
    let is_canonical = |issue: &&RawValue| Object::parse(issue.get()).is_some_and(|it| it.members().all(is_own));
    let list = Object::parse(details).and_then(|details| json::array(details.raw("issues")?.get()));
    are_in(details) && list.is_some_and(|issues| issues.iter().all(is_canonical))
}

fn are_zod(text: &str) -> bool {
    // A list that passes unchanged must not contain half a character, because some parsers refuse it.
    let is_text = |it: &RawValue| json::exact(it).is_some();
    let is_step = |step: &&RawValue| is_text(step) || json::is_index(step);
    let is_issue = |issue: &&RawValue| {
        let Some(issue) = Object::parse(issue.get()) else { return false };
        let path = issue.raw("path").and_then(|path| json::array(path.get()));
        path.is_some_and(|path| path.iter().all(is_step))
            && issue.raw("message").is_some_and(is_text)
            && issue.raw("code").is_none_or(is_text)
    };
    json::array(text).is_some_and(|issues| !issues.is_empty() && issues.iter().all(is_issue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r4_a_list_is_within_its_budget() {
        let mut list = List::new();
        (0..5_000).for_each(|_| list.push(b"[]", &"x".repeat(5_000), None));
        let json = list.into_json().unwrap();
        assert!(json.len() < crate::issue_list::MAX_BYTES + 64 && are_zod(&json), "{}", json.len());
    }

    #[test]
    fn e8_a_list_is_well_formed_or_none() {
        assert!(are_in(r#"{"issues":[{"path":[],"message":"m"}]}"#));
        for other in [
            r#"{"issues":[]}"#,
            r#"{"issues":[{"path":"to","message":"m"}]}"#,
            r#"{"issues":[{"path":[-1],"message":"m"}]}"#,
        ] {
            assert!(!are_in(other), "{other}");
        }
    }
}
