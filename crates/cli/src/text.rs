//! Makes texts from elsewhere safe for a terminal, and for the comments of a file.

use std::error::Error;

use error_envelope_core::message::is_invisible;

/// The text without characters that move a cursor, change colours or reorder a line: each is written as its number.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push('\n'),
            _ if is_invisible(character) => out.extend(character.escape_unicode()),
            _ => out.push(character),
        }
    }
    out
}

/// The text on one line.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Cuts a text to at most `most` characters, the last of them `…`.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// The text of an error, followed by those of its causes.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause: &&(dyn Error + 'static)| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// `1 answer`, `2 answers`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_foreign_reaches_the_terminal_as_a_command() {
        assert_eq!(printable("a\u{1b}[31mb\r\u{202e}c\nd"), "a\\u{1b}[31mb\\u{d}\\u{202e}c\nd");
        assert_eq!(one_line(" a\n  b\t"), "a b\\u{9}");
        assert_eq!((cut("abc", 3), cut("abcd", 3)), ("abc".to_owned(), "ab…".to_owned()));
    }
}
