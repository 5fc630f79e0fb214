//! Errors as Markdown, for agents (rule R18).

use memchr::memmem;

use crate::dialect::issues::written::{self, NamedIssue};
use crate::dialect::outgoing::Outgoing;

const REQUEST_ID: &str = "Request id";

/// The error: a heading with its message, and a list of the rest. What came from the service has no markup.
pub(crate) fn write(out: &Outgoing<'_>) -> Vec<u8> {
    let mut page = String::with_capacity(192 + out.message.len() + out.details.map_or(0, str::len));
    page.push_str("# ");
    push_text(&mut page, out.message);
    page.push_str("\n\n");
    item(&mut page, "Code", |page| push_code(page, out.canonical.as_str()));
    item(&mut page, "Status", |page| page.push_str(out.status.as_str()));
    item(&mut page, REQUEST_ID, |page| push_code(page, out.request_id));
    for issue in out.details.map(written::by_parameter).unwrap_or_default() {
        item(&mut page, "Issue", |page| push_issue(page, &issue));
    }
    if let Some(retry) = out.advice.retry {
        item(&mut page, "Retry", |page| push_code(page, retry));
    }
    if let Some(docs) = out.advice.docs {
        item(&mut page, "Docs", |page| {
            page.push('<');
            page.extend(docs.text().chars().filter(|char| !matches!(char, '<' | '>' | ' ')));
            page.push('>');
        });
    }
    page.into_bytes()
}

/// Whether the body is an error that a layer wrote under this id (E7).
pub(crate) fn has_id(body: &[u8], id: &str) -> bool {
    let mut line = String::new();
    item(&mut line, REQUEST_ID, |line| push_code(line, id));
    body.starts_with(b"# ") && memmem::find(body, line.as_bytes()).is_some()
}

fn push_issue(page: &mut String, issue: &NamedIssue<'_>) {
    if !issue.parameter.is_empty() {
        push_code(page, &issue.parameter);
        page.push_str(": ");
    }
    push_text(page, &issue.message);
    if let Some(code) = &issue.code {
        page.push_str(" (");
        push_code(page, code);
        page.push(')');
    }
}

fn item(page: &mut String, name: &str, push_value: impl FnOnce(&mut String)) {
    page.push_str("- ");
    page.push_str(name);
    page.push_str(": ");
    push_value(page);
    page.push('\n');
}

/// Writes a text as one line without markup, as CommonMark and its GitHub extensions read it.
fn push_text(page: &mut String, text: &str) {
    for char in text.chars() {
        match char {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '#' | '~' => page.extend(['\\', char]),
            // It would make a link of the brackets before it.
            '(' if page.ends_with(']') => page.push_str("\\("),
            _ => page.push(on_one_line(char)),
        }
    }
}

/// Writes a text as code, in which only a backtick and the end of the line mean something.
fn push_code(page: &mut String, text: &str) {
    page.push('`');
    page.extend(text.chars().map(|char| if char == '`' { '\'' } else { on_one_line(char) }));
    page.push('`');
}

fn on_one_line(char: char) -> char {
    if char.is_control() || matches!(char, '\u{2028}' | '\u{2029}') { ' ' } else { char }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;
    use crate::dialect::outgoing::WrittenAdvice;
    use crate::dialect::outgoing::tests::{out, text};

    #[test]
    fn r18_the_whole_error() {
        let details =
            r#"{"issues":[{"path":["items",0,"qty"],"message":"Too *few*.","code":"min"},{"path":[],"message":"m"}]}"#;
        let advice = WrittenAdvice { retry: Some("backoff"), docs: None };
        let written = text(write(&Outgoing { details: Some(details), advice: &advice, ..out() }));
        assert_eq!(
            written,
            "# Not found.\n\n- Code: `not_found`\n- Status: 404\n- Request id: `req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D`\n\
             - Issue: `items[0].qty`: Too \\*few\\*. (`min`)\n- Issue: m\n- Retry: `backoff`\n"
        );
    }

    proptest! {
        #[test]
        fn r18_no_markup_comes_from_the_service(message in "[-#*_\\[\\]()<>&;!`~\\\\|=+:/.a1 \n\r\u{2028}]{0,40}") {
            let details = serde_json::json!({"issues": [{"path": [message], "message": message, "code": message}]});
            let written = text(write(&Outgoing { message: &message, details: Some(&details.to_string()), ..out() }));
            let mut shown = String::new();
            for event in Parser::new_ext(&written, Options::all()) {
                match event {
                    Event::Text(text) => shown.push_str(&text),
                    Event::Code(_) | Event::End(_) => {}
                    Event::Start(Tag::Heading { .. } | Tag::List(None) | Tag::Item) => shown.push('\n'),
                    other => prop_assert!(false, "{written}: {other:?}"),
                }
            }
            let letters = |text: &str| text.chars().filter(|char| char.is_ascii_alphanumeric()).collect::<String>();
            let first = shown.trim_start().lines().next().unwrap_or_default();
            if !letters(&message).is_empty() {
                prop_assert_eq!(letters(first), letters(&message), "{}", written);
            }
        }
    }
}
