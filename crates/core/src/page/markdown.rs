//! Errors as Markdown, for agents (R18).

use memchr::memmem;
use serde_json::{Value, from_str};

use crate::dialect::outgoing::Outgoing;
use crate::issues::written;
use crate::message::is_invisible;

const REQUEST_ID: &str = "Request id";

/// Returns the error as a heading with its message, and a list of its other parts. Texts of the service have no markup.
pub(crate) fn write(out: &Outgoing<'_>) -> Vec<u8> {
    let mut page = String::with_capacity(192 + out.message.len() + out.details.map_or(0, str::len));
    page.push_str("# ");
    push_text(&mut page, out.message);
    page.push_str("\n\n");
    item(&mut page, "Code", |page| push_code(page, out.canonical.as_str()));
    item(&mut page, "Status", |page| page.push_str(out.status.as_str()));
    item(&mut page, REQUEST_ID, |page| push_code(page, out.request_id));
    let details = out.details.and_then(|details| from_str::<Value>(details).ok()).unwrap_or_default();
    let issues = details["issues"].as_array();
    for issue in issues.into_iter().flatten() {
        item(&mut page, "Issue", |page| push_issue(page, issue));
    }
    // These are the other details on which a client could act (E9).
    let others = out.details.map(|details| match issues {
        Some(_) => written::details_without_issues(details),
        None => Some(details.to_owned()),
    });
    if let Some(others) = others.flatten() {
        item(&mut page, "Details", |page| push_code(page, &others));
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

/// Returns true if the body is an error that a layer wrote under this id (E7).
pub(crate) fn has_id(body: &[u8], id: &str) -> bool {
    let mut line = String::new();
    item(&mut line, REQUEST_ID, |line| push_code(line, id));
    body.starts_with(b"# ") && memmem::find(body, line.as_bytes()).is_some()
}

/// Writes an issue, which may be irregular in an envelope that the service wrote.
fn push_issue(page: &mut String, issue: &Value) {
    let path = match &issue["path"] {
        Value::Array(steps) => steps.iter().map(text_of).collect::<Vec<_>>().join("."),
        path => text_of(path),
    };
    let (path, code) = (on_one_line(&path), on_one_line(&text_of(&issue["code"])));
    if !path.is_empty() {
        push_code(page, &path);
        page.push_str(": ");
    }
    push_text(page, &text_of(&issue["message"]));
    if !code.is_empty() {
        page.push_str(" (");
        push_code(page, &code);
        page.push(')');
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
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
    let text = on_one_line(text);
    for (at, char) in text.char_indices() {
        let (before, rest) = (&text[..at], &text[at..]);
        match char {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '#' | '~' | '$' | '^' => page.extend(['\\', char]),
            // Otherwise the brackets before it would become a link.
            '(' if before.ends_with(']') => page.push_str("\\("),
            // GitHub's Markdown turns addresses into links. No escape prevents this for an e-mail address, but code
            // markup does.
            ':' if rest.starts_with("://") => page.push_str("\\:"),
            '.' if ends_in_www(before) => page.push_str("\\."),
            '@' if rest[1..].starts_with(|next: char| !next.is_whitespace() && next != '@') => page.push_str("`@`"),
            _ => page.push(char),
        }
    }
}

fn ends_in_www(text: &str) -> bool {
    text.len().checked_sub(3).and_then(|at| text.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case("www"))
}

/// Writes a text as code, between more backticks than the text contains in a row.
fn push_code(page: &mut String, text: &str) {
    let text = on_one_line(text);
    let longest = text.split(|char| char != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    // Markdown removes one space at each end of the code.
    let space = if longest > 0 || text.trim().len() < text.len() && !text.trim().is_empty() { " " } else { "" };
    page.extend([&fence, space, &*text, space, &fence]);
}

fn on_one_line(text: &str) -> String {
    let is_break = |char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
    // Persian, Indic scripts and emoji need the joiners. No other invisible character may carry a text to a model.
    let is_shown = |char: char| match char {
        '\u{200c}' | '\u{200d}' => true,
        '\u{fe00}'..='\u{fe0f}' => false,
        _ => is_break(char) || !is_invisible(char),
    };
    let shown = text.chars().filter(|char| is_shown(*char));
    shown.map(|char| if is_break(char) { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;
    use crate::dialect::outgoing::WrittenAdvice;
    use crate::page::samples::{out, text};

    #[test]
    fn r18_the_whole_error() {
        let details =
            r#"{"issues":[{"path":["items",0,"qty"],"message":"Too *few*.","code":"min"},{"path":[],"message":"m"}]}"#;
        let advice = WrittenAdvice { retry: Some("backoff"), docs: None };
        let written = text(write(&Outgoing { details: Some(details), advice: &advice, ..out() }));
        assert_eq!(
            written,
            "# Not found.\n\n- Code: `not_found`\n- Status: 404\n- Request id: `req_01JD2V5W8Z3Q4R6T8Y0A1B2C3D`\n\
             - Issue: `items.0.qty`: Too \\*few\\*. (`min`)\n- Issue: m\n- Retry: `backoff`\n"
        );
    }

    #[test]
    fn r18_no_address_is_a_link_in_githubs_markdown() {
        for (said, heading) in [
            ("See https://x.example/a or FTP://x.example.", r"See https\://x.example/a or FTP\://x.example."),
            ("Go to <www.x.example>, Www.x.example", r"Go to \<www\.x.example\>, Www\.x.example"),
            ("Write to mailto:ada@x.example @ noon", "Write to mailto:ada`@`x.example @ noon"),
        ] {
            let written = text(write(&Outgoing { message: said, ..out() }));
            assert_eq!(written.lines().next(), Some(&*format!("# {heading}")));
        }
    }

    #[test]
    fn r18_an_irregular_issue_hides_no_other_one() {
        let details = r#"{"issues":[{"message":7},{"path":"a`b","message":"m","code":3},{"path":[null,"c"],"message":"x"}],"upstream_code":"E_7"}"#;
        let written = text(write(&Outgoing { details: Some(details), ..out() }));
        let rest = r#"- Issue: 7
- Issue: `` a`b ``: m (`3`)
- Issue: `.c`: x
- Details: `{"upstream_code":"E_7"}`
"#;
        assert!(written.ends_with(rest), "{written}");
    }

    proptest! {
        #[test]
        fn r18_no_markup_comes_from_the_service(message in "[-#*_\\[\\]()<>&;!`~\\\\|=+:/.@w$^a1 \u{200b}\u{e0158}\n\r\u{2028}]{0,40}") {
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
