//! Values that were removed from a service's body. They are searched for in the client's body, which may have them
//! without the name that marked them as credentials.

use error_envelope_core::redact::TAKEN;

/// The length of the shortest value to search for: shorter ones occur in any text by chance.
const SHORTEST: usize = 4;
/// How many bytes of a long value are searched for: a message is cut at 1,024 bytes (E2), so it may have only the
/// beginning of the value.
const LONGEST: usize = 512;

/// Values to hide wherever they occur.
#[derive(Debug, Default)]
pub(crate) struct Hidden(Vec<String>);

impl Hidden {
    /// Adds each value in three spellings: as it is, as a JSON string, and with single spaces, as in messages.
    pub(super) fn extend(&mut self, values: &[String]) {
        for value in values {
            let value = value.trim_matches(|it: char| matches!(it, '"' | '\'' | '`') || it.is_whitespace());
            let cleaned = value.split_whitespace().collect::<Vec<_>>().join(" ");
            for form in [value.to_owned(), escaped(&cleaned), escaped(value), cleaned] {
                self.push(form);
            }
        }
        // Of two values that overlap, the longer one is removed.
        self.0.sort_by_key(|value| std::cmp::Reverse(value.len()));
    }

    fn push(&mut self, mut value: String) {
        let end = (0..=LONGEST.min(value.len())).rev().find(|end| value.is_char_boundary(*end));
        value.truncate(end.unwrap_or_default());
        if value.chars().count() >= SHORTEST && !TAKEN.contains(&value) && !self.0.contains(&value) {
            self.0.push(value);
        }
    }

    /// The text without these values. A value that is only a part of a longer word stays.
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

/// Where a value ends in a text. Only the beginning of a long value is stored, so the value is taken to go on to the
/// end of the text.
fn end_of(text: &str, end: usize, value: &str) -> usize {
    const LONGEST_CHARACTER: usize = 4;

    if value.len() + LONGEST_CHARACTER <= LONGEST {
        return end;
    }
    text[end..].find(['"', '\n', '…', '<']).map_or(text.len(), |length| end + length)
}

/// The text within the quotes of a JSON string.
fn escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::Hidden;

    #[test]
    fn a_value_is_hidden_where_it_is_a_whole_one() {
        let mut hidden = Hidden::default();
        let long = format!("{}{}", "x7 ".repeat(200), "end");
        hidden.extend(&["hunter2".into(), "hun\"ter\n3".into(), "abc".into(), "\"quoted\"".into(), long.clone()]);
        for (text, left) in [
            ("hunter2 is too short", "[redacted] is too short"),
            ("xhunter2, hunter22, _hunter2", "xhunter2, hunter22, _hunter2"),
            ("\"hunter2\"", "\"[redacted]\""),
            (r#""hun\"ter\n3""#, r#""[redacted]""#),
            (r#""hun\"ter 3""#, r#""[redacted]""#),
            ("abc quoted", "abc [redacted]"),
            (&format!("\"{}…\", 1", &long[..550]), "\"[redacted]…\", 1"),
        ] {
            assert_eq!(hidden.without(text.to_owned()), left);
        }
    }
}
