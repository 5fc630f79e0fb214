//! Composes the details of a rewritten error: the received details, with the issue list (E8) and an unknown code (E9).

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::code::ErrorCode;
use crate::fault::Fault;
use error_envelope_text::issues;
use error_envelope_text::json::{Object, push_string, quoted};
use error_envelope_text::message;
use error_envelope_text::tree::{Node, Tree};

/// Adds kept fields (R14), an issue list and an unknown code to the received details. The bytes of the received details
/// do not change.
///
/// If the details are not an object, they move into a field `details` next to the added fields (E9).
#[inline]
pub fn compose(
    came: Option<Cow<'_, str>>,
    kept: &[(&str, &str)],
    issues: Option<&str>,
    upstream_code: Option<&str>,
) -> Option<Box<RawValue>> {
    let has_code = |details: &str| Object::parse(details).is_some_and(|details| details.has("upstream_code"));
    let upstream_code = upstream_code.filter(|_| !came.as_deref().is_some_and(has_code));
    let issues = issues.filter(|_| !came.as_deref().is_some_and(issues::are_in));
    let mut details = with_kept(came.map(Cow::into_owned), kept);
    if let Some(issues) = issues {
        details = Some(with_member(object_for_issues(details), "issues", issues));
    }
    if let Some(code) = upstream_code {
        let text = quoted(code);
        let text = String::from_utf8_lossy(&text);
        let member = |object: String| with_member(object, "upstream_code", &text);
        details = Some(match details {
            Some(other) if !has_room(Some(&other)) => with_member(member(String::new()), "details", &other),
            object => member(object.unwrap_or_default()),
        });
    }
    RawValue::from_string(details?).ok()
}

/// Returns the details with the kept fields at their end. A name that the details already have is left out.
fn with_kept(came: Option<String>, kept: &[(&str, &str)]) -> Option<String> {
    if kept.is_empty() {
        return came;
    }
    let came = if has_room(came.as_deref()) { came.unwrap_or_default() } else { object_for_issues(came) };
    let names = Object::parse(&came);
    let has = |name: &str| names.as_ref().is_some_and(|names| names.has(name));
    let is_new = |at: &usize| !has(kept[*at].0) && kept[..*at].iter().all(|(other, _)| *other != kept[*at].0);
    let new: Vec<usize> = (0..kept.len()).filter(is_new).collect();
    let mut object = open_object(came);
    object.reserve(new.iter().map(|at| kept[*at].0.len() + kept[*at].1.len() + 8).sum());
    new.iter().for_each(|at| push_member(&mut object, kept[*at].0, kept[*at].1));
    Some(closed(object))
}

/// Returns the details of a foreign error without the stack traces in their texts (R3), or `None` if nothing is left.
pub fn without_traces(details: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let tree = Tree::parse(&details);
    let Some(root) = tree.root() else { return Some(details) };
    if !has_trace(root) {
        return Some(details);
    }
    cut_traces(root).map(Cow::Owned)
}

fn has_trace(value: Node<'_, '_>) -> bool {
    value.text().is_some_and(|text| message::has_trace(&text))
        || value.children().any(|child| is_left_out(child.name(), child.raw()) || has_trace(child))
}

/// Returns true if a member with this name contains a list of stack frames.
pub fn is_trace(name: &str, json: &str) -> bool {
    const NAMES: [&str; 7] = ["trace", "stack", "stacktrace", "traceback", "backtrace", "callstack", "stackframe"];

    let is_named = || {
        let name = name.replace(['_', '-'], "").to_ascii_lowercase();
        NAMES.contains(&name.strip_suffix('s').unwrap_or(&name))
    };
    json.starts_with('[') && is_named()
}

/// Returns true if no client gets a member: a list of stack frames, or a header of the request with credentials.
pub fn is_left_out(name: &str, json: &str) -> bool {
    const HEADERS: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];

    let is_header = || json.starts_with('"') || json.starts_with('[');
    is_trace(name, json) || HEADERS.iter().any(|it| it.eq_ignore_ascii_case(name)) && is_header()
}

/// Returns the JSON of a value, in which each text ends before its stack trace. A text that consists of a trace is left
/// out.
fn cut_traces(value: Node<'_, '_>) -> Option<String> {
    if let Some(text) = value.text().filter(|text| message::has_trace(text)) {
        return serde_json::to_string(&message::from_json_text(&text)?).ok();
    }
    let inside = |(open, close): (&str, &str), parts: Vec<String>| [open, &parts.join(","), close].concat();
    if value.is_array() {
        return Some(inside(("[", "]"), value.children().filter_map(cut_traces).collect()));
    }
    let member = |field: Node<'_, '_>| {
        Some(format!("{}:{}", String::from_utf8_lossy(&quoted(field.name())), cut_traces(field)?))
    };
    match value.is_object() {
        true => {
            let members = value.children().filter(|field| !is_left_out(field.name(), field.raw()));
            Some(inside(("{", "}"), members.filter_map(member).collect()))
        }
        false => Some(value.raw().to_owned()),
    }
}

/// Makes sure that an `invalid_request` has an issue list, even if the message is its only issue (E8).
#[inline]
pub fn with_issues(fault: Fault) -> Fault {
    if *fault.code() != ErrorCode::INVALID_REQUEST || fault.details_json().is_some_and(issues::are_in) {
        return fault;
    }
    let list = issues::of_message(&fault.message());
    let came = fault.details_json().filter(|details| *details != "null").map(|details| Cow::Owned(details.to_owned()));
    let details = compose(came, &[], Some(&list), None);
    fault.with_raw_details(details)
}

/// Returns true if fields can be added to the details.
pub fn has_room(details: Option<&str>) -> bool {
    details.is_none_or(|details| Object::parse(details).is_some())
}

/// Returns the details as the object that an issue list is added to. Details that are not an object move into its field
/// `details`. A field `issues` is removed.
fn object_for_issues(details: Option<String>) -> String {
    let Some(details) = details else { return String::new() };
    match Object::parse(&details) {
        None => format!("{{\"details\":{details}}}"),
        Some(object) if object.has("issues") => issues::written::details_without_issues(&details).unwrap_or_default(),
        Some(_) => details,
    }
}

/// Returns `object` with one more field at its end. An empty text is treated as `{}`.
fn with_member(object: String, name: &str, json: &str) -> String {
    let mut object = open_object(object);
    push_member(&mut object, name, json);
    closed(object)
}

/// Returns the text of an object without its closing brace. An empty text is treated as `{}`.
fn open_object(object: String) -> Vec<u8> {
    let mut object = if object.is_empty() { b"{}".to_vec() } else { object.into_bytes() };
    object.truncate(object.iter().rposition(|byte| *byte == b'}').unwrap_or(0));
    object
}

fn closed(mut object: Vec<u8>) -> String {
    object.push(b'}');
    String::from_utf8(object).unwrap_or_default()
}

/// Appends a field to the text of an object whose closing brace is not written yet.
fn push_member(object: &mut Vec<u8>, name: &str, json: &str) {
    if object.trim_ascii_end() != b"{" {
        object.push(b',');
    }
    push_string(object, name);
    object.push(b':');
    object.extend_from_slice(json.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(came: Option<&str>, issues: Option<&str>, code: Option<&str>) -> Option<String> {
        compose(came.map(Cow::Borrowed), &[], issues, code).map(|details| details.get().to_owned())
    }

    #[test]
    fn e8_and_e9_stand_beside_what_came() {
        const LIST: &str = r#"[{"path":[],"message":"m"}]"#;
        for (came, issues, code, details) in [
            (None, None, None, None),
            (None, None, Some("X"), Some(r#"{"upstream_code":"X"}"#)),
            (Some("{ }"), None, Some("X"), Some(r#"{ "upstream_code":"X"}"#)),
            (Some(r#"{"n":1.10}"#), None, Some("X"), Some(r#"{"n":1.10,"upstream_code":"X"}"#)),
            (Some(r#"{"upstream_code":1}"#), None, Some("X"), Some(r#"{"upstream_code":1}"#)),
            (Some("[4]"), None, Some("X"), Some(r#"{"upstream_code":"X","details":[4]}"#)),
            (Some("[4]"), Some(LIST), None, Some(r#"{"details":[4],"issues":[{"path":[],"message":"m"}]}"#)),
            (Some(r#"{"issues":3,"a":1}"#), Some(LIST), None, Some(r#"{"a":1,"issues":[{"path":[],"message":"m"}]}"#)),
            (None, Some(LIST), Some("X"), Some(r#"{"issues":[{"path":[],"message":"m"}],"upstream_code":"X"}"#)),
        ] {
            assert_eq!(composed(came, issues, code).as_deref(), details, "{came:?} {issues:?} {code:?}");
        }
    }
}
