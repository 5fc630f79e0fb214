//! Converts issue lists from and to the forms of dialects that do not have such lists (R2, E8).

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::are_zod;
use crate::issue_list::{List, MAX_STEPS, is_index};
use crate::json::{self, Object, Writer, push_string};
use crate::message;
use crate::place::Place;
use crate::sentences::without_values;

/// Returns an issue list with one issue, for the wrong parameter at `place`.
pub fn list_of_one_issue(place: &Place, message: &str) -> String {
    let mut list = List::new();
    // A text that is not allowed as a message is not allowed as the text of an issue either (R3).
    let message = without_values(message);
    list.push(&place.json(), &message::of_recognised_text(&message).unwrap_or_default(), None);
    list.close()
}

/// Returns an issue list with one issue for each parameter, or `None` if there are no issues.
pub fn list_of_issues<'a>(issues: impl IntoIterator<Item = NamedIssue<'a>>) -> Option<String> {
    let mut list = List::new();
    for issue in issues {
        // A text that is not allowed as a message is not allowed as the text of an issue either (R3).
        let message = message::of_recognised_text(&issue.message).unwrap_or_default();
        list.push(&path_of_parameter(&issue.parameter), &message, issue.code.as_deref());
    }
    list.into_json()
}

fn path_of_parameter(param: &str) -> Vec<u8> {
    let steps = || param.split(['.', '[', ']']).filter(|step| !step.is_empty());
    if steps().nth(MAX_STEPS).is_some() {
        return json::list([json::quoted(param)]);
    }
    json::list_with(steps(), |json, step| match is_index(step) {
        true => json.extend_from_slice(step.as_bytes()),
        false => push_string(json, step),
    })
}

/// Returns the path of the first issue, written as the name of a parameter. Returns `None` if the path is empty.
pub fn first_parameter(details: &str) -> Option<String> {
    let name = parameter_of(&path_of(list_in(details)?.first()?)?);
    if name.is_empty() { None } else { Some(name) }
}

/// Returns the first issue as one line of text, which ends with the number of the other issues (E8). Returns `None` if
/// there is no issue.
pub fn first_issue_as_text(details: &str, left_out: usize) -> Option<String> {
    let (text, others) = first_issue(Object::parse(details)?.raw("issues")?.get())?;
    Some(match others + left_out {
        0 => text,
        more => message::with_more(&text, more).into_owned(),
    })
}

/// Returns the text of the first issue of a list.
pub fn first_message(list: &str) -> Option<String> {
    let first = json::array(list)?.into_iter().next()?;
    Some(Object::parse(first.get())?.string("message")?.into_owned())
}

/// Returns the first issue of a list as `path: text`, and the number of the other issues. If the text already begins
/// with the path, the path is not repeated.
pub fn first_issue(list: &str) -> Option<(String, usize)> {
    let issues = json::array(list).filter(|_| are_zod(list))?;
    let first = issues.first()?;
    let text = Object::parse(first.get())?.string("message")?;
    let place = field_of(first)?;
    let begins_with = |place: &str| {
        let is_begin = text.get(..place.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(place));
        is_begin && !text[place.len()..].starts_with(|next: char| next.is_alphanumeric() || next == '_')
    };
    let is_named = place.is_empty() || begins_with(&place) || begins_with(&parameter_of(&path_of(first)?));
    let line = if is_named { text } else { Cow::Owned(format!("{place}: {text}")) };
    Some((message::clean(&line)?.into_owned(), issues.len() - 1))
}

/// Returns true if an issue has this code. `issues` is a list of issues, or details that contain such a list.
pub fn have_code(issues: &str, code: &str) -> bool {
    let list = if issues.starts_with('[') { json::array(issues) } else { list_in(issues) };
    list.unwrap_or_default()
        .into_iter()
        .any(|it| Object::parse(it.get()).is_some_and(|it| it.string("code").as_deref() == Some(code)))
}

/// Returns true if any issue in a list has a path that is not empty.
pub fn name_place(list: &str) -> bool {
    let has_place = |issue| path_of(issue).is_some_and(|path| !path.is_empty());
    json::array(list).unwrap_or_default().into_iter().any(has_place)
}

/// An issue whose path is a parameter's name, such as `messages[0].content`.
pub struct NamedIssue<'a> {
    pub parameter: String,
    pub message: Cow<'a, str>,
    pub code: Option<Cow<'a, str>>,
}

/// Returns the issues with their paths as names of parameters. The result is empty if the details have no list.
pub fn by_parameter(details: &str) -> Vec<NamedIssue<'_>> {
    list_in(details).unwrap_or_default().into_iter().filter_map(parse_issue).collect()
}

/// Returns the paths of the issues, without their messages. Each path occurs once.
pub fn paths(details: &str) -> Vec<String> {
    let mut paths: Vec<String> = Vec::new();
    for path in list_in(details).unwrap_or_default().into_iter().filter_map(path_of) {
        let path = parameter_of(&path);
        if !path.is_empty() && !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

fn parse_issue(raw: &RawValue) -> Option<NamedIssue<'_>> {
    let issue = Object::parse(raw.get())?;
    Some(NamedIssue {
        parameter: parameter_of(&path_of(raw)?),
        message: issue.string("message")?,
        code: issue.string("code"),
    })
}

fn parameter_of(path: &[&RawValue]) -> String {
    let mut name = String::new();
    for step in path {
        match json::string(step) {
            Some(step) if name.is_empty() => name.push_str(&step),
            Some(step) => name.extend([".", &*step]),
            None => name.extend(["[", step.get(), "]"]),
        }
    }
    name
}

/// Returns the issues as a JSON object `{"field":["text", …]}`, in which the fields have the order of their first
/// issues. Returns `None` if no issue has a field.
pub fn by_field(details: &str) -> Option<Vec<u8>> {
    let mut fields: Vec<(String, Vec<Cow<'_, str>>)> = Vec::new();
    let mut places = HashMap::new();
    for issue in list_in(details)? {
        let field = field_of(issue)?;
        let at = *places.entry(field.clone()).or_insert(fields.len());
        if at == fields.len() {
            fields.push((field, Vec::new()));
        }
        fields[at].1.push(Object::parse(issue.get())?.string("message")?);
    }
    if fields.iter().all(|(field, _)| field.is_empty()) {
        return None;
    }
    let json = fields.iter().fold(Writer::new(details.len()), |json, (field, texts)| {
        json.raw(field, json::list_with(texts, |json, text| push_string(json, text)))
    });
    Some(json.close())
}

/// Returns the details without their issue list, or `None` if they contain nothing else.
pub fn details_without_issues(details: &str) -> Option<String> {
    json::some_fields(&Object::parse(details)?, |name, _| name != "issues")
}

/// Returns true if the only issue in the details has this message, and neither a path nor a code.
pub fn only_repeats_message(details: &str, message: &str) -> bool {
    let issues = list_in(details).unwrap_or_default();
    let [only] = &issues[..] else { return false };
    let issue_message = || Object::parse(only.get()).filter(|issue| !issue.has("code"))?.string("message");
    path_of(only).is_some_and(|path| path.is_empty()) && issue_message().is_some_and(|parsed| parsed == message)
}

/// Returns the details with the new message in their issue list, if that list only repeats the old message (E8).
/// Returns `None` if the list contains more than that message.
pub fn with_new_message(details: &str, old: &str, new: &str) -> Option<String> {
    let is_message = |list: &RawValue| list.get() == super::of_message(old);
    let object = Object::parse(details).filter(|details| details.raw("issues").is_some_and(is_message))?;
    let list = [("issues", super::of_message(new).into_bytes())];
    String::from_utf8(json::with_fields(&object, &list, &|_, _| true)).ok()
}

fn list_in(details: &str) -> Option<Vec<&RawValue>> {
    let issues = Object::parse(details)?.raw("issues")?.get();
    if are_zod(issues) { json::array(issues) } else { None }
}

fn path_of(issue: &RawValue) -> Option<Vec<&RawValue>> {
    json::array(Object::parse(issue.get())?.raw("path")?.get())
}

fn field_of(issue: &RawValue) -> Option<String> {
    let steps = path_of(issue)?;
    let names = steps.iter().map(|step| json::string(step).map_or_else(|| step.get().into(), |name| name.into_owned()));
    Some(names.collect::<Vec<String>>().join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r2_a_parameters_name_is_a_path_and_back() {
        for (param, path, again) in [
            ("top_p", r#"["top_p"]"#, "top_p"),
            ("messages[0].content", r#"["messages",0,"content"]"#, "messages[0].content"),
            ("messages.0.content", r#"["messages",0,"content"]"#, "messages[0].content"),
            ("input.[1][text]", r#"["input",1,"text"]"#, "input[1].text"),
            ("007", r#"["007"]"#, "007"),
        ] {
            let list = list_of_one_issue(&Place::parse(param), "m");
            assert_eq!(list, format!("[{{\"path\":{path},\"message\":\"m\"}}]"));
            assert_eq!(first_parameter(&format!("{{\"issues\":{list}}}")).as_deref(), Some(again));
        }
        assert_eq!(first_parameter(r#"{"issues":[{"path":[],"message":"m"}]}"#), None);
        assert!(list_of_one_issue(&Place::parse("p"), "{\"a\":1}").contains("\"Invalid.\""));
        assert!(
            list_of_issues([NamedIssue { parameter: "a.".repeat(50), message: "m".into(), code: None }])
                .unwrap()
                .contains("a.a.a")
        );
    }

    #[test]
    fn r2_issues_are_grouped_by_their_field() {
        let details = r#"{"issues":[{"path":["b",0],"message":"1"},{"path":["a"],"message":"2"},{"path":["b",0],"message":"\"3"},{"path":[],"message":"4"}]}"#;
        let fields = String::from_utf8(by_field(details).unwrap()).unwrap();
        assert_eq!(fields, r#"{"b.0":["1","\"3"],"a":["2"],"":["4"]}"#);
        assert!(by_field(r#"{"issues":[{"path":[],"message":"4"}]}"#).is_none());
        assert!(by_field(r#"{"issues":{}}"#).is_none() && by_field("[]").is_none());
    }

    #[test]
    fn e8_a_list_that_repeats_the_message_is_told_apart() {
        assert!(only_repeats_message(r#"{"a":1,"issues":[{"path":[],"message":"m"}]}"#, "m"));
        for other in [
            r#"{"issues":[{"path":[],"message":"n"}]}"#,
            r#"{"issues":[{"path":["m"],"message":"m"}]}"#,
            r#"{"issues":[{"path":[],"message":"m","code":"c"}]}"#,
            r#"{"issues":[{"path":[],"message":"m"},{"path":[],"message":"m"}]}"#,
            r#"[{"path":[],"message":"m"}]"#,
        ] {
            assert!(!only_repeats_message(other, "m"), "{other}");
        }
    }
}
