//! Removes credentials from a body before it is stored, with the core's [rules](error_envelope_core::redact).
//!
//! It removes too much rather than too little, because operators need to see the shape of a body, not its values. A
//! value that is removed from the service's body is also removed from the client's body. There, the value may have no
//! name that marks it as a credential.

use std::borrow::Cow;

use error_envelope_core::message;
use error_envelope_core::redact::{self, Strictness, TAKEN, end_of_string, is_telling_parameter, json};

/// The most bytes of a body's text that the page shows.
pub(crate) const MOST: usize = 8 * 1024;

/// Removes credentials from a text for the page.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    redact::text(text, Strictness::Strict)
}

/// Removes credentials from a body for the page, and returns its text and true if the text is whole. Returns `None` if
/// the body is not text. Also removes the values in `hidden`, and adds each removed value to `hidden`.
pub(super) fn body(
    content_type: Option<&str>,
    body: &[u8],
    whole: bool,
    hidden: &mut Hidden,
) -> Option<(String, bool)> {
    let text = readable(body, whole)?;
    let (text, is_whole) = match content_type {
        Some(kind) if kind.to_ascii_lowercase().contains("x-www-form-urlencoded") => {
            (form(text.as_bytes(), hidden), whole)
        }
        _ => redacted_json(&text, whole, hidden).unwrap_or_else(|| (of_text(&text, hidden), whole)),
    };
    let is_whole = is_whole && text.len() <= MOST;
    Some((message::cut(text, MOST), is_whole))
}

/// Returns the text of a body, or `None` if it is not UTF-8. An incomplete character at the end is left out. NUL
/// characters are also removed. In UTF-16, every other byte is NUL, so the rules would not find credentials.
fn readable(body: &[u8], whole: bool) -> Option<String> {
    let text = match str::from_utf8(body) {
        Ok(text) => text,
        Err(error) if !whole && error.error_len().is_none() => str::from_utf8(&body[..error.valid_up_to()]).ok()?,
        Err(_) => return None,
    };
    Some(text.replace('\0', ""))
}

/// Removes credentials from JSON, and formats it for people. Returns the text, and true if the text is whole. Returns
/// `None` if the text is not JSON.
fn redacted_json(text: &str, whole: bool, hidden: &mut Hidden) -> Option<(String, bool)> {
    let json = json(text, whole, Strictness::Strict)?;
    let (laid, is_laid_whole) = format_json(&json.text, MOST);
    let laid = hidden.without(laid);
    hidden.extend(&json.taken);
    // If the JSON text is incomplete, credentials are also removed as from plain text, because the text may not be
    // JSON.
    let text = if json.is_cut { self::text(&laid).into_owned() + " …" } else { laid };
    Some((text, whole && is_laid_whole && !json.is_cut))
}

fn of_text(text: &str, hidden: &mut Hidden) -> String {
    let mut taken = Vec::new();
    let redacted = redact::text_noting(text, Strictness::Strict, &mut |value| taken.push(value.to_owned()));
    let redacted = hidden.without(redacted.into_owned());
    hidden.extend(&taken);
    redacted
}

fn form(body: &[u8], hidden: &mut Hidden) -> String {
    let fields = form_urlencoded::parse(body).map(|(name, value)| {
        let value = if is_telling_parameter(&name) {
            hidden.extend(&[value.into_owned()]);
            TAKEN.to_owned()
        } else {
            of_text(&value, hidden)
        };
        format!("{} = {value}", text(&name))
    });
    fields.collect::<Vec<_>>().join("\n")
}

/// The length of the shortest value to search for. Shorter values often occur in a text by chance.
const SHORTEST: usize = 4;
/// The number of bytes of a long value to search for. A message is cut at 1,024 bytes (E2), so it may contain only the
/// beginning of the value.
const LONGEST: usize = 512;

/// The values to remove from all further texts.
///
/// These values were removed from a service's body. The client's body is searched for them, because there the name that
/// marked them as credentials may be missing.
#[derive(Debug, Default)]
pub(crate) struct Hidden(Vec<String>);

impl Hidden {
    /// Adds each value in its spellings: unchanged, with single spaces (as in messages), and each of these as a JSON
    /// string.
    pub(super) fn extend(&mut self, values: &[String]) {
        for value in values {
            let value = value.trim_matches(|it: char| matches!(it, '"' | '\'' | '`') || it.is_whitespace());
            let cleaned = value.split_whitespace().collect::<Vec<_>>().join(" ");
            for form in [value.to_owned(), escaped(&cleaned), escaped(value), cleaned] {
                self.push(form);
            }
        }
        // If two values overlap, the longer one is removed.
        self.0.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    fn push(&mut self, mut value: String) {
        value.truncate(message::boundary(&value, LONGEST));
        if value.chars().count() >= SHORTEST && !TAKEN.contains(&value) && !self.0.contains(&value) {
            self.0.push(value);
        }
    }

    /// Returns the text without these values. A value that is only a part of a longer word is not removed.
    pub(super) fn without(&self, mut text: String) -> String {
        for value in &self.0 {
            if text.contains(&**value) {
                text = replaced(&text, value);
            }
        }
        text
    }
}

fn replaced(text: &str, value: &str) -> String {
    let is_part = |it: char| it.is_alphanumeric() || it == '_';
    let mut left = String::with_capacity(text.len());
    let mut at = 0;
    for (found, _) in text.match_indices(value) {
        let end = end_of(text, found + value.len(), value);
        let is_whole = !text[..found].ends_with(is_part) && !text[end..].starts_with(is_part);
        if is_whole && found >= at {
            left.push_str(&text[at..found]);
            left.push_str(TAKEN);
            at = end;
        }
    }
    left.push_str(&text[at..]);
    left
}

/// Returns the position at which a value ends in a text. Only the beginning of a long value is stored, so a long value
/// is assumed to continue to the end of the text.
fn end_of(text: &str, end: usize, value: &str) -> usize {
    const LONGEST_CHARACTER: usize = 4;

    if value.len() + LONGEST_CHARACTER <= LONGEST {
        return end;
    }
    text[end..].find(['"', '\n', '…', '<']).map_or(text.len(), |length| end + length)
}

/// Returns the text as it appears within the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The maximum number of levels of indentation. Without this limit, a body of many nested brackets would become
/// extremely long.
const DEEPEST: usize = 16;

/// Formats a JSON text, which may be incomplete. The result has at most a few bytes more than `most`. Returns true if
/// nothing was left out.
fn format_json(json: &str, most: usize) -> (String, bool) {
    let mut layout = Layout { out: String::with_capacity(json.len() * 2), depth: 0, is_empty: false };
    let mut rest = json;
    while let Some(first) = rest.chars().next() {
        if layout.out.len() > most {
            return (layout.out + " …", false);
        }
        let length = if first == '"' { end_of_string(rest) } else { first.len_utf8() };
        layout.put(first, &rest[..length]);
        rest = &rest[length..];
    }
    (layout.out, true)
}

struct Layout {
    out: String,
    depth: usize,
    /// True if nothing has followed the last opening bracket yet.
    is_empty: bool,
}

impl Layout {
    fn put(&mut self, first: char, token: &str) {
        match first {
            ' ' | '\t' | '\n' | '\r' => return,
            '}' | ']' => {
                self.depth = self.depth.saturating_sub(1);
                if !std::mem::take(&mut self.is_empty) {
                    self.new_line();
                }
            }
            _ if std::mem::take(&mut self.is_empty) => self.new_line(),
            _ => {}
        }
        self.out.push_str(token);
        match first {
            '{' | '[' => (self.depth, self.is_empty) = (self.depth + 1, true),
            ',' => self.new_line(),
            ':' => self.out.push(' '),
            _ => {}
        }
    }

    fn new_line(&mut self) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", self.depth.min(DEEPEST)));
    }
}

#[cfg(test)]
mod tests;
