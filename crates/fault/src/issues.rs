//! Issue lists: what a validation found, field by field (rule E8).
//!
//! The canonical list has the form of Zod issues, `[{"path":["to"],"message":"…","code":"…"?}]`. Lists of Laravel and
//! ASP.NET (`{field:[texts]}`) and of FastAPI (`[{loc,msg,type}]`) are converted into it.

pub mod written;

use http::StatusCode;
use serde_json::value::RawValue;

pub use crate::issue_list::IssueList;
use crate::issue_list::{List, MAX_STEPS, Path, is_index};
use crate::json::{self, Object};
use crate::sentences::without_values;

/// Whether a status means that the input of the request was wrong, so that the error may have an issue list (E8, R13).
pub fn tells_of_input(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 422)
}

/// The issue list in `raw` as a JSON array, converted if necessary. `None` if it is not a list of issues.
pub fn read(raw: &RawValue) -> Option<IssueList> {
    let text = raw.get();
    if text.starts_with('[') { read_array(text) } else { from_fields(text) }
}

/// The same, but only for an array: an object with a text for each field may be anything.
pub fn read_array(text: &str) -> Option<IssueList> {
    from_zod(text).or_else(|| from_locations(text))
}

/// The list in an object, and the text of its field: `errors` in Laravel and ASP.NET, `issues` in Zod.
pub fn parse_beside<'a>(object: &Object<'a>) -> Option<(IssueList, &'a str)> {
    ["errors", "issues"].into_iter().find_map(|name| {
        let list = object.raw(name).filter(|list| !(object.has("data") && list.get().starts_with('[')))?;
        Some((read(list)?, list.get()))
    })
}

/// Whether `details` are an object that has a well-formed list under `issues`.
pub fn are_in(details: &str) -> bool {
    Object::parse(details).and_then(|details| details.raw("issues")).is_some_and(|issues| are_zod(issues.get()))
}

/// A list with only this message: one issue with an empty path.
pub fn of_message(message: &str) -> String {
    let mut list = List::new();
    list.push(b"[]", message, None);
    list.close()
}

/// The same, and whether the list only has the fields of the canonical form.
pub fn are_canonical_in(details: &str) -> bool {
    let is_own = |(name, _): (&str, &RawValue)| matches!(name, "path" | "message" | "code");
    let is_canonical = |issue: &&RawValue| Object::parse(issue.get()).is_some_and(|it| it.members().all(is_own));
    let list = Object::parse(details).and_then(|details| json::array(details.raw("issues")?.get()));
    are_in(details) && list.is_some_and(|issues| issues.iter().all(is_canonical))
}

fn are_zod(text: &str) -> bool {
    // A list that passes unchanged must not have half a character, which some parsers refuse.
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

/// Reads Zod's list, but only the fields of the canonical form: others may contain what the client sent (R13).
fn from_zod(text: &str) -> Option<IssueList> {
    let mut list = List::new();
    for issue in json::array(text)? {
        // In GraphQL, `path` is a place in the response's data.
        let issue = Object::parse(issue.get()).filter(|issue| !issue.has("locations"))?;
        let message = json::exact(issue.raw("message")?)?;
        let code = match issue.raw("code") {
            Some(code) => Some(json::exact(code)?),
            None => None,
        };
        let path = path_of_steps(&json::array(issue.raw("path")?.get())?)?;
        list.push(&path, &without_values(&message), code.as_deref());
    }
    list.into_list()
}

/// Reads FastAPI's list: `[{"loc":["body","to"],"msg":"Field required","type":"missing"}]`.
fn from_locations(text: &str) -> Option<IssueList> {
    let mut list = List::new();
    for entry in json::array(text)? {
        let entry = Object::parse(entry.get())?;
        let message = entry.string("msg")?;
        let steps = json::array(entry.raw("loc")?.get())?;
        let kind = entry.string("type");
        let steps = if kind.as_deref() == Some("json_invalid") { without_offset(&steps) } else { &steps };
        list.push(&path_of_location(steps)?, &without_values(&message), kind.as_deref());
    }
    list.into_list()
}

/// The steps without an offset. For a body that is not JSON, FastAPI 0.165 states where it stops being JSON:
/// `["body",8]` does not name a field.
fn without_offset<'l, 'a>(steps: &'l [&'a RawValue]) -> &'l [&'a RawValue] {
    match steps {
        [body, offset] if body.get() == r#""body""# && json::is_index(offset) => &steps[..1],
        _ => steps,
    }
}

fn path_of_location(steps: &[&RawValue]) -> Option<Vec<u8>> {
    let first = steps.first().and_then(|step| json::string(step));
    let where_it_is = matches!(first.as_deref(), Some("body" | "query" | "path" | "header" | "cookie"));
    path_of_steps(&steps[usize::from(where_it_is)..])
}

/// The path in these steps; `None` if one of them is neither a name nor an index.
fn path_of_steps(steps: &[&RawValue]) -> Option<Vec<u8>> {
    let mut path = Path::new();
    for step in steps {
        match json::string(step) {
            // Pydantic's name for a model as a whole.
            Some(name) if name == "__root__" => {}
            Some(name) => path.name(&name),
            None if is_index(step.get()) => path.raw(step.get()),
            None if json::is_index(step) => path.name(step.get()),
            None => return None,
        }
    }
    Some(path.close())
}

/// Reads the object of Laravel and ASP.NET: `{"items.0.name":["Too short."]}`.
fn from_fields(text: &str) -> Option<IssueList> {
    let mut list = List::new();
    for (field, texts) in Object::parse(text)?.members() {
        let path = path_of_field(field);
        for text in json::array(texts.get())? {
            list.push(&path, &without_values(&json::string(text)?), None);
        }
    }
    list.into_list()
}

fn path_of_field(field: &str) -> Vec<u8> {
    let mut path = Path::new();
    if field.split('.').nth(MAX_STEPS).is_some() {
        path.name(field);
        return path.close();
    }
    for step in field.split('.').filter(|_| !field.is_empty()) {
        if is_index(step) { path.raw(step) } else { path.name(step) }
    }
    path.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::issue_list::MAX_BYTES;

    fn issues(json: &str) -> Option<String> {
        read(serde_json::from_str(json).unwrap()).map(|list| list.json)
    }

    #[test]
    fn e8_other_lists_become_zods() {
        for (list, zod) in [
            (r#"{"to":["Required."]}"#, r#"[{"path":["to"],"message":"Required."}]"#),
            (
                r#"{"items.0.name":["x"],"a..b":["y"]}"#,
                r#"[{"path":["items",0,"name"],"message":"x"},{"path":["a","","b"],"message":"y"}]"#,
            ),
            (r#"{"":["whole"],"007":["z"]}"#, r#"[{"path":[],"message":"whole"},{"path":["007"],"message":"z"}]"#),
            (
                r#"[{"loc":["body","items",0],"msg":"No.","type":"missing","input":1}]"#,
                r#"[{"path":["items",0],"message":"No.","code":"missing"}]"#,
            ),
            (r#"[{"loc":["body"],"msg":"No."}]"#, r#"[{"path":[],"message":"No."}]"#),
            (
                r#"[{"type":"json_invalid","loc":["body",8],"msg":"JSON decode error"}]"#,
                r#"[{"path":[],"message":"JSON decode error","code":"json_invalid"}]"#,
            ),
            (
                r#"[{"type":"json_invalid","loc":["body","raw",8],"msg":"No."}]"#,
                r#"[{"path":["raw",8],"message":"No.","code":"json_invalid"}]"#,
            ),
            (r#"[{"loc":["to","body"],"msg":"No."}]"#, r#"[{"path":["to","body"],"message":"No."}]"#),
            (
                r#"[{"path":["a",1],"expected":"x","message":"m","code":"c"}]"#,
                r#"[{"path":["a",1],"message":"m","code":"c"}]"#,
            ),
            (
                r#"[{"path":["a",12345678901234567890],"message":"Expected 'a', received 'b'"}]"#,
                r#"[{"path":["a","12345678901234567890"],"message":"Expected 'a'"}]"#,
            ),
        ] {
            assert_eq!(issues(list).as_deref(), Some(zod), "{list}");
            assert!(are_zod(zod));
        }
    }

    #[test]
    fn r4_a_list_is_within_its_budget() {
        let (name, text) = ("a.".repeat(5_000), "x".repeat(5_000));
        for (name, text) in [(&*name, ""), ("a", &*text)] {
            let texts = vec![format!("\"{text}\""); 5_000].join(",");
            let list = issues(&format!("{{\"{name}\":[{texts}]}}")).unwrap();
            assert!(list.len() < MAX_BYTES + 64, "{}", list.len());
            assert!(are_zod(&list));
        }
    }

    #[test]
    fn e8_what_is_no_list_stays_what_it_is() {
        for other in [
            "{}",
            "[]",
            r#"{"a":1}"#,
            r#"{"a":[1]}"#,
            r#"{"a":"b"}"#,
            r#"[{"message":"x"}]"#,
            r#"[{"loc":"to","msg":"x"}]"#,
            r#"[{"path":[-1],"message":"m"}]"#,
            r#"[{"loc":[1.5],"msg":"m"}]"#,
            "1",
            "null",
        ] {
            assert_eq!(issues(other), None, "{other}");
        }
        assert!(are_in(r#"{"issues":[{"path":[],"message":"m"}]}"#));
        assert!(!are_in(r#"{"issues":[]}"#) && !are_in(r#"{"issues":[{"path":"to","message":"m"}]}"#));
    }
}
