//! Prepares foreign texts for a terminal or for JSON. The functions escape characters that control a terminal, put a
//! text on one line, or cut it.

use error_envelope_core::message::is_unprintable;

/// Returns the same JSON, but escapes all characters that [`printable`] replaces. JSON itself requires escapes only for
/// characters below U+0020.
pub(crate) fn json_escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            _ if character == '\n' || !is_unprintable(character) => out.push(character),
            _ => out.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
        }
    }
    out
}

/// Replaces the characters that move a cursor, change colours or reorder a line by their numbers.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match matches!(character, '\n' | '\t') || !is_unprintable(character) {
            true => out.push(character),
            false => out.extend(character.escape_unicode()),
        }
    }
    out
}

/// Returns the text in printable characters on one line.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cuts a text to at most `most` characters, of which the last is `…`.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_reaches_the_terminal_as_a_command() {
        assert_eq!(printable("a\u{1b}[31mb\r\u{202e}c\nd"), "a\\u{1b}[31mb\\u{d}\\u{202e}c\nd");
        assert_eq!(one_line(" a\n  b\t"), "a b");
        assert_eq!(
            json_escaped("{\n\"a\": \"\u{9b}\u{202e}\u{e0001}é\"}"),
            "{\n\"a\": \"\\u009b\\u202e\\udb40\\udc01é\"}"
        );
        assert_eq!((cut("abc", 3), cut("abcd", 3)), ("abc".to_owned(), "ab…".to_owned()));
    }
}
